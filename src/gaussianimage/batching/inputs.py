"""The inputs of a batch: a folder tree, a pattern, one file, or a list of names."""

import os
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

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
    data = read(file if is_url(file) else os.path.abspath(file))  # noqa: PTH100
    if root is None:
        root = _common_folder(data)
    start = join(absolute(root) if not is_url(root) else root.rstrip("/"), "")
    for address in _addresses(data):
        if not address.startswith(start):
            raise ValueError(f"{address}: is not in {start}, which outputs are named after")
        yield Found(address, address[len(start) :], _local_size(address))


def _addresses(data: bytes) -> Iterator[str]:
    begin = 0
    while begin < len(data):
        end = data.find(b"\n", begin)
        end = len(data) if end < 0 else end
        name = os.fsdecode(data[begin:end].rstrip(b"\r"))
        if name.strip():
            # A link keeps the name that the list gives it.
            yield name if is_url(name) else os.path.abspath(name)  # noqa: PTH100
        begin = end + 1


def _common_folder(data: bytes) -> str:
    common: list[str] | None = None
    for address in _addresses(data):
        parts = address.split("/")[:-1]
        if common is None:
            common = parts
        shared = (a == b for a, b in zip(common, parts, strict=False))
        common = common[: next((n for n, same in enumerate(shared) if not same), len(parts))]
    if not common or common[-1].endswith(":") or common == [""]:
        return "/" if common in ([], [""]) else "/".join(common or [])
    return "/".join(common)


def _local_size(address: str) -> int | None:
    """Return the size of a file on this machine, and None for a URL or a missing file."""
    try:
        return None if is_url(address) else os.stat(address).st_size  # noqa: PTH116
    except OSError:
        return None  # the manifest gets the error
