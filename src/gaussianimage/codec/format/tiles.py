"""The index of a tiled file: levels of a picture, each divided into tiles of Gaussians.

docs/format.md specifies the chunks ``TIDX`` and ``TILE`` in section 8.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussianimage.codec.format.container import TILE_CHUNK, TILE_INDEX, Chunk
from gaussianimage.codec.format.header import MAX_GAUSSIANS, MAX_SIDE
from gaussianimage.codec.format.varint import read_varint, write_varint
from gaussianimage.errors import FormatError

MAX_LEVELS = 16
MAX_SHIFT = 4
TILE_SIDES = 32, 32768
"""The least and the largest side of a tile, in pixels of its level."""
MAX_TILES = 2**22
MAX_GAUSSIANS_OF_ALL = MAX_TILES * MAX_GAUSSIANS
MAX_REACH = 2**16 - 1
"""The farthest that a Gaussian may reach beyond its tile, in pixels of its level."""

REACH_SLACK = 1e-3
"""By how much a reader lets a Gaussian exceed its tile's reach, in pixels."""

# A level is drawn enlarged by up to this factor before the next finer one is drawn too: sizes are
# rounded, and half a pixel in 1000 is no reason to read sixteen times as many Gaussians.
ENLARGED = 17 / 16

_ENTRY = np.dtype([("length", "<u4"), ("reach", "<u2")])
_FIXED = 22  # bytes before the entries


class TilePlace(NamedTuple):
    """Where a tile is: its level, 0 for the coarsest, and its row and column in the level."""

    level: int
    row: int
    column: int

    def __str__(self) -> str:
        return f"tile {self.level}/{self.row}/{self.column}"


