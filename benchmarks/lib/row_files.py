"""Large pictures in files of raw samples: written and read by rows, and never mapped to memory."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS = 256


class PpmRows:
    """An RGB picture in a binary PPM file of 8 bits; an array by rows.

    Its rows are read, not mapped, so that they do not count as memory of the process for longer
    than they are used.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            words: list[bytes] = []
            while len(words) < 4:
                words += file.readline().split(b"#")[0].split()
            self._start = file.tell()
        if words[0] != b"P6" or words[3] != b"255":
            raise ValueError(f"{path}: expected a PPM file of 8 bits")
        self.shape = int(words[2]), int(words[1]), 3
        self.dtype = np.dtype(np.uint8)
        self._path = path

    def __getitem__(self, rows: slice) -> NDArray[np.uint8]:
        """Return some rows, (n, width, 3)."""
        begin, end, _ = rows.indices(self.shape[0])
        line = 3 * self.shape[1]
        count = max(end - begin, 0)
        pixels = np.fromfile(
            self._path, np.uint8, count * line, offset=self._start + min(begin, end) * line
        )
        return pixels.reshape(count, self.shape[1], 3)


def write_ppm(picture: Any, path: Path) -> None:
    """Write a picture, an array by rows, as a PPM file that is whole or not there."""
    part = path.with_name(f"{path.name}.part")
    height, width, _ = picture.shape
    with part.open("wb") as file:
        file.write(b"P6\n%d %d\n255\n" % (width, height))
        for top in range(0, height, ROWS):
            file.write(picture[top : top + ROWS].tobytes())
    os.replace(part, path)  # noqa: PTH105
