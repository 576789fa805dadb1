"""The chunk that describes the grain of a picture: noise in place of texture too fine to code.

Section 4.10 of docs/format.md specifies it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.codec.format.container import Chunk
from gaussianimage.errors import FormatError

TYPE = b"gRAN"

BANDS = 5
LEVELS = 16
# The standard deviation of a band's noise at level 1 and more in a block of `USUAL_ACTIVITY`, in
# units of white: half an octave from level to level.
DEVIATIONS = np.array([0, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362]) * 32 / 65535
LEAST_CELL, MOST_CELL = 3, 8
MOST_CELLS = 2**18
FULL_BRIGHTNESS = 64

# Noise has one strength in each block of 8 × 8 drawn pixels. It is proportional to the square root
# of the block's activity: the sum of the differences of the luma between neighbors, each
# `MOST_DIFFERENCE` at most, in the calmest quarter, plus `LEAST_ACTIVITY`.
GRAIN_BLOCK = 8
USUAL_ACTIVITY, LEAST_ACTIVITY, MOST_DIFFERENCE = 64, 16, 24

_FIXED_BYTES = 5


@dataclass(frozen=True, eq=False)
class Grain:
    """The strength of the noise that a decoder adds, by place, band and brightness.

    Attributes
    ----------
    seed : int
        0 to 255: which noise it is.
    cell : int
        Binary logarithm of the side of a cell in pixels, 3 to 8.
    brightness : (int, int, int)
        Factors of the strength at luma 0, 128 and 256 (of 255), in units of 1/64.
    levels : ndarray, (rows, columns, 5), uint8
        Level of each cell and band, 0 to 15. The bands are horizontal, vertical and diagonal
        streaks of about a pixel, then horizontal and vertical ones of about two pixels.
    """

    seed: int
    cell: int
    brightness: tuple[int, int, int]
    levels: NDArray[np.uint8]

    def to_chunk(self) -> Chunk:
        """Return the chunk."""
        numbers = bytes([self.seed, self.cell, *self.brightness])
        return Chunk(TYPE, numbers + _native.encode_grain_levels(self.levels))

    @classmethod
    def from_chunks(cls, chunks: Iterable[Chunk], height: int, width: int) -> "Grain | None":
        """Return the grain among a file's chunks, or None.

        Parameters
        ----------
        chunks : iterable of Chunk
        height, width : int
            Nominal size in pixels.

        Raises
        ------
        FormatError
            The chunk is invalid or occurs twice.
        """
        found = [chunk for chunk in chunks if chunk.type == TYPE]
        if not found:
            return None
        if len(found) > 1:
            raise FormatError(f"chunk {found[1].name} occurs twice", found[1].offset)
        (chunk,) = found
        payload = bytes(chunk.payload)
        if len(payload) < _FIXED_BYTES or not LEAST_CELL <= payload[1] <= MOST_CELL:
            raise FormatError("the grain does not decode", chunk.payload_offset)
        cell = payload[1]
        rows, columns = cells(height, cell), cells(width, cell)
        levels = None
        if rows * columns <= MOST_CELLS:
            levels = _native.decode_grain_levels(payload[_FIXED_BYTES:], rows, columns)
        if levels is None:
            raise FormatError("the grain does not decode", chunk.payload_offset)
        return cls(payload[0], cell, (payload[2], payload[3], payload[4]), levels)


def cells(side: int, cell: int) -> int:
    """Return the number of cells along a side of `side` pixels."""
    return -(-side >> cell)


def around_blocks(
    box: tuple[int, int, int, int], size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Return the smallest box of whole blocks around a box.

    Parameters
    ----------
    box : (int, int, int, int)
        Top, left, height and width in pixels.
    size : (int, int)
        Height and width of the drawn picture, at whose border blocks end.
    """
    begins = [start // GRAIN_BLOCK * GRAIN_BLOCK for start in box[:2]]
    ends = [
        min(-(-(start + length) // GRAIN_BLOCK) * GRAIN_BLOCK, side)
        for start, length, side in zip(box[:2], box[2:], size, strict=True)
    ]
    return begins[0], begins[1], ends[0] - begins[0], ends[1] - begins[1]
