"""Reading and writing whole files: an output file is complete or does not exist."""

import errno
import os
import shutil
import stat
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, TextIO, TypeAlias

from gaussianimage.errors import GaussianImageWarning

__all__ = [
    "StrPath",
    "atomic_output",
    "discard_unfinished",
    "is_stream",
    "is_terminal",
    "read_input",
    "write_atomic",
    "write_output",
]

StrPath: TypeAlias = str | os.PathLike[str]

_SUFFIX = ".gaussianimage-tmp"

# Errors of creating a file beside the output, or of renaming it to the output, although the output
# itself may be writable: its folder is write-protected or read-only, or it is a mount point.
_NOT_HERE = (errno.EACCES, errno.EBUSY, errno.EPERM, errno.EROFS, errno.EXDEV)

# Temporary files that are being written; None once the process is about to end. The lock is also
# held while a file is written over in place.
_unfinished: set[Path] | None = set()
_lock = threading.RLock()

# Largest old content that is kept in memory while it is written over; larger content goes to a
# temporary file.
_BACKUP_BYTES = 64 << 20


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
        # An unbuffered stdout may write only a part of the data.
        left = memoryview(data)
        while left:
            left = left[stdout.write(left) :]
        stdout.flush()
    else:
        write_atomic(path, data)


def write_atomic(path: StrPath, data: bytes) -> None:
    """Replace the content of the file `path` by `data`, or leave everything as it was.

    `atomic_output` describes the details.

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

    A new file gets the permissions that `open` would give it; an old file keeps its own. A
    symbolic link stays and the file that it points to is replaced. A special file (``/dev/null``,
    a pipe) cannot be replaced and is written to directly.

    An old file that can be written to but not replaced (a mount point, or a file in a folder where
    no file can be created) is written over at the end of the block, with a
    `GaussianImageWarning`. By then the new content is complete in a temporary file, and the old
    content has been copied to memory or to another temporary file. If the writing fails,
    `KeyboardInterrupt` included, the old content is written back. The file then holds either the
    new content or the old one, unless the process is killed or the machine stops during the
    writing. If writing back fails too, a copy of the old content is kept and a note of the error
    names it.

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
        The file cannot be written. The error is raised before the block runs if it is known then.
    """
    path = Path(path)
    with _naming(path):
        mode = _permissions(path)
        if mode is not None and not stat.S_ISREG(mode):
            with path.open("wb") as special:
                yield special
            return
        real = path.resolve()
        name = real.with_name(f".{os.urandom(8).hex()}{_SUFFIX}")
        try:
            file = _begin(name)
        except OSError as error:
            if mode is None or error.errno not in _NOT_HERE:
                raise
            with tempfile.TemporaryFile(suffix=_SUFFIX) as unnamed:
                yield unnamed
                _write_over(real, unnamed)
            _warn(path)
        else:
            with _removed_on_failure(name), file:
                yield file
                replaced = _replace(name, file, real, mode)
            if not replaced:
                _warn(path)


@contextmanager
def _removed_on_failure(temporary: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    finally:
        if _unfinished is not None:
            _unfinished.discard(temporary)


def _begin(temporary: Path) -> BinaryIO:
    with _lock:
        if _unfinished is None:
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        file = temporary.open("x+b")  # with the permissions that the umask allows
        _unfinished.add(temporary)
        return file


def discard_unfinished() -> None:
    """Remove the unfinished files of other threads, and let these threads write no more.

    A process calls this before it ends without waiting for its threads. The call waits until a file
    that is being written over in place is complete.
    """
    global _unfinished
    with _lock:
        unfinished, _unfinished = _unfinished or set(), None
        for temporary in unfinished:
            with suppress(OSError):
                temporary.unlink()


def _replace(temporary: Path, file: BinaryIO, path: Path, mode: int | None) -> bool:
    """Rename a temporary file to `path`, or copy it over `path`; return whether it was renamed."""
    file.flush()
    if mode is not None:
        temporary.chmod(stat.S_IMODE(mode))
    os.fsync(file.fileno())
    try:
        temporary.replace(path)
    except OSError as error:
        if mode is None or error.errno not in _NOT_HERE:
            raise
        _write_over(path, file)
        temporary.unlink()
        return False
    return True


def _write_over(path: Path, new: BinaryIO) -> None:
    """Write new content over a file, and restore the old content on failure."""
    with _lock, path.open("r+b") as file:
        if _unfinished is None:
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        backup = tempfile.SpooledTemporaryFile(_BACKUP_BYTES)  # noqa: SIM115 - kept on failure
        shutil.copyfileobj(file, backup)
        try:
            _overwrite(file, new)
        except BaseException as error:
            try:
                _overwrite(file, backup)
            except OSError:
                _keep(backup, error)
            raise
        finally:
            backup.close()


def _overwrite(file: IO[bytes], content: IO[bytes]) -> None:
    content.seek(0)
    file.seek(0)
    shutil.copyfileobj(content, file)
    file.truncate()
    file.flush()
    os.fsync(file.fileno())


def _keep(backup: IO[bytes], error: BaseException) -> None:
    """Save old content that could not be written back in a file, and name the file in the error."""
    backup.seek(0)
    with suppress(OSError):
        with tempfile.NamedTemporaryFile(prefix="gaussianimage-backup-", delete=False) as saved:
            shutil.copyfileobj(backup, saved)
        error.add_note(f"the old content is in {saved.name}")


def _warn(path: Path) -> None:
    warnings.warn(
        f"{path}: could not be replaced, so it was written over in place",
        GaussianImageWarning,
        stacklevel=2,
    )


def _permissions(path: Path) -> int | None:
    """Return the mode of the file at `path`, None if there is none; refuse a read-only file."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    # Renaming over a read-only file would succeed, but its owner has forbidden writing to it.
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return mode


@contextmanager
def _naming(path: StrPath) -> Iterator[None]:
    """Make an OSError name `path` if it names the temporary file or no file."""
    try:
        yield
    except OSError as error:
        ours = error.filename is None or str(error.filename).endswith(_SUFFIX)
        if error.errno is None or not ours:
            raise
        named = OSError(error.errno, error.strerror, os.fspath(path))
        for note in getattr(error, "__notes__", ()):
            named.add_note(note)
        raise named from None
