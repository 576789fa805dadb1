"""Small things that a file has lost are put back: a mean error says nothing about them.

A file is made to have little squared error for its bits. A dot, a faint word or a bird in the sky
has hardly any of it, and still is what a person looks at. So each block of 16 × 16 pixels is held
to its own contrast: its error must not be more than that of its mean color, and where it shows
small things on a plain ground, they must be there.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.codec.quantize import Levels, shown, strongest_first
from gaussianimage.codec.refine import Rounding
from gaussianimage.fitting.density import BAND

Blocks = NDArray[np.float32]  # (K, BLOCK, BLOCK, C)

BLOCK = 16

# A block may have this much more error, root mean square in color steps, than its mean color has.
TOLERANCE = 0.02

# Small things on a plain ground: blurred over 3 × 3 pixels, the largest difference from the median
# of the block is so many color steps, and half of the pixels have less than this part of it.
# Something is lost where this part of it is missing anywhere.
THING = 0.2
GROUND = 0.2
MISSING = 0.7
# A block of less contrast than one pixel of such a thing has shows none, in color steps squared.
LEAST = THING**2 / BLOCK**2

# New Gaussians are found by boxes, for dots, strokes and areas: half the sides, down and across.
BOXES = ((0, 0), (1, 1), (0, 3), (3, 0), (1, 5), (5, 1), (3, 3), (7, 7))
SIDE_TO_SIGMA = 0.35
PER_BLOCK = 3  # new Gaussians in a round

ITERATIONS = 12
RATES = (0.05, 0.03, 0.015)

# What a bit is worth in each round, in units of what it usually is: what is left over costs more.
WEIGHTS = (0.4, 0.2, 0.1, 0.03, 0.01, 0.003)


class Spots(NamedTuple):
    """Gaussians for where something is missing."""

    means: NDArray[np.float64]  # (K, 2)
    cholesky: NDArray[np.float64]  # (K, 3)
    colors: NDArray[np.float32]  # (K, C)


def repair(
    optimizer: _native.Optimizer,
    rounding: Rounding,
    pixels: NDArray[np.float32],
    step: float,
    *,
    model_set: int,
    costs: _native.SymbolCosts,
) -> Iterator[Levels]:
    """Add rounded Gaussians where blocks have lost what they show.

    Parameters
    ----------
    optimizer : _native.Optimizer
        Without Gaussians; those of the file have been drawn into its target.
    rounding : Rounding
        Of the file.
    pixels : ndarray, (H, W, C), float32
        The picture.
    step : float
        The color step Δ.
    model_set : int
        Which of the format's sets of models codes them.
    costs : _native.SymbolCosts
        What symbols cost in the file.

    Yields
    ------
    Levels
        What a round adds, the strongest first.
    """
    rates = np.tile(np.array(RATES, np.float32), (ITERATIONS, 1))
    suspects = np.arange(_blocks(pixels))
    for weight in WEIGHTS:
        suspects, spots = lost(pixels, optimizer.residual(), step, suspects)
        if len(suspects) == 0:
            return
        optimizer.add(*spots)
        optimizer.run(rates, 0.0)
        levels = rounding.nearest(optimizer.means, optimizer.cholesky, optimizer.colors)
        optimizer.keep(np.zeros(len(optimizer), np.uint8))
        # The refiner wants them drawn.
        optimizer.add(*rounding.quantizer.dequantize(*levels))
        refiner = rounding.refiner(optimizer.residual())
        sets = np.full(len(levels.precision), model_set, np.uint8)
        levels = rounding.sweep(refiner, levels, sets, costs, weight)
        levels = levels.select(shown(levels))
        optimizer.keep(np.zeros(len(optimizer), np.uint8))
        if len(levels.precision) == 0:
            continue
        optimizer.add(*rounding.quantizer.dequantize(*levels))
        optimizer.bake(np.ones(len(optimizer), np.uint8))
        yield levels.select(strongest_first(levels.color))


def lost(
    pixels: NDArray[np.float32],
    residual: NDArray[np.float32],
    step: float,
    suspects: NDArray[np.intp],
) -> tuple[NDArray[np.intp], Spots]:
    """Find the blocks that have lost what they show, and Gaussians that bring it back.

    Parameters
    ----------
    pixels, residual : ndarray, (H, W, C), float32
        The picture, and what is drawn less the picture.
    step : float
        The color step Δ.
    suspects : ndarray, (K,)
        Rising numbers of the blocks to look at, row by row.

    Returns
    -------
    blocks : ndarray, (M,)
        The numbers of those that have.
    spots : Spots
    """
    across = -(-pixels.shape[1] // BLOCK)
    found, blocks = [], []
    for begin in range(0, max(len(suspects), 1), BAND // BLOCK**2):
        some = suspects[begin : begin + BAND // BLOCK**2]
        y, x = (BLOCK * number for number in np.divmod(some, across))
        source, error = _cut(pixels, y, x), _cut(residual, y, x)
        failing = _failing(source, error, step)
        blocks.append(some[failing])
        spots = _spots(error[failing], x[failing], y[failing])
        size = pixels.shape[1], pixels.shape[0]
        found.append(spots._replace(means=np.clip(spots.means, 0.5, np.array(size) - 0.5)))
    return np.concatenate(blocks), Spots(*(np.concatenate(p) for p in zip(*found, strict=True)))


def _blocks(pixels: NDArray[np.float32]) -> int:
    """Return the number of blocks of a picture."""
    height, width = pixels.shape[:2]
    return int(-(-height // BLOCK) * -(-width // BLOCK))


def _cut(pixels: NDArray[np.float32], top: NDArray[np.intp], left: NDArray[np.intp]) -> Blocks:
    """Cut out blocks; what they lack at the picture's edges repeats the last pixels."""
    within = np.arange(BLOCK)
    rows = np.minimum(top[:, None] + within, pixels.shape[0] - 1)
    columns = np.minimum(left[:, None] + within, pixels.shape[1] - 1)
    blocks: Blocks = pixels[rows[:, :, None], columns[:, None, :]]
    return blocks


