"""Repair of blocks that have lost small things, which a mean error hardly counts.

The encoder minimizes squared error and bits. A dot, a faint word or a bird in the sky adds little
to the squared error, and a person looks at it all the same. So the encoder checks each block of
16 × 16 pixels by itself: its error must not exceed that of its mean color, and small things that
the source shows on a plain ground must be visible. Blocks that fail get more Gaussians.
"""

from collections.abc import Iterator

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
from gaussianimage.codec.encoder.prune_and_regrow import RATES
from gaussianimage.codec.encoder.rd_quantization import RdQuantizer
from gaussianimage.codec.encoder.rounding import shown, strongest_first
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.fitting.placement import GaussianArrays
from gaussianimage.fitting.row_blocks import BLOCK_PIXELS

# A block's error may exceed that of its mean color by this much, as a root mean square in steps Δ.
TOLERANCE = 0.02

# A small thing is lost if more than this share of its contrast is missing at any pixel.
MISSING = 0.7

# A new Gaussian is placed by the box with the most error in it. The boxes have the shapes of dots,
# strokes and areas; (a, b) is (2 a + 1) pixels high and (2 b + 1) wide.
BOXES = ((0, 0), (1, 1), (0, 3), (3, 0), (1, 5), (5, 1), (3, 3), (7, 7))
SIDE_TO_SIGMA = 0.35
PER_BLOCK = 3  # new Gaussians of a block in a round

ITERATIONS = 12

# Weight of a bit in each round, relative to its usual weight. It falls, because the blocks that
# still fail need more bits.
WEIGHTS = (0.4, 0.2, 0.1, 0.03, 0.01, 0.003)


def repair(
    optimizer: _native.Optimizer,
    quantizer: RdQuantizer,
    pixels: NDArray[np.float32],
    step: float,
    *,
    least: float,
    model_set: int,
    costs: _native.SymbolCosts,
    weights: NDArray[np.float32] | None = None,
    inside: NDArray[np.bool_] | None = None,
) -> Iterator[QuantizedGaussians]:
    """Add quantized Gaussians to blocks that have lost detail.

    Parameters
    ----------
    optimizer : _native.Optimizer
        An optimizer without Gaussians; the target is the picture less all Gaussians of the file.
    quantizer : RdQuantizer
        The quantizer of the file.
    pixels : ndarray, (H, W, C), float32
        The picture.
    step : float
        The color step Δ.
    least : float
        Root mean square error below which no block is repaired, whatever the step.
    model_set : int
        Number of the format's set of models that codes the new Gaussians.
    costs : _native.SymbolCosts
        Bits of each symbol in the file.
    weights : ndarray, (H, W), float32, optional
        Weights of the optimizer's error, which do not count here.
    inside : ndarray, (K,), optional
        Which of the blocks to check, counted row by row; by default all.

    Yields
    ------
    QuantizedGaussians
        The Gaussians that a round adds, the strongest first.
    """
    rates = np.tile(np.array(RATES, np.float32), (ITERATIONS, 1))
    suspects = np.arange(count_blocks(pixels)) if inside is None else np.flatnonzero(inside)
    for weight in WEIGHTS:
        residual = optimizer.residual()
        if weights is not None:
            residual /= weights[..., None]
        suspects, spots = find_lost_blocks(pixels, residual, step, suspects, least)
        if len(suspects) == 0:
            return
        optimizer.add(*spots)
        optimizer.adam(rates, 0.0)
        levels = quantizer.nearest(optimizer.means, optimizer.cholesky, optimizer.colors)
        optimizer.keep(np.zeros(len(optimizer), np.uint8))
        # The coordinate descent starts from a residual in which its Gaussians are drawn.
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


def find_lost_blocks(
    pixels: NDArray[np.float32],
    residual: NDArray[np.float32],
    step: float,
    suspects: NDArray[np.intp],
    least: float = 0.0,
) -> tuple[NDArray[np.intp], GaussianArrays]:
    """Find the blocks that have lost detail, and Gaussians that restore it.

    Parameters
    ----------
    pixels, residual : ndarray, (H, W, C), float32
        The picture, and the drawn picture less it.
    step : float
        The color step Δ.
    suspects : ndarray, (K,)
        Numbers of the blocks to check, ascending; blocks are counted row by row.
    least : float
        See `repair`.

    Returns
    -------
    blocks : ndarray, (M,)
        Numbers of the blocks that have lost detail, ascending.
    spots : GaussianArrays
        At most `PER_BLOCK` Gaussians for each of these blocks.
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
    return np.concatenate(blocks), GaussianArrays(
        *(np.concatenate(p) for p in zip(*found, strict=True))
    )


def _failing(source: Blocks, error: Blocks, step: float, least: float) -> NDArray[np.bool_]:
    """Return for each block whether it has lost detail, (K,)."""
    tolerance = max(TOLERANCE * step, least)
    failing: NDArray[np.bool_] = excess_errors(source, error) > tolerance**2
    suspects = np.flatnonzero(~failing)
    if len(suspects):
        failing[suspects] = _things_missing(source[suspects], error[suspects], step)
    return failing


def _things_missing(source: Blocks, error: Blocks, step: float) -> NDArray[np.bool_]:
    """Return for each block whether it has lost a small thing on a plain ground, (K,)."""
    things = find_things(source)
    missing = blurred_size(error).max(axis=1)
    result: NDArray[np.bool_] = (
        (things.largest > THING * step)
        & (things.usual < GROUND * things.largest)
        & (missing > MISSING * things.largest)
    )
    return result


def _spots(error: Blocks, left: NDArray[np.intp], top: NDArray[np.intp]) -> GaussianArrays:
    """Return the Gaussians that reduce the error of each block most, by greedy choice of boxes."""
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
        # The next Gaussian is for the error that this one leaves.
        within = np.arange(BLOCK)
        inside = np.abs(within - middle[:, :, None]) <= half[:, :, None]  # (K, 2, BLOCK)
        box = inside[:, 0, :, None] & inside[:, 1, None, :]
        error += np.where(box[..., None], colors[:, None, None], np.float32(0))
        sigma = np.maximum(SIDE_TO_SIGMA * (2 * half + 1), 0.5)
        means = np.stack((left + middle[:, 1], top + middle[:, 0]), axis=1) + 0.5
        cholesky = np.stack((sigma[:, 1], np.zeros(count), sigma[:, 0]), axis=1)
        found.append(GaussianArrays(means, cholesky, colors))
    return GaussianArrays(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
