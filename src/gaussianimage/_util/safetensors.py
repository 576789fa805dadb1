"""Named arrays with metadata in safetensors files, the container of every saved float state."""

import json
from collections.abc import Collection, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gaussianimage._util.files import write_atomic
from gaussianimage.errors import FormatError, UnsupportedError

_Number = TypeVar("_Number", int, float)

# Bytes of a header that are looked at for the kind; those of this package have less than 1 kB.
_MOST_HEADER = 2**20

_DTYPES = {
    "BOOL": "?",
    "U8": "<u1",
    "U16": "<u2",
    "U32": "<u4",
    "U64": "<u8",
    "I8": "<i1",
    "I16": "<i2",
    "I32": "<i4",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}


def save_tensors(
    path: str | PathLike[str],
    kind: str,
    version: int,
    tensors: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, str],
) -> None:
    """Write a safetensors file, which is complete or does not exist.

    Parameters
    ----------
    path : path-like
        The file to write or replace.
    kind : str
        What the file holds; `load_tensors` refuses a file of another kind.
    version : int
        Version of that kind's layout, from 1.
    tensors : mapping of str to ndarray
        The arrays, of booleans, integers or floats.
    metadata : mapping of str to str
        Further entries; the keys "kind" and "version" are reserved.

    Raises
    ------
    OSError
        The file can't be written. An old file of that name is unharmed.
    """
    import safetensors.numpy

    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    data = safetensors.numpy.save(arrays)
    # safetensors writes metadata in an order that changes from call to call. This header has a
    # fixed order, so that equal content gives equal bytes. Offsets count from the header's end, so
    # the header may grow.
    size = int.from_bytes(data[:8], "little")
    texts = {"kind": kind, "version": str(version), **metadata}
    header = {"__metadata__": texts, **json.loads(data[8 : 8 + size])}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_atomic(path, len(text).to_bytes(8, "little") + text + data[8 + size :])


def read_kind(path: str | PathLike[str]) -> str | None:
    """Return the kind in a safetensors file's metadata, or None if there is none.

    Raises
    ------
    OSError
        The file can't be read.
    """
    with Path(path).open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        text = file.read(min(size, _MOST_HEADER))
    try:
        metadata = json.loads(text).get("__metadata__")
    except (ValueError, AttributeError):
        return None
    return metadata.get("kind") if isinstance(metadata, dict) else None


def load_tensors(
    path: str | PathLike[str],
    kind: str,
    version: int,
    tensors: Collection[str],
    metadata: Collection[str],
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read a file that `save_tensors` wrote.

    Parameters
    ----------
    path : path-like
        The file to read.
    kind, version
        Kind that the file must have, and the newest version that the caller understands.
    tensors, metadata : collection of str
        Names that the file must contain; it may contain more.

    Returns
    -------
    tensors : dict of str to ndarray
        All arrays in the file, read-only.
    metadata : dict of str to str
        All metadata, "kind" and "version" included.

    Raises
    ------
    FormatError
        The file isn't a safetensors file, is of another kind, or lacks one of the names.
    UnsupportedError
        The file's version is newer than `version`.
    OSError
        The file can't be read.
    """
    import safetensors

    data = Path(path).read_bytes()
    try:
        entries = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise FormatError(f"{path}: not a complete safetensors file: {error}") from error
    header_size = int.from_bytes(data[:8], "little")
    found: dict[str, str] = json.loads(data[8 : 8 + header_size]).get("__metadata__") or {}
    if found.get("kind") != kind:
        raise FormatError(f"{path}: expected metadata kind {kind!r}, got {found.get('kind')!r}")
    stored = metadata_number(path, found, "version", int)
    if stored > version:
        raise UnsupportedError(f"{path}: {kind} version {stored}, this reader knows {version}")
    arrays = {name: _array(path, name, entry) for name, entry in entries}
    for what, names, present in (("tensor", tensors, arrays), ("metadata", metadata, found)):
        if missing := sorted(set(names) - set(present)):
            raise FormatError(f"{path}: {what} missing: {', '.join(missing)}")
    return arrays, found


def metadata_number(
    path: str | PathLike[str], metadata: Mapping[str, str], name: str, convert: type[_Number]
) -> _Number:
    """Return one number of the metadata as `int` or `float`; a `FormatError` if it isn't one."""
    try:
        return convert(metadata[name])
    except (KeyError, ValueError) as error:
        text = metadata.get(name)
        expected = convert.__name__
        raise FormatError(f"{path}: metadata {name}: expected {expected}, got {text!r}") from error


def _array(path: str | PathLike[str], name: str, entry: Mapping[str, Any]) -> NDArray[Any]:
    dtype = _DTYPES.get(entry["dtype"])
    if dtype is None:
        raise FormatError(f"{path}: tensor {name}: no NumPy dtype for {entry['dtype']}")
    try:
        return np.frombuffer(bytes(entry["data"]), dtype).reshape(entry["shape"])
    except (ValueError, OverflowError) as error:  # empty, with a shape too large for NumPy
        raise FormatError(f"{path}: tensor {name}: {error}") from error