def _failing(source: Blocks, error: Blocks, step: float) -> NDArray[np.bool_]:
    """Return which blocks have lost what they show."""
    contrast = source.var(axis=(1, 2), dtype=np.float64).mean(axis=1)
    squared = np.square(error).mean(axis=(1, 2, 3), dtype=np.float64)
    failing: NDArray[np.bool_] = squared > contrast + (TOLERANCE * step) ** 2
    suspects = np.flatnonzero(~failing & (contrast > LEAST * step**2))
    if len(suspects):
        failing[suspects] = _things_missing(source[suspects], error[suspects], step)
    return failing


def _things_missing(source: Blocks, error: Blocks, step: float) -> NDArray[np.bool_]:
    """Return which blocks show small things on a plain ground that are not all there."""
    ground = np.median(source, axis=(1, 2), keepdims=True)
    difference = _root_mean_square(_box(source - ground, 1, 1) / 9)
    most = difference.max(axis=1)
    missing = _root_mean_square(_box(error, 1, 1) / 9).max(axis=1)
    result: NDArray[np.bool_] = (
        (most > THING * step)
        & (np.median(difference, axis=1) < GROUND * most)
        & (missing > MISSING * most)
    )
    return result


def _root_mean_square(blocks: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return that of the channels, (K, BLOCK²)."""
    result: NDArray[np.floating[Any]] = np.sqrt(np.square(blocks).mean(axis=3))
    return result.reshape(len(blocks), BLOCK * BLOCK)


def _spots(error: Blocks, left: NDArray[np.intp], top: NDArray[np.intp]) -> Spots:
    """Return for each block the few Gaussians that take most from its error, about."""
    count, channels = len(error), error.shape[3]
    everyone = np.arange(count)
    error = error.copy()
    found = []
    for _ in range(PER_BLOCK):
        best = np.full(count, -1.0)
        middle, half = np.zeros((2, count, 2), np.intp)
        colors = np.zeros((count, channels), np.float32)
        for down, across in BOXES:
            area = (2 * down + 1) * (2 * across + 1)
            sums = _box(error, down, across).reshape(count, BLOCK * BLOCK, channels)
            energy = np.square(sums).sum(axis=2) / area
            peak = energy.argmax(axis=1)
            better = energy[everyone, peak] > best
            best[better] = energy[everyone, peak][better]
            middle[better] = np.stack(np.divmod(peak, BLOCK), axis=1)[better]
            half[better] = down, across
            colors[better] = -sums[everyone, peak][better] / area
        # The next one is for what this one leaves.
        within = np.arange(BLOCK)
        inside = np.abs(within - middle[:, :, None]) <= half[:, :, None]  # (K, 2, BLOCK)
        box = inside[:, 0, :, None] & inside[:, 1, None, :]
        error += np.where(box[..., None], colors[:, None, None], np.float32(0))
        sigma = np.maximum(SIDE_TO_SIGMA * (2 * half + 1), 0.5)
        means = np.stack((left + middle[:, 1], top + middle[:, 0]), axis=1) + 0.5
        cholesky = np.stack((sigma[:, 1], np.zeros(count), sigma[:, 0]), axis=1)
        found.append(Spots(means, cholesky, colors))
    return Spots(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _box(blocks: Blocks, down: int, across: int) -> Blocks:
    """Return the sums over boxes of so many pixels each way around each pixel, 0 beyond a block."""
    for axis, half in ((1, down), (2, across)):
        if half == 0:
            continue
        side = 2 * half + 1
        padding = [(0, 0)] * 4
        padding[axis] = (half + 1, half)
        sums = np.cumsum(np.pad(blocks, padding), axis=axis, dtype=np.float64)
        length = sums.shape[axis]
        upper = np.take(sums, np.arange(side, length), axis=axis)
        lower = np.take(sums, np.arange(0, length - side), axis=axis)
        blocks = (upper - lower).astype(np.float32)
    return blocks
