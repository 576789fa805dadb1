"""Blocks that are worse than their mean color even after repairs.

In a picture of a thousand blocks, none or one is left whose error comes from rounding: the
Gaussians of a repair are rounded too. But each of the Gaussians that reach the block has other
integers that are nearly as good, and some of them leave the block a smaller error. So the block's
errors count more and more, until a coordinate descent over these Gaussians finds them. No other
Gaussian changes.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage._util.arguments import thread_count
from gaussianimage.codec.decoder.tile_cache import extents
from gaussianimage.codec.encoder.local_contrast import BLOCK, Numbers, count_blocks
from gaussianimage.codec.encoder.rd_quantization import RdQuantizer
from gaussianimage.codec.format.levels import QuantizedGaussians

# The weight of a block's errors grows by this factor in each round before which it is worse. It
# starts in inverse proportion to the block's pixels, so that few pixels count as a whole block.
HEAVIER = 2.0
ROUNDS = 14
PATIENCE = 7  # rounds in a row that improve nothing, after which no other is tried


class Refined(NamedTuple):
    """The layers of a file, and how much worse than its mean color its worst block is."""

    layers: list[QuantizedGaussians]
    excess: float  # of its root mean square error; 0 if no block is worse


def refine_worse_blocks(
    layers: list[QuantizedGaussians],
    pixels: NDArray[np.float32],
    descent: _native.CoordinateDescent,
    quantizer: RdQuantizer,
    *,
    most: float,
    bounds: tuple[NDArray[np.float64], NDArray[np.float64]],
    q_max: float,
    inside: NDArray[np.bool_] | None = None,
    threads: int | None = None,
) -> Iterator[Refined]:
    """Refine the Gaussians that reach blocks which are worse than their mean color.

    Parameters
    ----------
    layers : list of QuantizedGaussians
        The layers of a file.
    pixels : ndarray, (H, W, C), float32
        The picture.
    descent : _native.CoordinateDescent
        A descent in whose residual the file is drawn. Its weights of the errors do not count in
        the error of a block. They grow in the blocks that are worse.
    quantizer : RdQuantizer
        The quantizer of the file.
    most : float
        By how much a block's root mean square error may exceed that of its mean color.
    bounds : tuple of ndarray, (C,)
        Black and white; a decoder clips what is drawn to them.
    q_max : float
        Cut-off q of the Gaussians.
    inside : ndarray, (K,), optional
        Which of the blocks to check, counted row by row; by default all.
    threads : int, optional
        Threads to use; all CPUs of this process by default.

    Yields
    ------
    Refined
        First the given layers. Then the layers after each round that leaves the worst block better
        than all before, without empty layers.
    """
    height, width = pixels.shape[:2]
    excess = np.zeros(count_blocks(pixels))
    limits = np.array(bounds, np.float32)

    def measure(blocks: Numbers) -> None:
        excess[blocks] = descent.block_excess(pixels, limits, blocks, thread_count(threads))

    checked = np.ones(len(excess), bool) if inside is None else inside
    measure(np.flatnonzero(checked))
    least = max(excess.max(), 0.0)
    yield Refined(layers, math.sqrt(least))
    if not layers or not (excess > most**2).any():
        return
    factors = np.ones(len(excess))
    lightest = 1 / _shares_within(height, width)  # of a block that counts more
    costs = quantizer.costs(layers)
    vain = 0
    for _ in range(ROUNDS):
        worse = np.flatnonzero(excess > most**2)
        before = factors[worse]
        factors[worse] = HEAVIER * np.maximum(before, lightest[worse])
        descent.weigh_blocks(worse, factors[worse] / before)
        levels = QuantizedGaussians.concatenate(layers)
        means, cholesky, _ = quantizer.quantizer.dequantize(*levels)
        reaching = find_reaching(means, cholesky, worse, width, q_max)
        if not reaching.any():
            return
        layers, moved = quantizer.refine_some(layers, descent, reaching, costs)
        reached = find_reached(means[reaching], cholesky[reaching], height, width, q_max)
        means, cholesky, _ = quantizer.quantizer.dequantize(*moved)
        reached |= find_reached(means, cholesky, height, width, q_max)
        measure(np.flatnonzero(reached & checked))
        vain += 1
        if excess.max() < least:
            vain = 0
            least = max(excess.max(), 0.0)
            yield Refined(layers, math.sqrt(least))
        if not layers or vain == PATIENCE or not (excess > most**2).any():
            return


def find_reaching(
    means: NDArray[np.float64],
    cholesky: NDArray[np.float64],
    blocks: Numbers,
    width: int,
    q_max: float,
) -> NDArray[np.bool_]:
    """Tell which Gaussians reach one of some blocks, (N,).

    Parameters
    ----------
    means, cholesky : ndarray, (N, 2) and (N, 3)
        Gaussians, in pixels.
    blocks : ndarray, (K,)
        Their numbers, counted row by row.
    width : int
        Width of the picture in pixels.
    q_max : float
        Cut-off q of the Gaussians.
    """
    across, down = extents(cholesky, q_max) + BLOCK / 2
    reaching = np.zeros(len(means), bool)
    for block in blocks:
        row, column = divmod(int(block), -(-width // BLOCK))
        near = np.abs(means[:, 0] - BLOCK * (column + 0.5)) < across
        near &= np.abs(means[:, 1] - BLOCK * (row + 0.5)) < down
        reaching |= near
    return reaching


def find_reached(
    means: NDArray[np.float64],
    cholesky: NDArray[np.float64],
    height: int,
    width: int,
    q_max: float,
) -> NDArray[np.bool_]:
    """Tell which blocks of a picture some Gaussians may reach, (K,).

    Parameters
    ----------
    means, cholesky : ndarray, (N, 2) and (N, 3)
        The Gaussians, in pixels.
    height, width : int
        Size of the picture in pixels.
    q_max : float
        Cut-off q of the Gaussians.
    """
    reached = np.zeros((-(-height // BLOCK), -(-width // BLOCK)), bool)
    reach = extents(cholesky, q_max).T + 1
    first = np.maximum((means - reach) // BLOCK, 0).astype(int)
    last = np.maximum((means + reach) // BLOCK + 1, 0).astype(int)
    for (left, top), (right, bottom) in zip(first, last, strict=True):
        reached[top:bottom, left:right] = True
    return reached.ravel()


def _shares_within(height: int, width: int) -> NDArray[np.float64]:
    """Return the share of each block that lies within the picture, (K,)."""
    rows, columns = (
        np.minimum(BLOCK, side - np.arange(0, side, BLOCK)) / BLOCK for side in (height, width)
    )
    return np.outer(rows, columns).ravel()
