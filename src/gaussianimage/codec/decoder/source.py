"""Where a file's bytes come from: a path, the bytes themselves, a stream, or a web server."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TypeAlias, cast

from gaussianimage._util.files import StrPath, is_stream, read_input
from gaussianimage.codec.decoder.ranges import (
    PEEK,
    ByteRanges,
    FileRanges,
    StreamRanges,
    is_tiled,
    is_url,
)
from gaussianimage.codec.format.varint import Buffer
from gaussianimage.errors import GaussianImageError

__all__ = ["Source", "opening", "reading"]

Source: TypeAlias = StrPath | Buffer | BinaryIO | ByteRanges


@contextmanager
def reading(source: Source) -> Iterator[Buffer | ByteRanges]:
    """Yield the bytes of a file, and name the file in a note of every error about its bytes.

    A tiled file is not read: its ranges are yielded, unless it is in memory already.

    Parameters
    ----------
    source : str, os.PathLike, bytes-like or BinaryIO
        A file name (``-`` is stdin) or an address (``https://…``) of a tiled file, the content of a
        file, or a stream. A stream is read to its end, or in parts if it is seekable and the file
        is tiled; it is not closed.

    Raises
    ------
    OSError
        The file can't be read.
    TypeError
        `source` is of another type, or a text stream.
    """
    with opening(source) as (data, name):
        try:
            yield data
        except GaussianImageError as error:
            if name:
                error.add_note(f"in {name}")
            raise


@contextmanager
def opening(source: Source) -> Iterator[tuple[Buffer | ByteRanges, str]]:
    """Yield the bytes of a file and its name; `reading` documents the arguments and errors."""
    data, name = _read(source)
    try:
        yield data, name
    finally:
        if isinstance(data, ByteRanges) and data is not source:
            data.close()


def _read(source: Source) -> tuple[Buffer | ByteRanges, str]:
    """Return the bytes, and a name for messages, which is empty if the source has no name."""
    if isinstance(source, ByteRanges):
        return source, ""  # whoever opened it knows its name
    if isinstance(source, bytes | bytearray | memoryview):
        return source, ""
    if is_url(source):
        from gaussianimage.codec.decoder.http_ranges import HttpRanges  # takes long to import

        ranges = HttpRanges(str(source))
        if is_tiled(ranges.read(0, PEEK)):
            return ranges, ranges.name
        return ranges.read(0, ranges.size), ranges.name
    if isinstance(source, str | os.PathLike):
        if is_stream(source):
            return read_input(source), "stdin"
        return _read_file(source), os.fspath(source)
    try:
        # A mapped file is used without a copy, as an array of bytes is, although it has `read`.
        return memoryview(cast("Buffer", source)), ""
    except TypeError:
        pass
    if not hasattr(source, "read"):
        raise TypeError(
            f"source: expected a file name, bytes or a stream, got {type(source).__name__}"
        )
    name = getattr(source, "name", "")  # an integer if the stream was opened by descriptor
    name = name if isinstance(name, str) else ""
    if _is_tiled_stream(source):
        return StreamRanges(source), name
    data = source.read()
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError("source: expected a binary stream, got a text stream")
    return data, name


def _is_tiled_stream(stream: BinaryIO) -> bool:
    """Whether a stream is a tiled file that can be read in parts; its position stays."""
    if not (hasattr(stream, "seekable") and stream.seekable()):
        return False
    place = stream.tell()
    start: object = stream.read(PEEK)  # text, if the caller opened the file as text
    stream.seek(place)
    return isinstance(start, bytes | bytearray | memoryview) and is_tiled(start)


def _read_file(path: StrPath) -> Buffer | ByteRanges:
    """Return the bytes of a file, or the ranges of a tiled one."""
    with open(path, "rb") as file:  # noqa: PTH123  (pathlib takes long to import)
        start = file.read(PEEK)
        if not is_tiled(start):
            return start + file.read()
    return FileRanges(path)
