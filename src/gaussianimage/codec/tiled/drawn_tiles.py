"""What the tiles so far draw: the part of a picture that a new tile need not fit."""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.codec.decoder.tile_cache import DecodedTile
from gaussianimage.codec.format.tiles import Frame, TileGrid, TilePlace


class Drawn(NamedTuple):
    """What some tiles draw in a frame.

    Attributes
    ----------
    means, cholesky : ndarray of float64, (N, 2) and (N, 3)
        Gaussians, in pixels of the frame.
    colors : ndarray of float32, (N, C)
    background : ndarray of float32, (C,)
    q_max : float
        Cut-off q of the Gaussians.
    height, width : int
        Size of the frame in pixels.
    """

    means: NDArray[np.float64]
    cholesky: NDArray[np.float64]
    colors: NDArray[np.float32]
    background: NDArray[np.float32]
    q_max: float
    height: int
    width: int

    def draw(self, threads: int) -> NDArray[np.float32]:
        """Draw it, (H, W, C), unclamped."""
        if len(self.means) == 0:
            return np.tile(self.background, (self.height, self.width, 1))
        drawn = _native.render_floats(
            self.means,
            self.cholesky,
            self.colors,
            self.q_max,
            self.height,
            self.width,
            None,
            threads,
        )
        drawn += self.background
        return drawn


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

    def within(self, level: int, frame: Frame) -> Drawn:
        """Return what the tiles draw in a frame of a level."""
        parts = [
            self._scaled(tile, self._grid.scales[other] // self._grid.scales[level], frame)
            for other in range(level + 1)
            for tile in self._touching(other, level, frame)
        ]
        none = (np.empty((0, 2)), np.empty((0, 3)), np.empty((0, len(self._background)), "f4"))
        means, cholesky, colors = (
            np.concatenate(arrays) for arrays in zip(*(parts or [none]), strict=True)
        )
        return Drawn(
            means,
            cholesky,
            colors,
            self._background,
            self._q_max,
            frame.height,
            frame.width,
        )

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