class Frame(NamedTuple):
    """A rectangle of a level, in its pixels: what the file in a tile takes as its picture."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class TileGrid:
    """The levels of a picture and the tiles of each level.

    Attributes
    ----------
    height, width : int
        Nominal size of the picture, which is that of the finest level, in pixels.
    levels : int
        Number of levels, 1…16.
    shift : int
        A pixel of a level is 2^shift pixels of the next finer one wide and high, 1…4.
    side : int
        Height and width of a tile in pixels of its level, 32…32768.
    margin : int
        By how much a frame is larger than its tile on each side, 0…side.

    Raises
    ------
    ValueError
        A value is out of range, or there are more than 2²² tiles.
    """

    height: int
    width: int
    levels: int
    shift: int
    side: int
    margin: int

    def __post_init__(self) -> None:
        ranges = {
            "height": (1, MAX_SIDE),
            "width": (1, MAX_SIDE),
            "levels": (1, MAX_LEVELS),
            "shift": (1, MAX_SHIFT),
            "side": TILE_SIDES,
            "margin": (0, self.side),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be in {low}..{high}, got {value}")
        if self.count > MAX_TILES:
            raise ValueError(f"{self.count} tiles are more than {MAX_TILES}")

    @cached_property
    def scales(self) -> tuple[int, ...]:
        """Pixels of the nominal size in one pixel of each level, a side."""
        return tuple(2 ** (self.shift * (self.levels - 1 - k)) for k in range(self.levels))

    @cached_property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of each level in its pixels."""
        return tuple((-(-self.height // s), -(-self.width // s)) for s in self.scales)

    @cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of tiles of each level."""
        return tuple((-(-h // self.side), -(-w // self.side)) for h, w in self.sizes)

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        starts = [0]
        for rows, columns in self.shapes:
            starts.append(starts[-1] + rows * columns)
        return tuple(starts)

    @property
    def count(self) -> int:
        """Number of tiles of all levels."""
        return self._starts[-1]

    def number(self, place: TilePlace) -> int:
        """Return the number of a tile in the order of the index: levels, rows, columns."""
        return self._starts[place.level] + place.row * self.shapes[place.level][1] + place.column

    def places(self) -> Iterator[TilePlace]:
        """Yield all tiles in the order of the index."""
        for level, (rows, columns) in enumerate(self.shapes):
            for row in range(rows):
                for column in range(columns):
                    yield TilePlace(level, row, column)

    def holds(self, place: TilePlace) -> bool:
        """Whether there is such a tile."""
        if not 0 <= place.level < self.levels:
            return False
        rows, columns = self.shapes[place.level]
        return 0 <= place.row < rows and 0 <= place.column < columns

    def frame(self, place: TilePlace) -> Frame:
        """Return the tile with its margins, as far as they are in the level."""
        height, width = self.sizes[place.level]
        top = max(0, place.row * self.side - self.margin)
        left = max(0, place.column * self.side - self.margin)
        bottom = min(height, (place.row + 1) * self.side + self.margin)
        right = min(width, (place.column + 1) * self.side + self.margin)
        return Frame(top, left, bottom - top, right - left)

    def inside(self, place: TilePlace) -> tuple[slice, slice]:
        """Return the rows and the columns of a tile's frame that are in the tile."""
        frame = self.frame(place)
        top, left = place.row * self.side - frame.top, place.column * self.side - frame.left
        bottom, right = min(top + self.side, frame.height), min(left + self.side, frame.width)
        return slice(top, bottom), slice(left, right)

    def finest_level(self, height: int, width: int) -> int:
        """Return the finest level that is drawn for a picture of this size."""
        zoom = max(height / self.height, width / self.width)
        for level, scale in enumerate(self.scales):
            if zoom * scale <= ENLARGED:
                return level
        return self.levels - 1


@dataclass(frozen=True)
class TileIndex:
    """What the ``TIDX`` chunk holds.

    Attributes
    ----------
    grid : TileGrid
        Levels and tiles.
    gaussians : int
        Number of Gaussians in all tiles together.
    first : int
        Offset of the first ``TILE`` chunk in the file, in bytes.
    lengths : ndarray of uint32, (T,)
        Length of each tile's chunk in bytes, type and checksum included; 0 for a tile without a
        chunk, and so without Gaussians and without a map of alpha.
    reaches : ndarray of uint16, (T,)
        How far Gaussians of each tile reach beyond it at most, in pixels of its level.
    """

    grid: TileGrid
    gaussians: int
    first: int
    lengths: NDArray[np.uint32] = field(repr=False)
    reaches: NDArray[np.uint16] = field(repr=False)

    @cached_property
    def offsets(self) -> NDArray[np.uint64]:
        """Offset of each tile's chunk in the file in bytes, and that of the end of the last."""
        ends = np.cumsum(self.lengths, dtype=np.uint64)
        return np.concatenate((np.zeros(1, np.uint64), ends)) + np.uint64(self.first)

    @property
    def end(self) -> int:
        """Offset of the end of the last tile's chunk in the file, in bytes."""
        return int(self.offsets[-1])

    def touching(self, level: int, box: tuple[float, float, float, float]) -> list[TilePlace]:
        """Return the tiles of a level whose Gaussians may touch a rectangle.

        Parameters
        ----------
        level : int
            Number of the level.
        box : (float, float, float, float)
            Top, left, bottom and right in pixels of the level.
        """
        grid = self.grid
        top, left, bottom, right = box
        rows, columns = grid.shapes[level]
        start = grid.number(TilePlace(level, 0, 0))
        here = slice(start, start + rows * columns)
        reach = self.reaches[here].reshape(rows, columns).astype(np.float64)
        filled = self.lengths[here].reshape(rows, columns) > 0
        y = np.arange(rows)[:, None] * float(grid.side)
        x = np.arange(columns) * float(grid.side)
        near = (
            filled
            & (y - reach < bottom)
            & (y + grid.side + reach > top)
            & (x - reach < right)
            & (x + grid.side + reach > left)
        )
        return [TilePlace(level, int(row), int(column)) for row, column in np.argwhere(near)]

    def to_chunk(self) -> Chunk:
        """Return the ``TIDX`` chunk."""
        grid = self.grid
        entries = np.empty(grid.count, _ENTRY)
        entries["length"], entries["reach"] = self.lengths, self.reaches
        parts = [
            bytes([grid.levels, grid.shift]),
            grid.side.to_bytes(2, "little"),
            grid.margin.to_bytes(2, "little"),
            self.gaussians.to_bytes(8, "little"),
            self.first.to_bytes(8, "little"),
            entries.tobytes(),
        ]
        return Chunk(TILE_INDEX, b"".join(parts))

    @classmethod
    def from_chunk(cls, chunk: Chunk, height: int, width: int) -> "TileIndex":
        """Return the index that a ``TIDX`` chunk holds, in a file of this nominal size.

        Raises
        ------
        FormatError
            The chunk is not a valid index.
        """
        data, offset = bytes(chunk.payload), chunk.payload_offset
        if len(data) < _FIXED:
            raise FormatError("chunk TIDX is too short", offset)
        try:
            grid = TileGrid(
                height=height,
                width=width,
                levels=data[0],
                shift=data[1],
                side=int.from_bytes(data[2:4], "little"),
                margin=int.from_bytes(data[4:6], "little"),
            )
        except ValueError as error:
            raise FormatError(f"impossible index of tiles: {error}", offset) from None
        if len(data) != _FIXED + _ENTRY.itemsize * grid.count:
            raise FormatError(
                f"chunk TIDX has {len(data)} bytes, "
                f"{_FIXED + _ENTRY.itemsize * grid.count} expected for {grid.count} tiles",
                offset,
            )
        entries = np.frombuffer(data, _ENTRY, offset=_FIXED)
        lengths, reaches = entries["length"].copy(), entries["reach"].copy()
        gaussians, first = (int.from_bytes(data[i : i + 8], "little") for i in (6, 14))
        if gaussians > MAX_GAUSSIANS_OF_ALL:
            raise FormatError(f"{gaussians} Gaussians are more than the tiles can have", offset)
        if first + int(lengths.sum(dtype=np.uint64)) >= 2**63:
            raise FormatError("the tiles end beyond every file", offset)
        return cls(grid, gaussians, first, lengths, reaches)


def tile_chunk(place: TilePlace, file: bytes) -> Chunk:
    """Return the ``TILE`` chunk of a tile, whose Gaussians are in a file of their own."""
    head = bytes([place.level]) + write_varint(place.row) + write_varint(place.column)
    return Chunk(TILE_CHUNK, head + file)


def tile_file(chunk: Chunk, place: TilePlace) -> tuple[memoryview, int]:
    """Return the file in a ``TILE`` chunk, and its offset in the file around it.

    Raises
    ------
    FormatError
        The chunk is another one than that of the tile.
    """
    data, offset = memoryview(chunk.payload), chunk.payload_offset
    if chunk.type != TILE_CHUNK or len(data) < 3:
        raise FormatError(f"expected the chunk of {place}, found {chunk.name}", chunk.offset)
    row, position = read_varint(data, 1, offset=offset)
    column, position = read_varint(data, position, offset=offset)
    found = TilePlace(data[0], row, column)
    if found != place:
        raise FormatError(f"expected the chunk of {place}, found {found}", chunk.offset)
    return data[position:], offset + position


def round_reach(length: float) -> int:
    """Return a length rounded up to a reach, with room for another reader's rounding."""
    return math.ceil(length * (1 + 1e-6) + REACH_SLACK)
