"""Large pictures that are made row by row: mosaics of photos, also on a plain ground."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussianimage.picture import read, to_array

FADE = 64  # pixels over which one photo of a mosaic turns into the next


class Mosaic:
    """Photos side by side, mirrored at random, each fading into the next; an array by rows.

    No edge of a photo is at a multiple of a tile's side, except by chance, and the transitions
    are smooth: what shows at the edges of tiles is the encoder's.

    Parameters
    ----------
    photos : list of ndarray, (h, w, 3), uint8
        Photos of one size, at least 128 pixels a side.
    height, width : int
        Size of the mosaic in pixels.
    seed : int
        Seed of the order and of the mirroring.
    """

    def __init__(
        self, photos: list[NDArray[np.uint8]], height: int, width: int, seed: int = 0
    ) -> None:
        self.shape = height, width, 3
        self.dtype = np.dtype(np.uint8)
        self._photos = photos
        self._cell = photos[0].shape[0] - FADE, photos[0].shape[1] - FADE
        rows, columns = -(-height // self._cell[0]) + 1, -(-width // self._cell[1]) + 1
        generator = np.random.default_rng(seed)
        order = [
            generator.permutation(len(photos)) for _ in range(-(-rows * columns // len(photos)))
        ]
        self._which = np.concatenate(order)[: rows * columns].reshape(rows, columns)
        self._mirrored = generator.integers(0, 4, (rows, columns))
        self._rows: dict[int, NDArray[np.uint8]] = {}

    @classmethod
    def of_folder(cls, folder: Path, height: int, width: int, seed: int = 0) -> "Mosaic":
        """Return a mosaic of all photos in a folder that have the size of most of them."""
        photos = [np.asarray(to_array(read(path).pixels)) for path in sorted(folder.glob("*.png"))]
        photos = [p if p.shape[0] < p.shape[1] else p.swapaxes(0, 1) for p in photos]
        sizes = [photo.shape for photo in photos]
        usual = max(set(sizes), key=sizes.count)
        return cls([photo for photo in photos if photo.shape == usual], height, width, seed)

    def __getitem__(self, rows: slice) -> NDArray[np.uint8]:
        """Return some rows, (n, width, 3)."""
        begin, end, _ = rows.indices(self.shape[0])
        parts = []
        while begin < end:
            cell = begin // self._cell[0]
            last = min(end, (cell + 1) * self._cell[0])
            parts.append(self._in_cells(cell, begin - cell * self._cell[0], last - begin))
            begin = last
        return np.concatenate(parts)

    def _in_cells(self, cell: int, begin: int, count: int) -> NDArray[np.uint8]:
        """Return rows of a row of cells, which fade from the row of cells above."""
        here = self._strip(cell)[begin : begin + count]
        fading = min(max(FADE - begin, 0), count)
        if cell == 0 or fading == 0:
            return here
        below = self._strip(cell - 1)[self._cell[0] + begin :][:fading]
        weight = ((np.arange(begin, begin + fading) + 0.5) / FADE).astype(np.float32)
        mixed = here.copy()
        mixed[:fading] = _mix(below, here[:fading], weight[:, None, None])
        return mixed

    def _strip(self, cell: int) -> NDArray[np.uint8]:
        """Return a row of photos at its full height, joined from left to right."""
        if cell not in self._rows:
            for old in [key for key in self._rows if key < cell - 1]:
                del self._rows[old]
            self._rows[cell] = self._joined(cell)
        return self._rows[cell]

    def _joined(self, cell: int) -> NDArray[np.uint8]:
        height = self._cell[0] + FADE
        width = self._cell[1]
        columns = self._which.shape[1]
        strip = np.empty((height, columns * width + FADE, 3), np.uint8)
        weight = ((np.arange(FADE) + 0.5) / FADE).astype(np.float32)[:, None]
        for column in range(columns):
            photo = self._photos[self._which[cell, column]]
            mirrored = int(self._mirrored[cell, column])
            photo = photo[:: -1 if mirrored & 1 else 1, :: -1 if mirrored & 2 else 1]
            left = column * width
            if column:
                edge = _mix(strip[:, left : left + FADE], photo[:, :FADE], weight)
                strip[:, left : left + FADE] = edge
                strip[:, left + FADE : left + width + FADE] = photo[:, FADE:]
            else:
                strip[:, : width + FADE] = photo
        return strip[:, : self.shape[1]]


class Framed:
    """A picture in the middle of a plain ground, as on a slide; an array by rows.

    Parameters
    ----------
    picture : array by rows
    height, width : int
        Size with the ground in pixels.
    ground : int
        Level of the ground, 0 to 255.
    """

    def __init__(self, picture: Any, height: int, width: int, ground: int = 235) -> None:
        self.shape = height, width, 3
        self.dtype = np.dtype(np.uint8)
        self._picture = picture
        self._ground = ground
        self._top = (height - picture.shape[0]) // 2
        self._left = (width - picture.shape[1]) // 2

    def __getitem__(self, rows: slice) -> NDArray[np.uint8]:
        """Return some rows, (n, width, 3)."""
        begin, end, _ = rows.indices(self.shape[0])
        block = np.full((end - begin, *self.shape[1:]), self._ground, np.uint8)
        height, width, _ = self._picture.shape
        first, last = max(begin, self._top), min(end, self._top + height)
        if first < last:
            inside = self._picture[first - self._top : last - self._top]
            block[first - begin : last - begin, self._left : self._left + width] = inside
        return block


def _mix(
    first: NDArray[np.uint8], second: NDArray[np.uint8], weight: NDArray[Any]
) -> NDArray[np.uint8]:
    """Return (1 − weight) · first + weight · second, rounded."""
    mixed = first + weight * (second.astype(np.float32) - first)
    return np.rint(mixed).astype(np.uint8)
