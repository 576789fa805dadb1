"""The work file: encoded tiles on the disk, from which interrupted work goes on."""

import json
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Self

from gaussianimage.codec.format.container import read_chunk
from gaussianimage.codec.tiled.fit_tile import TileResult
from gaussianimage.errors import FormatError, GaussianImageError

_MAGIC = b"gaussianimage tiles 1\n"

# Number of the tile, number of Gaussians, reach, length of the chunk.
_RECORD = struct.Struct("<IIHI")


class WorkFile:
    """Appends encoded tiles to a file, and finds those that an earlier run has appended.

    The file starts with a line that says what is encoded and how. A record that was cut off, as by
    a full disk, is overwritten.

    Parameters
    ----------
    path : Path
        Name of the work file.
    job : dict
        What is encoded and how, as JSON can hold it; a file of another job is refused.
    resume : bool
        Go on with the tiles in the file. If not, the file is started anew.

    Raises
    ------
    GaussianImageError
        The file belongs to another job.
    OSError
        The file can't be opened.
    """

    def __init__(self, path: Path, job: dict[str, Any], *, resume: bool) -> None:
        self._path = path
        self._file: BinaryIO = path.open("r+b" if resume and path.exists() else "w+b")
        self._records: dict[int, tuple[int, int, int, int]] = {}  # offset, gaussians, reach, length
        head = _MAGIC + json.dumps(job, sort_keys=True).encode() + b"\n"
        try:
            self._open(head)
        except BaseException:
            self._file.close()
            raise

    def _open(self, head: bytes) -> None:
        file = self._file
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if size < len(head):
            file.truncate()
            file.write(head)
            file.flush()
        elif file.read(len(head)) != head:
            raise GaussianImageError(
                f"{self._path} holds tiles of another picture or of other options; remove it, or "
                "start over with resume=False (--restart)"
            )
        self._end = len(head)
        self._find_records(size)
        file.truncate(self._end)

    def _find_records(self, size: int) -> None:
        file = self._file
        while self._end + _RECORD.size <= size:
            file.seek(self._end)
            number, gaussians, reach, length = _RECORD.unpack(file.read(_RECORD.size))
            start = self._end + _RECORD.size
            if start + length > size:
                return
            if length:
                chunk = file.read(length)
                try:
                    _, end = read_chunk(memoryview(chunk), 0)
                except FormatError:
                    return
                if end != length:
                    return
            self._records[number] = start, gaussians, reach, length
            self._end = start + length

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __contains__(self, number: int) -> bool:
        return number in self._records

    def __len__(self) -> int:
        return len(self._records)

    @property
    def gaussians(self) -> int:
        """Number of Gaussians in all tiles together."""
        return sum(gaussians for _, gaussians, _, _ in self._records.values())

    def append(self, number: int, result: TileResult) -> None:
        """Write a tile; after an error of the disk, the tiles before it are still there.

        Raises
        ------
        OSError
            The tile can't be written, for instance because the disk is full.
        """
        record = _RECORD.pack(number, result.gaussians, result.reach, len(result.chunk))
        try:
            self._file.seek(self._end)
            self._file.write(record + result.chunk)
            self._file.flush()
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._end)
            error.filename = error.filename or str(self._path)
            raise
        start = self._end + len(record)
        self._records[number] = start, result.gaussians, result.reach, len(result.chunk)
        self._end = start + len(result.chunk)

    def lookup(self, number: int) -> tuple[int, int]:
        """Return reach and length of a tile's chunk."""
        _, _, reach, length = self._records[number]
        return reach, length

    def read(self, number: int) -> bytes:
        """Return a tile's chunk; empty if it has no Gaussians."""
        offset, _, _, length = self._records[number]
        self._file.seek(offset)
        return self._file.read(length)

    def chunks(self, count: int) -> Iterator[bytes]:
        """Yield the chunks of the tiles in order."""
        for number in range(count):
            yield self.read(number)

    def remove(self) -> None:
        """Close and remove the file."""
        self._file.close()
        with suppress(OSError):
            self._path.unlink()
