"""The metadata of a picture file: orientation, ICC profile, EXIF and XMP."""

import re
import struct
from typing import Any, NamedTuple

import numpy.typing as npt
from PIL import Image

_ORIENTATION = 0x0112
_EXIF_PREFIX = b"Exif\0\0"
# Tags that describe the photograph. Every other tag of a TIFF file's directory describes the layout
# of that file and must not be copied into another file.
_DESCRIPTIVE = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298)  # texts
_DIRECTORIES = (0x8769, 0x8825)  # Exif, GPS


class ExtractedMetadata(NamedTuple):
    """The metadata of a Pillow image.

    Attributes
    ----------
    orientation : int
        EXIF's orientation of the pixels, 1 to 8; 1 is upright.
    icc, exif, xmp : bytes or None
        As in `Picture`; the orientation in EXIF and XMP is set to upright.
    """

    orientation: int
    icc: bytes | None
    exif: bytes | None
    xmp: bytes | None


def extract(image: Image.Image) -> ExtractedMetadata:
    """Collect the metadata of a Pillow image that has been loaded.

    EXIF data that is too broken to be made upright is left out.
    """
    info = image.info
    exif, orientation = None, None
    if image.format == "TIFF":
        # The directory of the file is the EXIF data, and Pillow has turned the pixels already.
        exif, orientation = _tiff_exif(image), 1
    elif raw := _raw_exif(info):
        exif, orientation = _upright_exif(raw)
    xmp, xmp_orientation = _upright_xmp(_bytes(info.get("xmp") or info.get("XML:com.adobe.xmp")))
    if orientation is None:
        orientation = xmp_orientation or 1
    return ExtractedMetadata(orientation, _bytes(info.get("icc_profile")), exif, xmp)


def upright(array: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Rotate and mirror an array (H, W, ...) upright, according to its EXIF orientation."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


def tiff_tags(source: bytes | Image.Exif) -> dict[int, Any]:
    """Return the descriptive tags of EXIF data, which the directory of a TIFF file may hold."""
    if isinstance(source, bytes):
        data, source = source, Image.Exif()
        source.load(data)
    tags = {tag: source[tag] for tag in _DESCRIPTIVE if tag in source}
    directories = {tag: dict(source.get_ifd(tag)) for tag in _DIRECTORIES}
    return tags | {tag: directory for tag, directory in directories.items() if directory}


def _tiff_exif(image: Image.Image) -> bytes | None:
    exif = Image.Exif()
    for tag, value in tiff_tags(image.getexif()).items():
        exif[tag] = value
    return exif.tobytes().removeprefix(_EXIF_PREFIX) if len(exif) else None


def _raw_exif(info: dict[str | tuple[int, int], Any]) -> bytes | None:
    exif = info.get("exif")
    if exif is None and (text := info.get("Raw profile type exif")):
        # ImageMagick stored EXIF data in PNG files this way before PNG had a chunk for it: a name
        # and a length, each on a line, then hexadecimal digits.
        try:
            exif = bytes.fromhex("".join(str(text).split("\n")[3:]))
        except ValueError:
            return None
    data = _bytes(exif)
    return data.removeprefix(_EXIF_PREFIX) if data else None


def _upright_exif(exif: bytes) -> tuple[bytes | None, int | None]:
    """Set the orientation to 1, and return the data and the old orientation."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    try:
        if order is None:
            return None, None
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind, length = struct.unpack_from(order + "HHI", exif, entry)
            if tag == _ORIENTATION and length == 1 and kind in (1, 3, 4):
                code = order + {1: "B", 3: "H", 4: "I"}[kind]
                (orientation,) = struct.unpack_from(code, exif, entry + 8)
                patched = bytearray(exif)
                struct.pack_into(code, patched, entry + 8, 1)
                return bytes(patched), orientation if 1 <= orientation <= 8 else 1
    except struct.error:
        return None, None
    return exif, None


def _upright_xmp(xmp: bytes | None) -> tuple[bytes | None, int | None]:
    if xmp is None:
        return None, None
    pattern = rb"(tiff:Orientation(?:=[\"']|>))([1-8])"
    match = re.search(pattern, xmp)
    return re.sub(pattern, rb"\g<1>1", xmp), int(match[2]) if match else None


def _bytes(value: object) -> bytes | None:
    if isinstance(value, str):
        value = value.encode()
    return value if isinstance(value, bytes) and value else None
