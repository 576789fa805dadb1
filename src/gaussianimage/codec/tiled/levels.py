"""The coarser levels of a picture, made while its rows are read and kept in unnamed files."""

import tempfile
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from gaussianimage.codec.encoder.eye_weights import UsualMasking
from gaussianimage.codec.format.tiles import Frame, TileGrid
from gaussianimage.codec.tiled.rows import BLOCK, Pixels, RowReader, Samples
from gaussianimage.codec.tiled.statistics import PictureStatistics
from gaussianimage.errors import PictureError
from gaussianimage.picture import from_array
from gaussianimage.picture.warn import ignore

WHITE = 65535  # of the levels' samples


def to_pixels(samples: Samples) -> Pixels:
    """Convert samples of a picture to pixels, with color multiplied by alpha."""
    if samples.dtype.itemsize == 1 and samples.shape[2] in (1, 3):
        return samples.astype(np.float32) / np.float32(255)
    return from_array(samples, warn=ignore).pixels


class LevelRows:
    """The rows of one level: written once from the top, read in any order.

    Parameters
    ----------
    width, channels : int
        Of the level.
    folder : Path or None
        Where the unnamed file is; None for the system's folder of temporary files.
    """

    def __init__(self, width: int, channels: int, folder: Path | None = None) -> None:
        self._file: BinaryIO = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._folder = folder
        self._shape = width, channels
        self._turn = threading.Lock()

    def append(self, rows: Pixels) -> None:
        """Write rows behind those that were written.

        Raises
        ------
        OSError
            They can't be written, for instance because the disk is full.
        """
        try:
            self._file.write(np.rint(rows * WHITE).astype(np.uint16).tobytes())
            self._file.flush()
        except OSError as error:
            error.filename = str(self._folder or tempfile.gettempdir())
            raise

    def read(self, top: int, bottom: int) -> Pixels:
        """Return the rows from `top` up to and without `bottom`."""
        width, channels = self._shape
        line = 2 * width * channels
        with self._turn:
            self._file.seek(top * line)
            data = self._file.read((bottom - top) * line)
        rows = np.frombuffer(data, np.uint16).reshape(bottom - top, width, channels)
        return rows.astype(np.float32) / np.float32(WHITE)

    def close(self) -> None:
        """Discard the rows."""
        self._file.close()


class CoarseLevels:
    """All levels of a picture but the finest.

    Parameters
    ----------
    grid : TileGrid
    channels : int
    quality : float
        See `PictureStatistics`.
    folder : Path or None
        Where the rows are kept: a disk, as they are a sixteenth of the picture and more.
    threads : int, optional
        Threads to use; all CPUs of this process by default.
    """

    def __init__(
        self,
        grid: TileGrid,
        channels: int,
        quality: float,
        folder: Path | None = None,
        *,
        threads: int | None = None,
    ) -> None:
        self._threads = threads
        self._grid = grid
        self._rows = [LevelRows(width, channels, folder) for _, width in grid.sizes[:-1]]
        self._pending: list[list[Pixels]] = [[] for _ in self._rows]
        self.checksums: list[int] = []
        """CRC-32 of each block of rows of the picture."""
        self.statistics = PictureStatistics(channels, quality, threads=threads)

    @classmethod
    def make(
        cls,
        reader: RowReader,
        grid: TileGrid,
        quality: float,
        folder: Path | None = None,
        *,
        threads: int | None = None,
    ) -> Self:
        """Read a picture once, and make its levels.

        Raises
        ------
        PictureError
            The picture has fewer rows than it says.
        """
        levels = cls(grid, reader.channels, quality, folder, threads=threads)
        try:
            levels._make(reader)
        except BaseException:
            levels.close()
            raise
        return levels

    def _make(self, reader: RowReader) -> None:
        rows = 0
        for block in reader.blocks():
            rows += len(block)
            self.checksums.append(checksum(block))
            pixels = to_pixels(block)
            self.statistics.add(pixels)
            self._take(self._grid.levels - 1, pixels)
        if rows != reader.height:
            raise PictureError(f"the picture ends early: {rows} rows of {reader.height}")
        for level in range(self._grid.levels - 1, 0, -1):
            self._reduce(level, last=True)

    def read(self, level: int, top: int, bottom: int) -> Pixels:
        """Return rows of a level."""
        return self._rows[level].read(top, bottom)

    def masking(self, level: int) -> float:
        """Return `UsualMasking.value` of a level."""
        if level == self._grid.levels - 1:
            return self.statistics.masking.value
        height, _ = self._grid.sizes[level]
        masking = UsualMasking(threads=self._threads)
        for top in range(0, height, BLOCK):
            masking.add(self.read(level, top, min(top + BLOCK, height)))
        return masking.value

    def close(self) -> None:
        """Discard the levels."""
        for rows in self._rows:
            rows.close()

    def _take(self, level: int, rows: Pixels) -> None:
        """Take rows of a level, and reduce them to the next coarser one as far as possible."""
        if level < self._grid.levels - 1:
            self._rows[level].append(rows)
        if level > 0:
            self._pending[level - 1].append(rows)
            self._reduce(level)

    def _reduce(self, level: int, *, last: bool = False) -> None:
        factor = 2**self._grid.shift
        pending = self._pending[level - 1]
        if not pending:
            return
        rows = pending[0] if len(pending) == 1 else np.concatenate(pending)
        whole = len(rows) if last else len(rows) // factor * factor
        self._pending[level - 1] = [rows[whole:]] if whole < len(rows) else []
        if whole:
            self._take(level - 1, reduce_pixels(rows[:whole], factor))


