"""The grain of a picture: the noise that describes the texture which its file lacks."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussianimage.codec.format.container import read_chunks, write_chunks
from gaussianimage.codec.format.grain import (
    BANDS,
    DEVIATIONS,
    FULL_BRIGHTNESS,
    MOST_CELL,
    MOST_CELLS,
    Grain,
    cells,
)

Floats = NDArray[np.float32]
# Pixels (H, W) or (H, W, C), uint8, uint16 or float32.
Pixels = NDArray[Any]

# The grain takes at most this share of a file, with what a chunk has beside its payload.
MOST_SHARE = 0.02
FRAME_BYTES = 10

# Cells are at least 2^5 = 32 px wide.
FINEST_CELL = 5
BLOCK = 8
# The filters of both scales reach 2 + 4 px.
REACH = 6
# Rows of blocks that are measured at a time.
ROWS_OF_BLOCKS = 16

# The energy of a cell's noise is at most what this share of its blocks lack, and at most EVEN times
# what a quarter of them lack. Texture lacks energy evenly; where some blocks lack nothing, the
# errors of the others are edges that are a little off.
SHARE_OF_BLOCKS = 0.65
EVEN = 3.0


def describe_grain(source: Pixels, decoded: Pixels, most_bytes: float) -> Grain | None:
    """Return the grain that restores the energy of a picture's fine texture.

    Parameters
    ----------
    source, decoded : ndarray, (H, W) or (H, W, C), uint8, uint16 or float32
        Pixels; floats are 0 to 1. Color is multiplied by alpha.
    most_bytes : float
        Largest size of the grain in the file. It sets the size of the cells.

    Returns
    -------
    Grain or None
        None if nothing fits the size, or if there is no texture to restore.
    """
    height, width = source.shape[:2]
    if min(height, width) < 2 * BLOCK:
        return None
    lacking, bright = _measure(source, decoded)
    for cell in range(FINEST_CELL, MOST_CELL + 1):
        rows, columns = cells(height, cell), cells(width, cell)
        if rows * columns > MOST_CELLS:
            continue
        side = 2**cell // BLOCK
        levels = _levels(lacking, side)
        if not levels.any():
            return None
        brightness = _brightness(lacking, bright, levels, side)
        factors = np.interp(bright, (0, 128, 256), np.array(brightness) / FULL_BRIGHTNESS)
        levels = _levels(lacking / np.maximum(factors, 0.25)[..., None] ** 2, side)
        grain = Grain(0, cell, brightness, levels)
        if len(grain.to_chunk().payload) + FRAME_BYTES <= most_bytes:
            return grain
    return None


def add_grain(data: bytes, grain: Grain) -> bytes:
    """Return a file with grain.

    Parameters
    ----------
    data : bytes
        A file without grain.
    grain : Grain
    """
    head, *others = read_chunks(data)
    return write_chunks([head, grain.to_chunk(), *others])


def _measure(source: Pixels, decoded: Pixels) -> tuple[Floats, Floats]:
    """Return each block's energy that is lacking in each band, and its decoded luma.

    Returns
    -------
    ndarray, (rows, columns, 5)
        Mean square of the difference in each band; blocks are whole ones of 8 × 8 pixels.
    ndarray, (rows, columns)
        Luma from 0 to 255.
    """
    lacking, bright = [], []
    for difference, drawn in _strips(source, decoded):
        bands = _bands(difference)[:, REACH:-REACH, REACH:-REACH]
        lacking.append(_block_means(bands**2))
        bright.append(255 * _block_means(drawn[None])[..., 0])
    return np.concatenate(lacking), np.concatenate(bright)


def _strips(source: Pixels, decoded: Pixels) -> Iterator[tuple[Floats, Floats]]:
    """Yield strips of the difference of the lumas, with `REACH` px around, and of the luma."""
    height, width = (side // BLOCK * BLOCK for side in source.shape[:2])
    for top in range(0, height, ROWS_OF_BLOCKS * BLOCK):
        bottom = min(top + ROWS_OF_BLOCKS * BLOCK, height)
        rows = np.arange(top - REACH, bottom + REACH)
        # A mirror at the borders.
        rows = np.abs(rows)
        rows = np.minimum(rows, 2 * (source.shape[0] - 1) - rows)
        drawn = _luma(decoded[rows])
        difference = np.pad(
            (_luma(source[rows]) - drawn)[:, :width], ((0, 0), (REACH, REACH)), "reflect"
        )
        yield difference, drawn[REACH:-REACH, :width]


def _luma(pixels: Pixels) -> Floats:
    """Return the luma of pixels as a decoder computes it for grain, but from 0 to 1."""
    white = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    colors = pixels.reshape(*pixels.shape[:2], -1).astype(np.float32) / np.float32(white)
    if colors.shape[-1] <= 2:
        return colors[..., 0]
    luma: Floats = (colors[..., 0] + 2 * colors[..., 1] + colors[..., 2]) / 4
    return luma


def _bands(plane: Floats) -> Floats:
    """Split a plane (H, W) into the bands of grain, (5, H, W); section 4.10 of docs/format.md."""
    x, y = _blur(plane, 1, 1), _blur(plane, 0, 1)
    low = _blur(x, 0, 1)
    x2, y2 = _blur(low, 1, 2), _blur(low, 0, 2)
    low2 = _blur(x2, 0, 2)
    return np.stack((x - low, y - low, plane - x - y + low, x2 - low2, y2 - low2))


def _blur(plane: Floats, axis: int, step: int) -> Floats:
    """Blur by (1, 4, 6, 4, 1) / 16, `step` pixels apart; what is beyond the border is wrapped."""
    near = np.roll(plane, step, axis) + np.roll(plane, -step, axis)
    far = np.roll(plane, 2 * step, axis) + np.roll(plane, -2 * step, axis)
    blurred: Floats = (6 * plane + 4 * near + far) / np.float32(16)
    return blurred


def _block_means(planes: Floats) -> Floats:
    """Return the mean of each block of planes (K, H, W), as (rows, columns, K)."""
    count, height, width = planes.shape
    blocks = planes.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    means: Floats = np.moveaxis(blocks.mean(axis=(2, 4)), 0, -1)
    return means


def _levels(lacking: Floats, side: int) -> NDArray[np.uint8]:
    """Return the level of each cell and band, whose noise has no more energy than is lacking.

    Parameters
    ----------
    lacking : ndarray, (rows, columns, 5)
        Energy of each block.
    side : int
        Side of a cell in blocks.
    """
    rows, columns = (-(-size // side) for size in lacking.shape[:2])
    typical = np.empty((rows, columns, BANDS))
    for row in range(rows):
        for column in range(columns):
            cell = lacking[row * side : (row + 1) * side, column * side : (column + 1) * side]
            quarter, share = np.quantile(cell.reshape(-1, BANDS), (0.25, SHARE_OF_BLOCKS), axis=0)
            typical[row, column] = np.minimum(share, EVEN * quarter)
    found = np.searchsorted(DEVIATIONS, np.sqrt(typical), side="right") - 1
    return found.astype(np.uint8)


def _brightness(
    lacking: Floats, bright: Floats, levels: NDArray[np.uint8], side: int
) -> tuple[int, int, int]:
    """Return the factors by which noise is weaker where the picture is dark, middling or light."""
    in_cells = (DEVIATIONS[levels] ** 2).sum(axis=-1).repeat(side, 0).repeat(side, 1)
    expected = in_cells[: lacking.shape[0], : lacking.shape[1]]
    # A block counts with at most four times the energy of its cell: edges must not decide.
    found = np.minimum(lacking.sum(axis=-1), 4 * expected)
    ratios = []
    for knot in (0, 128, 256):
        weight = np.maximum(1 - np.abs(bright - knot) / 128, 0)
        total = float((weight * expected).sum())
        ratios.append(np.sqrt((weight * found).sum() / total) if total > 0 else 0.0)
    most = max(ratios)
    if most == 0:
        return FULL_BRIGHTNESS, FULL_BRIGHTNESS, FULL_BRIGHTNESS
    dark, middle, light = (round(FULL_BRIGHTNESS * ratio / most) for ratio in ratios)
    return dark, middle, light
