"""The pyramid of a Deep Zoom Image (DZI), as Microsoft's Deep Zoom and OpenSeadragon use it.

Level n is the picture at ceil(side / 2^(last − n)) pixels a side; level 0 is a single pixel.
"""

from dataclasses import dataclass
from functools import cached_property
from xml.sax.saxutils import quoteattr

TILE = 254
OVERLAP = 1
"""Pixels by which a tile reaches into its neighbors; 254 + 2 · 1 is 256."""


@dataclass(frozen=True)
class Pyramid:
    """The levels and tiles of a picture.

    Attributes
    ----------
    height, width : int
        Size of the picture in pixels.
    tile : int
        Height and width of a tile in pixels, without the overlap.
    overlap : int
        Pixels by which a tile reaches into its neighbors.
    """

    height: int
    width: int
    tile: int = TILE
    overlap: int = OVERLAP

    @cached_property
    def levels(self) -> int:
        """Number of levels."""
        return (max(self.height, self.width) - 1).bit_length() + 1

    def size(self, level: int) -> tuple[int, int]:
        """Return height and width of a level in pixels."""
        shift = self.levels - 1 - level
        return -(-self.height >> shift) or 1, -(-self.width >> shift) or 1

    def shape(self, level: int) -> tuple[int, int]:
        """Return the number of rows and columns of tiles of a level."""
        height, width = self.size(level)
        return -(-height // self.tile), -(-width // self.tile)

    def box(self, level: int, column: int, row: int) -> tuple[int, int, int, int]:
        """Return top, left, height and width of a tile in pixels of its level.

        Raises
        ------
        KeyError
            There is no such tile.
        """
        if not 0 <= level < self.levels:
            raise KeyError(f"no level {level}")
        rows, columns = self.shape(level)
        if not (0 <= row < rows and 0 <= column < columns):
            raise KeyError(f"no tile {column}_{row} in level {level}")
        height, width = self.size(level)
        top, bottom = self._span(row, height)
        left, right = self._span(column, width)
        return top, left, bottom - top, right - left

    def _span(self, number: int, side: int) -> tuple[int, int]:
        begin = number * self.tile - (self.overlap if number else 0)
        return begin, min(side, (number + 1) * self.tile + self.overlap)

    def to_xml(self, extension: str) -> str:
        """Return the text of the ``.dzi`` file, for tiles with this extension."""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<Image xmlns="http://schemas.microsoft.com/deepzoom/2008" '
            f"Format={quoteattr(extension)} Overlap={quoteattr(str(self.overlap))} "
            f"TileSize={quoteattr(str(self.tile))}>"
            f'<Size Width="{self.width}" Height="{self.height}"/></Image>\n'
        )
