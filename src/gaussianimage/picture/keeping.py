"""Keeping or removing kinds of metadata, and the location in EXIF and XMP."""

import re
import struct
from collections.abc import Collection
from typing import TypeAlias, TypedDict

from gaussianimage._util.arguments import choice

__all__ = ["KINDS", "Extras", "Kept", "exif_without_gps", "keep", "kept_kinds", "xmp_without_gps"]

KINDS = ("icc", "exif", "xmp", "gps")

# "all", "none", or a selection of `KINDS`.
Kept: TypeAlias = str | Collection[str]

_GPS = 0x8825
# Bytes of a value by its type, as TIFF 6.0 numbers them.
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_MOST_DIRECTORIES = 8  # a photo usually has two: one for itself and one for its thumbnail

_XMP_ATTRIBUTE = re.compile(rb"""\s[\w.-]+:GPS\w*\s*=\s*(?:"[^"<]*"|'[^'<]*')""")
_XMP_ELEMENT = re.compile(rb"<([\w.-]+:GPS\w*)\b[^<>]*(?:/>|>[^<]*</\1\s*>)")


def kept_kinds(metadata: Kept) -> frozenset[str]:
    """Return the kinds of metadata that an argument `metadata` asks to keep.

    Parameters
    ----------
    metadata : str or collection of str
        "all", "none", or some of "icc", "exif", "xmp" and "gps".

    Raises
    ------
    TypeError, ValueError
        `metadata` has another type or value.
    """
    if isinstance(metadata, str):
        if metadata in ("all", "none"):
            return frozenset(KINDS if metadata == "all" else ())
        return frozenset([choice("metadata", metadata, ("all", "none", *KINDS))])
    names: object = metadata  # a caller may pass any type
    if not isinstance(names, Collection):
        kind = type(names).__name__
        raise TypeError(f"metadata: expected 'all', 'none' or several names, got {kind}")
    return frozenset(choice("metadata", name, KINDS) for name in names)


class Extras(TypedDict):
    """A picture's metadata, as the arguments of `Picture`."""

    icc: bytes | None
    exif: bytes | None
    xmp: bytes | None


def keep(metadata: Kept, extras: Extras) -> Extras:
    """Return the part of a picture's metadata that is kept; see `Picture.keeping`."""
    kinds = kept_kinds(metadata)
    icc = extras["icc"] if "icc" in kinds else None
    exif = extras["exif"] if "exif" in kinds else None
    xmp = extras["xmp"] if "xmp" in kinds else None
    if "gps" not in kinds:
        exif = None if exif is None else exif_without_gps(exif)
        xmp = None if xmp is None else xmp_without_gps(xmp)
    return {"icc": icc, "exif": exif, "xmp": xmp}


def exif_without_gps(exif: bytes) -> bytes | None:
    """Take the GPS directory out of EXIF data; every other value keeps its bytes and its offset.

    Parameters
    ----------
    exif : bytes
        EXIF data, which starts with its ``II`` or ``MM``.

    Returns
    -------
    bytes or None
        EXIF data without location; None for broken data, which may hide a location.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return None
    data = bytearray(exif)
    try:
        (directory,) = struct.unpack_from(order + "I", data, 4)
        for _ in range(_MOST_DIRECTORIES):
            while (entry := _gps_entry(data, order, directory)) is not None:
                (pointer,) = struct.unpack_from(order + "I", data, entry + 8)
                _blank(data, order, pointer)
                _remove(data, order, directory, entry)
            (count,) = struct.unpack_from(order + "H", data, directory)
            after = directory + 2 + 12 * count
            # Some writers omit the offset of the next directory.
            (directory,) = struct.unpack_from(order + "I", data[after : after + 4] or bytes(4))
            if directory == 0:
                return bytes(data)
    except struct.error:
        pass
    return None


def _gps_entry(data: bytearray, order: str, directory: int) -> int | None:
    """Return the offset of a directory's entry that points to the GPS directory, None if absent."""
    (count,) = struct.unpack_from(order + "H", data, directory)
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        if struct.unpack_from(order + "H", data, entry) == (_GPS,):
            return entry
    return None


def _blank(data: bytearray, order: str, directory: int) -> None:
    """Overwrite a directory and its out-of-line values with zeros."""
    (count,) = struct.unpack_from(order + "H", data, directory)
    values = []
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        _, kind, length, offset = struct.unpack_from(order + "HHII", data, entry)
        size = _TYPE_SIZES.get(kind, 1) * length
        if size > 4:
            values.append((offset, size))
    values.append((directory, 2 + 12 * count))
    if sum(size for _, size in values) > len(data):
        raise struct.error("values that overlap")
    for offset, size in values:
        end = min(offset + size, len(data))
        data[offset:end] = bytes(max(0, end - offset))


def _remove(data: bytearray, order: str, directory: int, entry: int) -> None:
    """Remove an entry of a directory by moving the following bytes into its place."""
    (count,) = struct.unpack_from(order + "H", data, directory)
    if count == 0:  # blanking the GPS directory has blanked this directory too
        raise struct.error("directories that overlap")
    end = min(directory + 2 + 12 * count + 4, len(data))  # behind the next directory's offset
    rest = data[entry + 12 : end]
    data[entry:end] = rest + bytes(end - entry - len(rest))
    struct.pack_into(order + "H", data, directory, count - 1)


def xmp_without_gps(xmp: bytes) -> bytes | None:
    """Take the properties ``exif:GPS...`` out of an XMP packet.

    Returns
    -------
    bytes or None
        The packet without location; None if a location in another notation is left.
    """
    for pattern in (_XMP_ATTRIBUTE, _XMP_ELEMENT):
        xmp = pattern.sub(b"", xmp)
    # In UTF-16 or UTF-32 there are zeros between the letters.
    return None if b":GPS" in xmp.replace(b"\0", b"") else xmp
