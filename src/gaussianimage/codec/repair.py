"""Small things that a file has lost are put back: a mean error says nothing about them.

A file is made to have little squared error for its bits. A dot, a faint word or a bird in the sky
has hardly any of it, and still is what a person looks at. So each block of 16 × 16 pixels is held
to its own contrast: its error must not be more than that of its mean color, and where it shows one
small thing on a plain ground, that thing must be there.
"""

from collections.abc import Iterator
from typing import NamedTuple

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

# A small thing: the largest difference from the median of its block, each blurred over 3 × 3
# pixels, is so many color steps, and this part of it is more than three quarters of the block
# have. It is lost if this part of it is missing.
THING = 0.1
GROUND = 0.25
MISSING = 0.5

RADII = (0, 1, 3, 7)  # boxes that new Gaussians are found by
RADIUS_TO_SIGMA = 0.35  # of the side of a box
ITERATIONS = 12
RATES = (0.05, 0.03, 0.015)

# What a bit is worth in each round, in units of what it usually is: what is left over costs more.
WEIGHTS = (0.4, 0.2, 0.1, 0.03, 0.01, 0.003)


class Spots(NamedTuple):
    """Where something is missing: a round Gaussian for each block."""

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
    """Find the blocks that have lost what they show, and a Gaussian for each that brings it back.

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
        In their order.
    """
    across = -(-pixels.shape[1] // BLOCK)
    found, blocks = [], []
    for begin in range(0, max(len(suspects), 1), BAND // BLOCK**2):
        some = suspects[begin : begin + BAND // BLOCK**2]
        y, x = (BLOCK * number for number in np.divmod(some, across))
        source, error = _cut(pixels, y, x), _cut(residual, y, x)
        failing = _failing(source, error, step)
        blocks.append(some[failing])
        found.append(_spots(error[failing], x[failing], y[failing]))
    return np.concatenate(blocks), Spots(*(np.concatenate(p) for p in zip(*found, strict=True)))


def _blocks(pixels: NDArray[np.float32]) -> int:
    """Return the number of blocks of a picture."""
    return -(-pixels.shape[0] // BLOCK) * -(-pixels.shape[1] // BLOCK)


def _cut(
    pixels: NDArray[np.float32], top: NDArray[np.intp], left: NDArray[np.intp]
) -> Blocks:
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
    # A thing that is missing leaves its part of the contrast as an error.
    suspects = np.flatnonzero(~failing & (squared > GROUND * MISSING**2 * contrast))
    if len(suspects):
        failing[suspects] = _things_missing(source[suspects], error[suspects], step)
    return failing


def _things_missing(source: Blocks, error: Blocks, step: float) -> NDArray[np.bool_]:
    """Return which blocks show one small thing that is not there."""
    count, channels = len(source), source.shape[3]
    ground = np.median(source.reshape(count, BLOCK * BLOCK, channels), axis=1)
    difference = _box(source - ground[:, None, None], 1) / 9
    height = np.sqrt(np.square(difference).mean(axis=3)).reshape(count, BLOCK * BLOCK)
    peak = height.argmax(axis=1)
    everyone = np.arange(count)
    most = height[everyone, peak]
    usual = np.partition(height, 3 * BLOCK * BLOCK // 4, axis=1)[:, 3 * BLOCK * BLOCK // 4]
    missing = np.sqrt(np.square(_box(error, 1) / 9).mean(axis=3)).reshape(count, BLOCK * BLOCK)
    result: NDArray[np.bool_] = (
        (most > THING * step)
        & (usual < GROUND * most)
        & (missing[everyone, peak] > MISSING * most)
    )
    return result


def _spots(error: Blocks, left: NDArray[np.intp], top: NDArray[np.intp]) -> Spots:
    """Return for each block the Gaussian that takes most from its error, about."""
    count, channels = len(error), error.shape[3]
    everyone = np.arange(count)
    best = np.full(count, -1.0)
    means, sigma = np.zeros((count, 2)), np.zeros(count)
    colors = np.zeros((count, channels), np.float32)
    for radius in RADII:
        side = 2 * radius + 1
        sums = _box(error, radius)
        energy = np.square(sums).sum(axis=3).reshape(count, BLOCK * BLOCK) / side**2
        peak = energy.argmax(axis=1)
        most = energy[everyone, peak]
        better = most > best
        best = np.where(better, most, best)
        y, x = np.divmod(peak, BLOCK)
        means[better] = np.stack((left + x, top + y), axis=1)[better] + 0.5
        sigma[better] = max(RADIUS_TO_SIGMA * side, 0.5)
        colors[better] = -sums.reshape(count, BLOCK * BLOCK, channels)[everyone, peak][better] / side**2
    cholesky = np.stack((sigma, np.zeros(count), sigma), axis=1)
    return Spots(means, cholesky, colors)


def _box(blocks: Blocks, radius: int) -> Blocks:
    """Return the sums over boxes of side 2 `radius` + 1 px around each pixel, 0 beyond a block."""
    if radius == 0:
        return blocks
    side = 2 * radius + 1
    for axis in (1, 2):
        padding = [(0, 0)] * 4
        padding[axis] = (radius + 1, radius)
        sums = np.cumsum(np.pad(blocks, padding), axis=axis, dtype=np.float64)
        length = sums.shape[axis]
        upper = np.take(sums, np.arange(side, length), axis=axis)
        lower = np.take(sums, np.arange(0, length - side), axis=axis)
        blocks = (upper - lower).astype(np.float32)
    return blocks
