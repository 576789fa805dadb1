"""What the tiles so far draw: the part of a picture that a new tile need not fit."""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.codec.decoder.tile_cache import DecodedTile
from gaussianimage.codec.format.tiles import Frame, TileGrid, TilePlace


class DrawnTiles:
    """The tiles that are encoded, as far as tiles to come may touch what they draw.

    Parameters
    ----------
    grid : TileGrid
    background : ndarray, (C,)
        The constant part of the picture, 0 to 1.
    q_max : float
        Cut-off q of the Gaussians.
    """

    def __init__(self, grid: TileGrid, background: NDArray[np.float64], q_max: float) -> None:
        self._grid = grid
        self._background = background.astype(np.float32)
        self._q_max = q_max
        # By level and row, in the order of columns that tiles came in.
        self._rows: dict[tuple[int, int], dict[int, tuple[DecodedTile, int]]] = defaultdict(dict)

    def add(self, place: TilePlace, tile: DecodedTile, reach: int) -> None:
        """Add a tile, whose Gaussians reach `reach` pixels beyond it at most."""
        if len(tile.means):
            self._rows[place.level, place.row][place.column] = tile, reach

    def drop_rows(self, level: int, before: int) -> None:
        """Forget the rows of a level before one."""
        for key in [key for key in self._rows if key[0] == level and key[1] < before]:
            del self._rows[key]

    def draw(self, level: int, frame: Frame, threads: int) -> NDArray[np.float32]:
        """Return what the tiles draw in a frame of a level, (H, W, C), unclamped."""
        parts = [
            self._scaled(tile, self._grid.scales[other] // self._grid.scales[level], frame)
            for other in range(level + 1)
            for tile in self._touching(other, level, frame)
        ]
        if not parts:
            return np.tile(self._background, (frame.height, frame.width, 1))
        means, cholesky, colors = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        drawn = _native.render_floats(
            means, cholesky, colors, self._q_max, frame.height, frame.width, None, threads
        )
        drawn += self._background
        return drawn

    def _touching(self, other: int, level: int, frame: Frame) -> list[DecodedTile]:
        """Return the tiles of another level that may touch a frame, in the order of the index."""
        side = self._grid.side
        factor = self._grid.scales[other] / self._grid.scales[level]
        top, left = frame.top / factor, frame.left / factor
        bottom, right = top + frame.height / factor, left + frame.width / factor
        return [
            tile
            for row in range(self._grid.shapes[other][0])
            if (other, row) in self._rows
            for column, (tile, reach) in sorted(self._rows[other, row].items())
            if (row * side - reach < bottom and (row + 1) * side + reach > top)
            and (column * side - reach < right and (column + 1) * side + reach > left)
        ]

    @staticmethod
    def _scaled(
        tile: DecodedTile, factor: int, frame: Frame
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
        means = tile.means * factor - (frame.left, frame.top)
        return means, tile.cholesky * factor, tile.colors
