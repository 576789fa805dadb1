"""Byte ranges of a file that is not read as a whole: of a local file or a seekable stream."""

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import BinaryIO, Self

from gaussianimage.codec.format.container import HEAD, SIGNATURE, TILE_INDEX
from gaussianimage.codec.format.varint import Buffer, read_varint
from gaussianimage.errors import FormatError

START = 2**16
"""Bytes that are read first: header, index and metadata of most tiled files."""
PEEK = 4096
"""Bytes that show whether a file is tiled."""


class ByteRanges(ABC):
    """A file of which any range of bytes can be read; several threads may read at once.

    Attributes
    ----------
    size : int
        Size of the file in bytes.
    name : str
        Name for messages; may be empty.
    identity : hashable
        What tells this content from others, as a key of a cache.
    bytes_read : int
        Number of bytes that were read so far.
    """

    def __init__(self, size: int, name: str, identity: Hashable) -> None:
        self.size = size
        self.name = name
        self.identity = identity
        self.bytes_read = 0
        self._lock = threading.Lock()

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes of a range; fewer where the file ends.

        Raises
        ------
        OSError
            The file can't be read.
        """
        data = self._read(offset, max(0, min(length, self.size - offset)))
        with self._lock:
            self.bytes_read += len(data)
        return data

    @abstractmethod
    def _read(self, offset: int, length: int) -> bytes:
        """Read a range that lies within the file."""

    def close(self) -> None:  # noqa: B027  (bytes in memory have nothing to close)
        """Close what was opened."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MemoryRanges(ByteRanges):
    """The ranges of bytes in memory."""

    def __init__(self, data: Buffer) -> None:
        self._view = memoryview(data).cast("B")
        super().__init__(self._view.nbytes, "", object())

    def _read(self, offset: int, length: int) -> bytes:
        return bytes(self._view[offset : offset + length])


class FileRanges(ByteRanges):
    """The ranges of a local file, which stays open until `close`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = open(path, "rb")  # noqa: SIM115, PTH123  (closed by `close`)
        state = os.fstat(self._file.fileno())
        identity = state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size
        super().__init__(state.st_size, os.fspath(path), identity)

    def _read(self, offset: int, length: int) -> bytes:
        parts = []
        while length > 0:
            part = os.pread(self._file.fileno(), length, offset)
            if not part:
                break
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class StreamRanges(ByteRanges):
    """The ranges of a seekable stream, from its position on; the stream is not closed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._base = stream.tell()
        stream.seek(0, os.SEEK_END)  # some streams do not return the position here
        size = stream.tell() - self._base
        stream.seek(self._base)
        name = getattr(stream, "name", "")
        super().__init__(max(0, size), name if isinstance(name, str) else "", object())
        self._turn = threading.Lock()

    def _read(self, offset: int, length: int) -> bytes:
        with self._turn:
            self._stream.seek(self._base + offset)
            parts = []
            while length > 0:
                part = self._stream.read(length)
                if not part:
                    break
                parts.append(part)
                length -= len(part)
            return b"".join(parts)


def is_url(name: object) -> bool:
    """Whether a source is the address of a file on a web server."""
    return isinstance(name, str) and name.startswith(("http://", "https://"))


def is_tiled(start: Buffer) -> bool:
    """Whether a file that starts with these bytes, `PEEK` or all of them, is tiled."""
    first = len(SIGNATURE)
    head = bytes(start[first : first + 9])
    if bytes(start[:first]) != SIGNATURE or head[:4] != HEAD:
        return False
    try:
        length, position = read_varint(head, 4)
    except FormatError:
        return False
    second = first + position + length + 4
    return bytes(start[second : second + 4]) == TILE_INDEX
