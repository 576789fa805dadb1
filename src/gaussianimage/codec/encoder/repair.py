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
from gaussianimage._util.arguments import thread_count
from gaussianimage.codec.encoder.local_contrast import (
    BLOCK,
    EXCESS,
    GROUND,
    THING,
    Numbers,
    count_blocks,
    excess_errors,
    find_things,
)
from gaussianimage.codec.encoder.rd_quantization import RdQuantizer
from gaussianimage.codec.encoder.rounding import shown, strongest_first
from gaussianimage.codec.encoder.staged_quantization import start_rates
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.fitting.placement import GaussianArrays

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
    threads: int | None = None,
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
        The color step Δ, of a gray picture that of the same picture in RGB.
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
    threads : int, optional
        Threads to use; all CPUs of this process by default.

    Yields
    ------
    QuantizedGaussians
        The Gaussians that a round adds, the strongest first.
    """
    rates = np.tile(start_rates(quantizer.parameters.color_step), (ITERATIONS, 1))
    suspects = np.arange(count_blocks(pixels)) if inside is None else np.flatnonzero(inside)
    for weight in WEIGHTS:
        suspects, spots = find_lost_blocks(
            pixels,
            optimizer.residual(),
            step,
            suspects,
            least,
            weights=weights,
            threads=threads,
        )
        if len(suspects) == 0:
            return
        optimizer.add(*spots)
        optimizer.adam(rates, 0.0)
        levels = quantizer.nearest(optimizer.means, optimizer.cholesky, optimizer.colors)
        optimizer.keep(np.zeros(len(optimizer), np.uint8))
        # The coordinate descent starts from a residual in which its Gaussians are drawn.
        optimizer.add(*quantizer.quantizer.dequantize(*levels))
        descent = quantizer.coordinate_descent(optimizer)
        sets = np.full(len(levels.precision), model_set, np.uint8)
        levels = quantizer.run_pass(descent, levels, sets, costs, weight)
        del descent  # its residual is as large as the picture
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
    suspects: Numbers,
    least: float = 0.0,
    *,
    weights: NDArray[np.float32] | None = None,
    threads: int | None = None,
) -> tuple[Numbers, GaussianArrays]:
    """Find the blocks that have lost detail, and Gaussians that restore it.

    Parameters
    ----------
    pixels, residual : ndarray, (H, W, C), float32
        The picture, and the drawn picture less it, times `weights`.
    step : float
        The color step Δ.
    suspects : ndarray, (K,)
        Numbers of the blocks to check, ascending; blocks are counted row by row.
    least : float
        See `repair`.
    weights : ndarray, (H, W), float32, optional
        By default all are 1.
    threads : int, optional
        Threads to use; all CPUs of this process by default.

    Returns
    -------
    blocks : ndarray, (M,)
        Numbers of the blocks that have lost detail, ascending.
    spots : GaussianArrays
        At most `PER_BLOCK` Gaussians for each of these blocks.
    """
    tolerance = max(EXCESS * step, least)
    excess = excess_errors(pixels, residual, suspects, weights=weights, threads=threads)
    failing = excess > tolerance**2
    others = np.flatnonzero(~failing)
    failing[others] = _things_missing(pixels, residual, step, suspects[others], weights, threads)
    blocks = suspects[failing]
    return blocks, _spots(residual, blocks, weights, threads)


def _things_missing(
    pixels: NDArray[np.float32],
    residual: NDArray[np.float32],
    step: float,
    blocks: Numbers,
    weights: NDArray[np.float32] | None,
    threads: int | None,
) -> NDArray[np.bool_]:
    """Return for each block whether it has lost a small thing on a plain ground, (K,)."""
    missing = _native.block_peaks(residual, weights, blocks, thread_count(threads))
    # What is missing shows in few blocks; only these can have lost a thing that counts.
    result: NDArray[np.bool_] = missing > 0.999 * MISSING * THING * step
    some = np.flatnonzero(result)
    things = find_things(pixels, blocks[some], threads=threads)
    result[some] = (
        (things.largest > THING * step)
        & (things.usual < GROUND * things.largest)
        & (missing[some] > MISSING * things.largest)
    )
    return result


def _spots(
    residual: NDArray[np.float32],
    blocks: Numbers,
    weights: NDArray[np.float32] | None,
    threads: int | None,
) -> GaussianArrays:
    """Return the Gaussians that reduce the error of each block most, by greedy choice of boxes."""
    height, width = residual.shape[:2]
    places, halves, colors = _native.block_spots(
        residual, weights, blocks, np.array(BOXES, np.int32), PER_BLOCK, thread_count(threads)
    )
    corners = BLOCK * np.stack(np.divmod(blocks, -(-width // BLOCK)), axis=1)
    means = (np.tile(corners, (PER_BLOCK, 1)) + places)[:, ::-1] + 0.5
    sigma = np.maximum(SIDE_TO_SIGMA * (2 * halves + 1), 0.5)
    return GaussianArrays(
        np.clip(means, 0.5, np.array((width, height)) - 0.5),
        np.stack((sigma[:, 1], np.zeros(len(sigma)), sigma[:, 0]), axis=1),
        colors,
    )
