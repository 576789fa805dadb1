"""The inputs of a batch: a folder tree, a pattern, one file, or a list of names."""

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

from gaussianimage.batching.stores import Found, absolute, is_url, join, read, walk, wildcard

__all__ = ["find_inputs", "is_list"]


def is_list(source: str) -> bool:
    """Whether a source is ``@FILE``, a file of names."""
    return source.startswith("@")


def find_inputs(source: str, extensions: Collection[str], root: str | None) -> Iterator[Found]:
    """Yield the inputs of a batch.

    Parameters
    ----------
    source : str
        A folder, whose files with one of the extensions are taken, from its subfolders too; a
        pattern such as ``photos/**/*.jpg``; a file; or ``@FILE``, a file with one path or URL on
        each line. Each may be a URL.
    extensions : collection of str
        Extensions of the files to take from a folder, in lower case.
    root : str or None
        For a list, the folder that names are relative to; by default the last folder that all of
        them are in.

    Raises
    ------
    OSError
        If something can't be found or listed.
    ValueError
        If a listed name is outside of `root`.
    """
    if is_list(source):
        yield from _listed(source[1:], root)
        return
    whole = absolute(source) if not wildcard(source) else _absolute_pattern(source)
    folder = not wildcard(whole) and (is_url(whole) or os.path.isdir(whole))  # noqa: PTH112
    for found in walk(whole):
        taken = PurePosixPath(found.name).suffix.lower() in extensions
        # The file that a URL names is taken whatever its extension is.
        if taken or not folder or found.address == whole:
            yield found


def _absolute_pattern(pattern: str) -> str:
    return pattern if is_url(pattern) else os.path.abspath(pattern)  # noqa: PTH100


def _listed(file: str, root: str | None) -> Iterator[Found]:
    file = absolute(file)
    if root is None:
        root = _common_folder(_addresses(file))
    start = join(absolute(root), "")
    for address in _addresses(file):
        if not address.startswith(start):
            raise ValueError(f"{address}: is not in {start}, which outputs are named after")
        yield Found(address, address[len(start) :], _local_size(address))


def _addresses(file: str) -> Iterator[str]:
    """Yield the addresses in a list, which is read line by line if it is on this machine."""
    with contextlib.ExitStack() as stack:
        if is_url(file):
            lines: Iterable[bytes] = read(file).split(b"\n")
        else:
            lines = stack.enter_context(Path(file).open("rb"))
        for line in lines:
            name = os.fsdecode(line.rstrip(b"\r\n"))
            if name.strip():
                # A link keeps the name that the list gives it.
                yield name if is_url(name) else os.path.abspath(name)  # noqa: PTH100


def _common_folder(addresses: Iterator[str]) -> str:
    common: list[str] | None = None
    for address in addresses:
        parts = address.split("/")[:-1]
        if common is None:
            common = parts
        shared = (a == b for a, b in zip(common, parts, strict=False))
        most = min(len(common), len(parts))
        common = common[: next((n for n, same in enumerate(shared) if not same), most)]
    if common is None:
        return "/"
    if not common:
        raise ValueError("the listed names have no folder in common; root is one to name them by")
    if len(common) == 2 and common[0].endswith(":"):
        return f"{common[0]}//"  # different buckets of one kind of store
    return "/".join(common) or "/"


def _local_size(address: str) -> int | None:
    """Return the size of a file on this machine, and None for a URL or a missing file."""
    try:
        return None if is_url(address) else os.stat(address).st_size  # noqa: PTH116
    except OSError:
        return None  # the manifest gets the error
