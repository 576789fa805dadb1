"""Where pictures are: files on this machine, and everything that fsspec opens by a URL.

An address is a path or a URL such as ``s3://bucket/photo.jpg``. Reading and writing are tried again
after an error that may pass. This is done here and not by an engine, whose retry would encode the
picture again.
"""

import errno
import glob
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, NoReturn, TypeVar

from gaussianimage._util.files import write_atomic

__all__ = [
    "Found",
    "absolute",
    "check_input",
    "check_output_folder",
    "is_full",
    "is_url",
    "join",
    "move_in",
    "process_memory",
    "put",
    "read",
    "remove",
    "size",
    "walk",
    "wildcard",
]

Result = TypeVar("Result")

# Seconds between the tries of one reading or writing.
WAITS = (0.1, 0.5, 2.5)

# A single put to these stores is whole or not there, and a rename would copy.
_OBJECT_STORES = frozenset({"abfs", "az", "adl", "gcs", "gs", "memory", "oci", "oss", "s3", "s3a"})

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?:://|::)")
_FULL = (errno.ENOSPC, errno.EDQUOT)
# Errors of a network's file system on this machine that may pass.
_LOCAL_PASSING = (errno.EAGAIN, errno.EIO, errno.EINTR, errno.ESTALE, errno.ETIMEDOUT)
_LASTING = (
    FileExistsError,
    FileNotFoundError,
    ImportError,
    IsADirectoryError,
    MemoryError,
    NotADirectoryError,
    NotImplementedError,
    PermissionError,
    TypeError,
    ValueError,
)
_LASTING_NUMBERS = (*_FULL, errno.EROFS, errno.ENAMETOOLONG)


class Found(NamedTuple):
    """A file that was found: its address, its name under the root, and its size if known."""

    address: str
    name: str
    size: int | None


def is_url(address: str) -> bool:
    """Whether an address is a URL, which needs fsspec; ``file://`` is one too."""
    return _URL.match(address) is not None


def process_memory(address: str) -> bool:
    """Whether an address is in the memory of one process, which no other process sees."""
    return address.startswith("memory:")


def absolute(address: str) -> str:
    """Return an address that means the same in every working folder, without a ``/`` at its end."""
    if is_url(address):
        return address.rstrip("/") if not address.endswith("://") else address
    return os.path.realpath(address)


def join(root: str, name: str) -> str:
    """Return the address of a name under a root."""
    return f"{root}{name}" if root.endswith("/") else f"{root}/{name}"


def wildcard(address: str) -> bool:
    """Whether an address is a pattern of names rather than a name that exists."""
    return glob.has_magic(address) and (is_url(address) or not os.path.lexists(address))


def read(address: str) -> bytes:
    """Return the bytes of a file.

    Raises
    ------
    OSError
        The file can't be read, after several tries if the error may pass.
    ImportError
        fsspec, or the package of a kind of store, is not installed.
    """
    if not is_url(address):
        return _tried(Path(address).read_bytes, address)
    fs, path = _remote(address)
    data: bytes = _tried(partial(fs.cat_file, path), address)
    return data


def put(address: str, data: bytes) -> None:
    """Write a file that takes its name only when it is whole, and make its folder.

    An object store gets a single put. A file system gets the data under another name, which is
    then changed.

    Raises
    ------
    OSError
        The file can't be written, after several tries if the error may pass.
    """
    _tried(partial(_put_once, address, data), address)


def move_in(path: Path, address: str) -> None:
    """Write a file of any size from a file on this machine, as `put` does, and remove the latter.

    Raises
    ------
    OSError
        The file can't be written.
    """
    if is_url(address):
        fs, remote = _remote(address)
        _tried(partial(_put_whole, fs, remote, lambda name: fs.put_file(str(path), name)), address)
        path.unlink()
    else:
        path.replace(address)


def size(address: str) -> int | None:
    """Return the size of a file in bytes, or None if there is none.

    Raises
    ------
    OSError
        The store can't be asked.
    """
    if not is_url(address):
        try:
            return _tried(lambda: Path(address).stat().st_size, address)
        except (FileNotFoundError, NotADirectoryError):
            return None
    fs, path = _remote(address)
    try:
        return int(_tried(partial(fs.info, path), address)["size"])
    except FileNotFoundError:
        return None


def remove(address: str) -> None:
    """Remove a file that may be missing."""
    try:
        if is_url(address):
            fs, path = _remote(address)
            _tried(partial(fs.rm_file, path), address)
        else:
            Path(address).unlink()
    except FileNotFoundError:
        pass


def walk(root: str) -> Iterator[Found]:
    """Yield the files under a folder or of a pattern, or the one file of that name.

    Hidden files and folders are left out of folders, and links to folders are not followed. Files
    of one folder come in the order in which the store lists them.

    Raises
    ------
    FileNotFoundError
        There is nothing of that name.
    OSError
        A folder can't be listed.
    """
    if is_url(root):
        yield from _walk_remote(root)
    elif wildcard(root):
        base = _fixed_part(root)
        # glob.iglob would follow links into circles.
        for path in Path(base).glob(os.path.relpath(root, base)):
            name = path.relative_to(base).as_posix()
            if not _hidden(name) and path.is_file():
                yield Found(str(path), name, path.stat().st_size)
    elif os.path.isdir(root):  # noqa: PTH112
        yield from _walk_folder(root, "")
    else:
        yield Found(root, os.path.basename(root), os.stat(root).st_size)  # noqa: PTH116, PTH119


