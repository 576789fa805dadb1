"""Whole files in, whole files out: an output file is complete or it is not there at all."""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO, TypeAlias

__all__ = [
    "StrPath",
    "atomic_output",
    "is_stream",
    "is_terminal",
    "read_input",
    "write_atomic",
    "write_output",
]

StrPath: TypeAlias = str | os.PathLike[str]

_SUFFIX = ".gaussianimage-tmp"


def is_stream(path: StrPath) -> bool:
    """Whether `path` is ``-``, which stands for stdin or stdout; a file so named is ``./-``."""
    return os.fspath(path) == "-"


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a standard stream is a terminal; None is one that was closed from the start."""
    return stream is not None and stream.isatty()


def read_input(path: StrPath) -> bytes:
    """Return all bytes of a file, or of stdin for ``-``.

    Raises
    ------
    OSError
        The file is missing, is a directory, or cannot be read; stdin is closed.
    """
    if is_stream(path):
        return _binary(sys.stdin, "stdin").read()
    return Path(path).read_bytes()


def write_output(path: StrPath, data: bytes) -> None:
    """Write `data` to a file, atomically as `write_atomic` does, or to stdout for ``-``.

    Raises
    ------
    OSError
        The output cannot be written or is a closed stdout; a file keeps what it held before.
    """
    if is_stream(path):
        stdout = _binary(sys.stdout, "stdout")
        # An unbuffered stdout may take only a part of what it is given.
        left = memoryview(data)
        while left:
            left = left[stdout.write(left) :]
        stdout.flush()
    else:
        write_atomic(path, data)


def write_atomic(path: StrPath, data: bytes) -> None:
    """Replace the content of the file `path` by `data`, or leave everything as it was.

    See `atomic_output` for the details.

    Raises
    ------
    OSError
        The file cannot be written, for instance because the disk is full. The error names
        `path`, there is no new file, and an old one keeps its content.
    """
    with atomic_output(path) as file:
        file.write(data)


def _binary(stream: TextIO | None, name: str) -> BinaryIO:
    if stream is None:  # closed when the process was started
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), name)
    return stream.buffer


@contextmanager
def atomic_output(path: StrPath) -> Iterator[BinaryIO]:
    """Open a file for writing that takes the name `path` only when the block ends well.

    The data goes to a temporary file in the same directory, is flushed to the disk and then
    renamed. If anything fails, `KeyboardInterrupt` included, the temporary file is removed and
    an old file of that name is untouched.

    A new file gets the permissions that `open` would give it, an old one keeps its own. A
    symbolic link stays and the file that it points to is replaced. What is no regular file
    (``/dev/null``, a pipe) cannot be replaced and is written to directly.

    Parameters
    ----------
    path : str or os.PathLike
        The file to write; ``-`` has no special meaning here.

    Yields
    ------
    BinaryIO
        Writable and seekable (if `path` is a regular file).

    Raises
    ------
    OSError
        The file cannot be written; raised before the block runs where that can be known.
    """
    path = Path(path)
    with _naming(path):
        mode = _permissions(path)
        if mode is None or stat.S_ISREG(mode):
            with _renamed_at_the_end(path.resolve(), mode) as file:
                yield file
        else:
            with path.open("wb") as file:
                yield file


@contextmanager
def _renamed_at_the_end(path: Path, mode: int | None) -> Iterator[BinaryIO]:
    temporary = path.with_name(f".{os.urandom(8).hex()}{_SUFFIX}")
    file = temporary.open("xb")  # made with the permissions that the umask asks for
    try:
        with file:
            yield file
            file.flush()
            if mode is not None:
                temporary.chmod(stat.S_IMODE(mode))
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _permissions(path: Path) -> int | None:
    """Return the mode of what is at `path`, None if nothing is; refuse what is protected."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    # Renaming over a read-only file would succeed, but its owner asked that nobody write it.
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return mode


@contextmanager
def _naming(path: StrPath) -> Iterator[None]:
    """Make the system's errors name `path`: not the temporary file, and not nothing at all."""
    try:
        yield
    except OSError as error:
        ours = error.filename is None or str(error.filename).endswith(_SUFFIX)
        if error.errno is None or not ours:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
