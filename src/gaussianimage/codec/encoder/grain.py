"""The grain of a picture: the noise that describes the texture which its file lacks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussianimage.codec.format.container import read_chunks, write_chunks
from gaussianimage.codec.format.grain import (
    BANDS,
    DEVIATIONS,
    FULL_BRIGHTNESS,
    GRAIN_BLOCK,
    LEAST_ACTIVITY,
    MOST_CELL,
    MOST_CELLS,
    MOST_DIFFERENCE,
    USUAL_ACTIVITY,
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
# The bands of about a pixel are the first ones; they make up the highest octave.
FINEST_BANDS = 3
# The filters of both scales reach 2 + 4 px.
REACH = 6
# Rows of blocks that are measured at a time.
ROWS_OF_BLOCKS = 16

# The energy of a cell's noise is at most what this share of its blocks lack, and at most so many
# times what a quarter of them lack. Texture lacks energy evenly; where some blocks lack nothing,
# the errors of the others are edges that are a little off. The first bounds by which the textured
# half of the picture gets ENOUGH of its energy are taken.
BOUNDS = ((0.7, 3.5), (0.75, 5.0), (0.8, 7.0))
ENOUGH = 0.75


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
    if min(height, width) < 2 * GRAIN_BLOCK:
        return None
    blocks = _measure(source, decoded)
    for cell in range(FINEST_CELL, MOST_CELL + 1):
        rows, columns = cells(height, cell), cells(width, cell)
        if rows * columns > MOST_CELLS:
            continue
        side = 2**cell // GRAIN_BLOCK
        for share, even in BOUNDS:
            levels, brightness = _strengths(blocks, side, share, even)
            if _restored(blocks, levels, brightness, side) >= ENOUGH:
                break
        if not levels.any():
            return None
        # Cells at the border that have no whole block get what their neighbors have.
        missing = rows - levels.shape[0], columns - levels.shape[1]
        levels = np.pad(levels, ((0, missing[0]), (0, missing[1]), (0, 0)), "edge")
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


@dataclass(frozen=True)
class _Blocks:
    """What a picture's whole blocks of 8 × 8 pixels lack, and what is known of them.

    Attributes
    ----------
    lacking : ndarray, (rows, columns, 5)
        Mean square of the difference in each band, relative to `scale`.
    scale : ndarray, (rows, columns)
        The factor by which a block's activity changes the energy of noise.
    luma : ndarray, (rows, columns)
        The decoded luma, 0 to 255.
    wanted, found : ndarray, (rows, columns)
        Energy of the highest octave of the source and of the decoded picture.
    """

    lacking: Floats
    scale: Floats
    luma: Floats
    wanted: Floats
    found: Floats


def _measure(source: Pixels, decoded: Pixels) -> _Blocks:
    strips = [_measure_strip(*lumas) for lumas in _strips(source, decoded)]
    return _Blocks(*(np.concatenate(parts) for parts in zip(*strips, strict=True)))


def _measure_strip(wanted: Floats, drawn: Floats) -> tuple[Floats, ...]:
    """Measure the blocks of a strip of lumas, which has `REACH` px more on each side."""
    inner = np.s_[REACH:-REACH, REACH:-REACH]
    scale = _activity(drawn[inner]) / np.float32(USUAL_ACTIVITY)
    lacking = _block_means(_bands(wanted - drawn)[:, *inner] ** 2)
    fine = np.stack([plane - _blur(_blur(plane, 0, 1), 1, 1) for plane in (wanted, drawn)])
    energy = _block_means(fine[:, *inner] ** 2)
    luma = 255 * _block_means(drawn[None, *inner])[..., 0]
    return lacking / scale[..., None], scale, luma, energy[..., 0], energy[..., 1]


def _strips(source: Pixels, decoded: Pixels) -> Iterator[tuple[Floats, Floats]]:
    """Yield strips of both lumas, whole blocks with `REACH` px around."""
    height, width = (side // GRAIN_BLOCK * GRAIN_BLOCK for side in source.shape[:2])
    for top in range(0, height, ROWS_OF_BLOCKS * GRAIN_BLOCK):
        bottom = min(top + ROWS_OF_BLOCKS * GRAIN_BLOCK, height)
        rows = np.arange(top - REACH, bottom + REACH)
        # A mirror at the borders.
        rows = np.abs(rows)
        rows = np.minimum(rows, 2 * (source.shape[0] - 1) - rows)
        wanted, drawn = (
            np.pad(_luma(pixels[rows])[:, :width], ((0, 0), (REACH, REACH)), "reflect")
            for pixels in (source, decoded)
        )
        yield wanted, drawn


def _luma(pixels: Pixels) -> Floats:
    """Return the luma of pixels as a decoder computes it for grain, but from 0 to 1."""
    white = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    colors = pixels.reshape(*pixels.shape[:2], -1).astype(np.float32) / np.float32(white)
    if colors.shape[-1] <= 2:
        return colors[..., 0]
    luma: Floats = (colors[..., 0] + 2 * colors[..., 1] + colors[..., 2]) / 4
    return luma


def _activity(luma: Floats) -> Floats:
    """Return the activity of each block of a luma (H, W), as a decoder computes it."""
    quarter = GRAIN_BLOCK // 2
    height, width = (side // quarter for side in luma.shape)
    # Values of 8 bits are integers but for rounding.
    values = np.floor(luma * 255 + np.float32(1e-3)).reshape(height, quarter, width, quarter)
    pairs = (np.abs(np.diff(values, axis=axis)) for axis in (1, 3))
    sums = sum(np.minimum(found, MOST_DIFFERENCE).sum(axis=(1, 3)) for found in pairs)
    activity: Floats = sums.reshape(height // 2, 2, width // 2, 2).min(axis=(1, 3))
    return activity + np.float32(LEAST_ACTIVITY)


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
    blocks = planes.reshape(
        count, height // GRAIN_BLOCK, GRAIN_BLOCK, width // GRAIN_BLOCK, GRAIN_BLOCK
    )
    means: Floats = np.moveaxis(blocks.mean(axis=(2, 4)), 0, -1)
    return means


def _strengths(
    blocks: _Blocks, side: int, share: float, even: float
) -> tuple[NDArray[np.uint8], tuple[int, int, int]]:
    """Return the levels of each cell, (rows, columns, 5), and the strengths by brightness.

    Parameters
    ----------
    blocks : _Blocks
    side : int
        Side of a cell in blocks.
    share, even : float
        A pair of `BOUNDS`.
    """
    levels = _levels(blocks.lacking, side, share, even)
    brightness = _brightness(blocks, levels, side)
    factors = np.maximum(_factors(blocks.luma, brightness), 0.25)
    return _levels(blocks.lacking / factors[..., None] ** 2, side, share, even), brightness


def _levels(lacking: Floats, side: int, share: float, even: float) -> NDArray[np.uint8]:
    """Return the level of each cell and band, whose noise has no more energy than is lacking."""
    rows, columns = (-(-size // side) for size in lacking.shape[:2])
    typical = np.empty((rows, columns, BANDS))
    for row in range(rows):
        for column in range(columns):
            cell = lacking[row * side : (row + 1) * side, column * side : (column + 1) * side]
            quarter, most = np.quantile(cell.reshape(-1, BANDS), (0.25, share), axis=0)
            typical[row, column] = np.minimum(most, even * quarter)
    found = np.searchsorted(DEVIATIONS, np.sqrt(typical), side="right") - 1
    return found.astype(np.uint8)


def _brightness(blocks: _Blocks, levels: NDArray[np.uint8], side: int) -> tuple[int, int, int]:
    """Return the factors by which noise is weaker where the picture is dark, middling or light."""
    expected = _energy(levels, side, blocks.luma.shape).sum(axis=-1)
    # A block counts with at most four times the energy of its cell: edges must not decide.
    found = np.minimum(blocks.lacking.sum(axis=-1), 4 * expected)
    ratios = []
    for knot in (0, 128, 256):
        weight = np.maximum(1 - np.abs(blocks.luma - knot) / 128, 0)
        total = float((weight * expected).sum())
        ratios.append(np.sqrt((weight * found).sum() / total) if total > 0 else 0.0)
    most = max(ratios)
    if most == 0:
        return FULL_BRIGHTNESS, FULL_BRIGHTNESS, FULL_BRIGHTNESS
    dark, middle, light = (round(FULL_BRIGHTNESS * ratio / most) for ratio in ratios)
    return dark, middle, light


def _restored(
    blocks: _Blocks, levels: NDArray[np.uint8], brightness: tuple[int, int, int], side: int
) -> float:
    """Return the share of the energy of the highest octave that noise fills up to.

    It is that of the half of the blocks which has most of it.
    """
    textured = blocks.wanted >= np.median(blocks.wanted)
    noise = _energy(levels, side, blocks.luma.shape)[..., :FINEST_BANDS].sum(axis=-1)
    noise *= _factors(blocks.luma, brightness) ** 2 * blocks.scale
    wanted = blocks.wanted[textured].sum()
    return float((blocks.found + noise)[textured].sum() / wanted) if wanted > 0 else 1.0


def _energy(levels: NDArray[np.uint8], side: int, shape: tuple[int, ...]) -> Floats:
    """Return the energy of each band's noise in each block, at the usual activity."""
    energy = (DEVIATIONS[levels] ** 2).repeat(side, 0).repeat(side, 1)
    return energy[: shape[0], : shape[1]].astype(np.float32)


def _factors(luma: Floats, brightness: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return the factor of the noise's strength by the luma."""
    return np.interp(luma, (0, 128, 256), np.array(brightness) / FULL_BRIGHTNESS)