def check_input(address: str) -> None:
    """Fail before the work if a store can't be reached, or has nothing of that name.

    Raises
    ------
    OSError
        With the store's own words.
    """
    if not is_url(address):
        if not wildcard(address):
            os.stat(address)  # noqa: PTH116
    else:
        fs, path = _remote(address)
        if not glob.has_magic(path) and not _tried(partial(fs.exists, path), address):
            # Some file systems answer False where they can't answer.
            _tried(partial(fs.info, path), address)


def check_output_folder(address: str) -> None:
    """Fail before the work if nothing can be written to a folder, which is made.

    Raises
    ------
    OSError
        With the store's own words.
    """
    probe = join(address, f".{uuid.uuid4().hex}.gaussianimage-tmp")
    put(probe, b"")
    remove(probe)


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk is full, so that no further picture can be written."""
    return isinstance(error, OSError) and error.errno in _FULL


def _walk_folder(folder: str, prefix: str) -> Iterator[Found]:
    # os.walk would keep all names of a folder.
    folders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.is_file():
                yield Found(entry.path, prefix + entry.name, entry.stat().st_size)
    for name in sorted(folders):
        yield from _walk_folder(os.path.join(folder, name), f"{prefix}{name}/")  # noqa: PTH118


def _walk_remote(root: str) -> Iterator[Found]:
    fs, path = _remote(root)
    if glob.has_magic(path):
        found = _tried(partial(fs.glob, path, detail=True), root)
        base = _fixed_part(path)
        for name, facts in found.items():
            short = name[len(base) :].lstrip("/") if name.startswith(base) else name
            if facts["type"] == "file" and not _hidden(short):
                yield Found(fs.unstrip_protocol(name), short, facts.get("size"))
        return
    facts = _tried(partial(fs.info, path), root)
    if facts["type"] == "file":
        yield Found(root, PurePosixPath(path).name, facts.get("size"))
        return
    top = fs._strip_protocol(path)
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        listed = _tried(partial(fs.ls, folder, detail=True), root)
        for facts in listed:
            name = facts["name"].rstrip("/")
            if PurePosixPath(name).name.startswith(".") or name == folder.rstrip("/"):
                continue
            if facts["type"] == "directory":
                waiting.append(name)
            elif facts["type"] == "file":
                short = name[len(top) :].lstrip("/")
                yield Found(join(root, short), short, facts.get("size"))
        # A listing is needed once; those of a million names would fill the memory.
        fs.invalidate_cache(folder)


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _fixed_part(pattern: str) -> str:
    """Return the folder before the first wildcard of a pattern."""
    parts = pattern.split("/")
    fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:fixed]) or ("/" if pattern.startswith("/") else "")


def _put_once(address: str, data: bytes) -> None:
    if is_url(address):
        fs, path = _remote(address)
        _put_whole(fs, path, lambda name: fs.pipe_file(name, data))
    else:
        Path(address).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(address, data)


def _put_whole(fs: Any, path: str, write: Callable[[str], Any]) -> None:
    protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
    if protocols & _OBJECT_STORES:
        write(path)
        return
    folder, _, name = path.rpartition("/")
    if folder:
        fs.makedirs(folder, exist_ok=True)
    temporary = f"{folder}/.{uuid.uuid4().hex}.gaussianimage-tmp" if folder else f".{name}.tmp"
    try:
        write(temporary)
        try:
            fs.mv(temporary, path)
        except FileExistsError:  # this file system's rename replaces nothing
            fs.rm_file(path)
            fs.mv(temporary, path)
    except BaseException:
        if fs.exists(temporary):
            fs.rm_file(temporary)
        raise


def _remote(address: str) -> tuple[Any, str]:
    """Return the file system of a URL, which fsspec keeps, and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "fsspec":
            raise
        message = f"{address}: needs fsspec: pip install gaussianimage[ray]"
        raise ImportError(message) from None
    try:
        fs, path = url_to_fs(address)
    except (ImportError, ValueError) as error:
        # fsspec's own words name the package that is missing, or say that nobody knows the scheme.
        raise type(error)(f"{address}: {error}") from error
    return fs, str(path)


def _tried(call: Callable[[], Result], address: str) -> Result:
    """Return the result of a call, which is made again after errors that may pass."""
    waits = list(WAITS)
    while True:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - stores raise errors of many packages
            if not waits or not _may_pass(error, remote=is_url(address)):
                _raise(error, address)
            time.sleep(waits.pop(0))


def _may_pass(error: Exception, *, remote: bool) -> bool:
    number = getattr(error, "errno", None)
    if not remote:
        return number in _LOCAL_PASSING
    if isinstance(error, _LASTING) or number in _LASTING_NUMBERS:
        return False
    return "Credential" not in type(error).__name__


def _raise(error: Exception, address: str) -> NoReturn:
    """Raise an error, as an OSError that names the address unless it is plain misuse."""
    if isinstance(error, MemoryError | ImportError) or not is_url(address):
        raise error
    kind: type[OSError] = type(error) if isinstance(error, OSError) else OSError
    number = getattr(error, "errno", None)
    if not isinstance(number, int):
        number = {FileNotFoundError: errno.ENOENT, PermissionError: errno.EACCES}.get(
            kind, errno.EIO
        )
    told = getattr(error, "strerror", None) or str(error) or os.strerror(number)
    if not isinstance(error, OSError):
        told = f"{type(error).__name__}: {told}"
    raise OSError(number, told, address) from error
