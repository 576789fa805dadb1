"""Small things that a file has lost are put back: a mean error says nothing about them.

A file is made to have little squared error for its bits. A dot, a faint word or a bird in the sky
has hardly any of it, and still is what a person looks at. So each block of 16 × 16 pixels is held
to its own contrast: its error must not be more than that of its mean color, and where it shows
small things on a plain ground, they must be there.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.codec.encoder.local_contrast import (
    BLOCK,
    GROUND,
    THING,
    Blocks,
    blurred_size,
    box_sums,
    count_blocks,
    cut_blocks,
    excess_errors,
    find_things,
)
from gaussianimage.codec.encoder.rd_quantization import RdQuantizer
from gaussianimage.codec.encoder.rounding import shown, strongest_first
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.fitting.row_blocks import BLOCK_PIXELS

# A block may have this much more error, root mean square in color steps, than its mean color has.
TOLERANCE = 0.02

# A thing is lost where this part of it is missing anywhere.
MISSING = 0.7

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
    quantizer: RdQuantizer,
    pixels: NDArray[np.float32],
    step: float,
    *,
    least: float,
    model_set: int,
    costs: _native.SymbolCosts,
) -> Iterator[QuantizedGaussians]:
    """Add rounded Gaussians where blocks have lost what they show.

    Parameters
    ----------
    optimizer : _native.Optimizer
        Without Gaussians; those of the file have been drawn into its target.
    quantizer : RdQuantizer
        Of the file.
    pixels : ndarray, (H, W, C), float32
        The picture.
    step : float
        The color step Δ.
    least : float
        Root mean square errors below this are not worth a repair, whatever the step.
    model_set : int
        Which of the format's sets of models codes them.
    costs : _native.SymbolCosts
        What symbols cost in the file.

    Yields
    ------
    QuantizedGaussians
        What a round adds, the strongest first.
    """
    rates = np.tile(np.array(RATES, np.float32), (ITERATIONS, 1))
    suspects = np.arange(count_blocks(pixels))
    for weight in WEIGHTS:
        suspects, spots = lost(pixels, optimizer.residual(), step, suspects, least)
        if len(suspects) == 0:
            return
        optimizer.add(*spots)
        optimizer.adam(rates, 0.0)
        levels = quantizer.nearest(optimizer.means, optimizer.cholesky, optimizer.colors)
        optimizer.keep(np.zeros(len(optimizer), np.uint8))
        # The refiner wants them drawn.
        optimizer.add(*quantizer.quantizer.dequantize(*levels))
        descent = quantizer.coordinate_descent(optimizer.residual())
        sets = np.full(len(levels.precision), model_set, np.uint8)
        levels = quantizer.run_pass(descent, levels, sets, costs, weight)
        levels = levels.select(shown(levels))
        optimizer.keep(np.zeros(len(optimizer), np.uint8))
        if len(levels.precision) == 0:
            continue
        optimizer.add(*quantizer.quantizer.dequantize(*levels))
        optimizer.bake(np.ones(len(optimizer), np.uint8))
        yield levels.select(strongest_first(levels.color))


def lost(
    pixels: NDArray[np.float32],
    residual: NDArray[np.float32],
    step: float,
    suspects: NDArray[np.intp],
    least: float = 0.0,
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
    least : float
        As for `repair`.

    Returns
    -------
    blocks : ndarray, (M,)
        The numbers of those that have.
    spots : Spots
    """
    across = -(-pixels.shape[1] // BLOCK)
    found, blocks = [], []
    for begin in range(0, max(len(suspects), 1), BLOCK_PIXELS // BLOCK**2):
        some = suspects[begin : begin + BLOCK_PIXELS // BLOCK**2]
        y, x = (BLOCK * number for number in np.divmod(some, across))
        source, error = cut_blocks(pixels, y, x), cut_blocks(residual, y, x)
        failing = _failing(source, error, step, least)
        blocks.append(some[failing])
        spots = _spots(error[failing], x[failing], y[failing])
        size = pixels.shape[1], pixels.shape[0]
        found.append(spots._replace(means=np.clip(spots.means, 0.5, np.array(size) - 0.5)))
    return np.concatenate(blocks), Spots(*(np.concatenate(p) for p in zip(*found, strict=True)))


def _failing(source: Blocks, error: Blocks, step: float, least: float) -> NDArray[np.bool_]:
    """Return which blocks have lost what they show."""
    tolerance = max(TOLERANCE * step, least)
    failing: NDArray[np.bool_] = excess_errors(source, error) > tolerance**2
    suspects = np.flatnonzero(~failing)
    if len(suspects):
        failing[suspects] = _things_missing(source[suspects], error[suspects], step)
    return failing


def _things_missing(source: Blocks, error: Blocks, step: float) -> NDArray[np.bool_]:
    """Return which blocks show small things on a plain ground that are not all there."""
    things = find_things(source)
    missing = blurred_size(error).max(axis=1)
    result: NDArray[np.bool_] = (
        (things.largest > THING * step)
        & (things.usual < GROUND * things.largest)
        & (missing > MISSING * things.largest)
    )
    return result


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
            sums = box_sums(error, down, across).reshape(count, BLOCK * BLOCK, channels)
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
