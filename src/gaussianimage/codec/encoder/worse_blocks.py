"""Blocks that are worse than their mean color even after repairs.

In a picture of a thousand blocks, none or one is left whose error comes from rounding: the
Gaussians of a repair are rounded too. But each of the Gaussians that reach the block has other
integers that are nearly as good, and some of them leave the block a smaller error. So the block's
errors count more and more, until a coordinate descent over these Gaussians finds them. No other
Gaussian changes.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gaussianimage.codec.decoder.tile_cache import extents
from gaussianimage.codec.encoder.local_contrast import BLOCK, count_blocks, excess_errors
from gaussianimage.codec.encoder.rd_quantization import RdQuantizer
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.fitting.density import Map

# The weight of a block's errors grows by this factor in each round before which it is worse. It
# starts in inverse proportion to the block's pixels, so that few pixels count as a whole block.
HEAVIER = 2.0
ROUNDS = 14


def refine_worse_blocks(
    layers: Sequence[QuantizedGaussians],
    pixels: NDArray[np.float32],
    residual: NDArray[np.float32],
    quantizer_for: Callable[[Map], RdQuantizer],
    *,
    most: float,
    bounds: tuple[NDArray[np.float64], NDArray[np.float64]],
    q_max: float,
    weights: Map | None = None,
    inside: NDArray[np.bool_] | None = None,
    threads: int | None = None,
) -> Iterator[list[QuantizedGaussians]]:
    """Refine the Gaussians that reach blocks which are worse than their mean color.

    Parameters
    ----------
    layers : sequence of QuantizedGaussians
        The layers of a file.
    pixels, residual : ndarray, (H, W, C), float32
        The picture, and the drawn file less it, which is overwritten.
    quantizer_for : callable
        Function that returns the quantizer of the file for weights of the error at each pixel.
    most : float
        By how much a block's root mean square error may exceed that of its mean color.
    bounds : tuple of ndarray, (C,)
        Black and white; a decoder clips what is drawn to them.
    q_max : float
        Cut-off q of the Gaussians.
    weights : ndarray, (H, W), float32, optional
        Weights of the error, which do not count in the error of a block; by default 1.
    inside : ndarray, (K,), optional
        Which of the blocks to check, counted row by row; by default all.
    threads : int, optional
        Threads to use; all CPUs of this process by default.

    Yields
    ------
    list of QuantizedGaussians
        The layers after a round that leaves the worst block better than all before, without empty
        layers. There is none if no block is worse.
    """
    height, width = pixels.shape[:2]
    blocks = np.arange(count_blocks(pixels))
    factors = np.ones(len(blocks), np.float32)
    lightest = 1 / _shares_within(height, width)  # of a block that counts more
    layers = list(layers)
    least = np.inf
    for number in range(ROUNDS + 1):
        excess = excess_errors(pixels, residual, blocks, bounds=bounds, threads=threads)
        if inside is not None:
            excess[~inside] = 0
        worse = excess > most**2
        if number > 0 and excess.max() < least:
            yield layers
        least = min(least, float(excess.max()))
        if number == ROUNDS or not layers or not worse.any():
            return
        factors[worse] = HEAVIER * np.maximum(factors, lightest)[worse]
        weighed = _on_pixels(factors, height, width)
        if weights is not None:
            weighed *= weights
        quantizer = quantizer_for(weighed)  # keeps their roots
        levels = QuantizedGaussians.concatenate(layers)
        means, cholesky, _ = quantizer.quantizer.dequantize(*levels)
        reaching = find_reaching(means, cholesky, worse, width, q_max)
        if not reaching.any():
            return
        residual *= weighed[..., None]
        del weighed  # this and the descent's residual are large
        descent = quantizer.coordinate_descent(residual)
        layers = quantizer.refine_some(layers, descent, reaching)
        quantizer.copy_residual(descent, residual)
        del descent, quantizer


def find_reaching(
    means: NDArray[np.float64],
    cholesky: NDArray[np.float64],
    blocks: NDArray[np.bool_],
    width: int,
    q_max: float,
) -> NDArray[np.bool_]:
    """Tell which Gaussians reach one of some blocks, (N,).

    Parameters
    ----------
    means, cholesky : ndarray, (N, 2) and (N, 3)
        Gaussians, in pixels.
    blocks : ndarray, (K,)
        Which of the blocks these are, counted row by row.
    width : int
        Width of the picture in pixels.
    q_max : float
        Cut-off q of the Gaussians.
    """
    across, down = extents(cholesky, q_max) + BLOCK / 2
    reaching = np.zeros(len(means), bool)
    for block in np.flatnonzero(blocks):
        row, column = divmod(int(block), -(-width // BLOCK))
        near = np.abs(means[:, 0] - BLOCK * (column + 0.5)) < across
        near &= np.abs(means[:, 1] - BLOCK * (row + 0.5)) < down
        reaching |= near
    return reaching


def _shares_within(height: int, width: int) -> NDArray[np.float32]:
    """Return the share of each block that lies within the picture, (K,)."""
    rows, columns = (
        np.minimum(BLOCK, side - np.arange(0, side, BLOCK)) / BLOCK for side in (height, width)
    )
    return np.outer(rows, columns).ravel().astype(np.float32)


def _on_pixels(factors: NDArray[np.float32], height: int, width: int) -> Map:
    """Return a map of the factors (K,) of blocks."""
    blocks = factors.reshape(-(-height // BLOCK), -(-width // BLOCK))
    rows = np.repeat(blocks, BLOCK, axis=0)[:height]
    return np.repeat(rows, BLOCK, axis=1)[:, :width]
