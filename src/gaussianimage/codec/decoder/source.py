"""Where a file's bytes come from: a path, the bytes themselves, or a stream."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TypeAlias, cast

from gaussianimage._util.files import StrPath, is_stream, read_input
from gaussianimage.codec.format.varint import Buffer
from gaussianimage.errors import GaussianImageError

__all__ = ["Source", "reading"]

Source: TypeAlias = StrPath | Buffer | BinaryIO


@contextmanager
def reading(source: Source) -> Iterator[Buffer]:
    """Yield the bytes of a file, and name the file in a note of every error about its bytes.

    Parameters
    ----------
    source : str, os.PathLike, bytes-like or BinaryIO
        A file name (``-`` is stdin), the content of a file, or a stream, which is read to its end
        but not closed.

    Raises
    ------
    OSError
        The file can't be read.
    TypeError
        `source` is of another type, or a text stream.
    """
    data, name = _read(source)
    try:
        yield data
    except GaussianImageError as error:
        if name:
            error.add_note(f"in {name}")
        raise


def _read(source: Source) -> tuple[Buffer, str]:
    """Return the bytes, and a name for messages, which is empty if the source has no name."""
    if isinstance(source, bytes | bytearray | memoryview):
        return source, ""
    if isinstance(source, str | os.PathLike):
        return read_input(source), "stdin" if is_stream(source) else os.fspath(source)
    try:
        # A mapped file is used without a copy, as an array of bytes is, although it has `read`.
        return memoryview(cast("Buffer", source)), ""
    except TypeError:
        pass
    if not hasattr(source, "read"):
        raise TypeError(
            f"source: expected a file name, bytes or a stream, got {type(source).__name__}"
        )
    data = source.read()
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError("source: expected a binary stream, got a text stream")
    name = getattr(source, "name", "")  # an integer if the stream was opened by descriptor
    return data, name if isinstance(name, str) else ""
