"""The map of alpha of a level of a tiled file, which is in the files of its tiles."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.codec.format.alpha import AS_DRAWN
from gaussianimage.codec.format.tiles import TileIndex, TilePlace

_UNKNOWN = np.full((1, 1), AS_DRAWN, np.uint8)


class LevelMap:
    """The map of alpha of one level, under a picture that is drawn at some size.

    Parameters
    ----------
    index : TileIndex
    level : int
        The finest level that is drawn.
    size : (int, int)
        Height and width of the picture as it is drawn, in pixels.
    usual : int
        The class of pixels in tiles without a map.
    """

    def __init__(self, index: TileIndex, level: int, size: tuple[int, int], usual: int) -> None:
        self._grid = index.grid
        self._level = level
        self._size = size
        self._usual = np.full((1, 1), usual, np.uint8)
        start = self._grid.number(TilePlace(level, 0, 0))
        rows, columns = self._grid.shapes[level]
        lengths = index.lengths[start : start + rows * columns]
        self._filled = lengths.reshape(rows, columns) > 0

    def places(self, crop: tuple[int, int, int, int]) -> list[TilePlace]:
        """Return the tiles with a chunk that have pixels under a part of the drawn picture.

        Parameters
        ----------
        crop : (int, int, int, int)
            Top, left, height and width in pixels of the drawn picture.
        """
        rows, columns = self._under(crop)
        filled = self._filled[rows.start : rows.stop, columns.start : columns.stop]
        return [
            TilePlace(self._level, rows.start + int(row), columns.start + int(column))
            for row, column in np.argwhere(filled)
        ]

    def classes(
        self,
        crop: tuple[int, int, int, int],
        maps: Mapping[TilePlace, NDArray[np.uint8] | None],
        threads: int,
    ) -> NDArray[np.uint8]:
        """Return the class of each pixel of a part of the drawn picture, (height, width).

        Parameters
        ----------
        crop : (int, int, int, int)
            As for `places`.
        maps : mapping of TilePlace to ndarray or None
            `DecodedTile.alpha` of the tiles at `places`. The pixels of a tile that is not there
            have no class.
        threads : int
            Threads to use; 0 for all CPUs.
        """
        sets = np.zeros(crop[2:], np.uint8)
        rows, columns = self._under(crop)
        filled = self._filled[:, columns.start : columns.stop]
        # Empty rows, of which a hostile file may have very many, are added together.
        some = np.flatnonzero(filled[rows.start : rows.stop].any(axis=1)) + rows.start
        for empty, row in _gaps(some.tolist(), rows):
            self._add(sets, self._usual, empty, columns, crop, threads)
            if row is None:
                continue
            here = range(row, row + 1)
            places = np.flatnonzero(filled[row]) + columns.start
            for gap, column in _gaps(places.tolist(), columns):
                self._add(sets, self._usual, here, gap, crop, threads)
                if column is not None:
                    found = maps.get(TilePlace(self._level, row, column), _UNKNOWN)
                    classes = self._usual if found is None else found
                    self._add(sets, classes, here, range(column, column + 1), crop, threads)
        _native.alpha_sets_to_classes(sets)
        return sets

    def _add(
        self,
        sets: NDArray[np.uint8],
        classes: NDArray[np.uint8],
        rows: range,
        columns: range,
        crop: tuple[int, int, int, int],
        threads: int,
    ) -> None:
        """Add the classes of a tile, or of a rectangle of tiles, to the sets of drawn pixels."""
        if not (rows and columns):
            return
        side, (height, width) = self._grid.side, self._grid.sizes[self._level]
        top, left = rows.start * side, columns.start * side
        bottom, right = min(rows.stop * side, height), min(columns.stop * side, width)
        place = top, left, bottom - top, right - left
        _native.add_alpha_sets(sets, classes, place, (height, width), self._size, crop, threads)

    def _under(self, crop: tuple[int, int, int, int]) -> tuple[range, range]:
        """Return the rows and columns of tiles under a part of the drawn picture."""
        rows, columns = (
            _tiles_under(range(crop[k], crop[k] + crop[k + 2]), sides, drawn, self._grid.side)
            for k, (sides, drawn) in enumerate(
                zip(self._grid.sizes[self._level], self._size, strict=True)
            )
        )
        return rows, columns


def _gaps(numbers: list[int], within: range) -> Iterator[tuple[range, int | None]]:
    """Yield the gap before each of some ascending numbers and the number; last, the gap behind."""
    begin = within.start
    for number in numbers:
        yield range(begin, number), number
        begin = number + 1
    yield range(begin, within.stop), None


def _tiles_under(drawn: range, of_map: int, of_drawn: int, side: int) -> range:
    """Return the rows or columns of tiles under the footprints of drawn rows or columns.

    A pixel of the map is under the footprint of a drawn one if their centers are less than a pixel
    away, one of the map or of the drawn picture, whichever is larger.
    """
    reach = 2 * max(of_map, of_drawn)
    first = ((2 * drawn.start + 1) * of_map - of_drawn - reach) // (2 * of_drawn) + 1
    end = -(-((2 * drawn.stop - 1) * of_map - of_drawn + reach) // (2 * of_drawn))
    return range(max(first, 0) // side, -(-min(end, of_map) // side))