def reduce_pixels(pixels: Pixels, factor: int) -> Pixels:
    """Return the means of squares of `factor` pixels; those at the edges may be smaller."""
    height, width, _ = pixels.shape
    sums = np.add.reduceat(pixels, np.arange(0, height, factor), axis=0)
    sums = np.add.reduceat(sums, np.arange(0, width, factor), axis=1)
    rows = np.diff(np.append(np.arange(0, height, factor), height))
    columns = np.diff(np.append(np.arange(0, width, factor), width))
    sums /= (rows[:, None, None] * columns[:, None]).astype(np.float32)
    return np.clip(sums, 0, 1, out=sums)


def checksum(rows: Samples) -> int:
    """Return the CRC-32 of some rows."""
    return zlib.crc32(np.ascontiguousarray(rows).data)


class Window:
    """The rows of a picture that the tiles of one row need, while these go down the picture.

    Parameters
    ----------
    reader : RowReader
    checksums : list of int
        CRC-32 of each block of rows, from the first reading.
    """

    def __init__(self, reader: RowReader, checksums: list[int]) -> None:
        self._reader = reader
        self._blocks: Iterator[Samples] = reader.blocks()
        self._checksums = checksums
        self._taken = 0
        self._top = 0  # first row that is kept
        self._bottom = 0
        self._kept: list[Samples] = []

    def keep(self, top: int, bottom: int) -> None:
        """Read rows as far as `bottom`, and drop those above `top`; neither may fall.

        Raises
        ------
        PictureError
            The picture ends early, or differs from the first reading.
        """
        while self._kept and self._top + len(self._kept[0]) <= top:
            self._top += len(self._kept.pop(0))
        while self._bottom < bottom:
            self._next(top)

    def crop(self, frame: Frame) -> Samples:
        """Return a part of the rows that are kept."""
        parts, begin = [], self._top
        for block in self._kept:
            first, last = max(frame.top, begin), min(frame.top + frame.height, begin + len(block))
            if first < last:
                columns = slice(frame.left, frame.left + frame.width)
                parts.append(block[first - begin : last - begin, columns])
            begin += len(block)
        return np.concatenate(parts)

    def _next(self, top: int) -> None:
        block = next(self._blocks, None)
        if block is None:
            raise PictureError(
                f"the picture ends early: {self._bottom} rows of {self._reader.height}"
            )
        if checksum(block) != self._checksums[self._taken]:
            raise PictureError(
                f"the picture has changed while it was read: rows from {self._bottom} differ"
            )
        self._taken += 1
        self._bottom += len(block)
        if self._bottom <= top:
            self._top = self._bottom
        else:
            self._kept.append(block)
