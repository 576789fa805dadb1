"""Truncated picture files: each is completed with an end if it has most of its picture.

Pillow has a switch for truncated files, but the switch is a global variable. This module appends an
end instead, and the completed file is read as usual. The end is a marker in a JPEG file, rows of
zeros in a PNG file, and zeros in a file of plain samples.
"""

import re
import struct
import zlib
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

LEAST = 0.5  # share of the rows

# Rows that a block of chroma usually covers.
_BLOCK = 16
_PLAIN = ("BMP", "DIB", "IM", "PPM", "SGI", "SUN", "TGA", "TIFF")
_END_OF_IMAGE = b"\xff\xd9"
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


class Mended(NamedTuple):
    """A completed file, and the share of its picture that comes from the truncated file."""

    data: bytes
    share: float | None  # share of the rows; None if only the pixels show it
    filled: str  # color of the missing pixels


def mend(
    data: bytes, format_name: str | None, size: tuple[int, int], codecs: Collection[str]
) -> Mended | None:
    """Return a readable file in place of a file that ends too early.

    Parameters
    ----------
    data : bytes
        The whole file.
    format_name : str or None
        Pillow's name of the format.
    size : tuple of int
        Width and height in pixels.
    codecs : collection of str
        Pillow's names of the decoders that the picture needs.

    Returns
    -------
    Mended or None
        None if the file has another format, is broken rather than cut, or has too few rows.
    """
    if format_name in ("JPEG", "MPO"):
        return _jpeg(data)
    if format_name == "PNG":
        return _png(data, *size)
    if format_name in _PLAIN and codecs and set(codecs) <= {"raw", "ppm"}:
        # Plain samples. The zeros double the file; a file that is still too short has less than
        # half of its picture.
        return Mended(data + bytes(len(data)), None, "black")
    return None


def jpeg_share(image: Image.Image) -> float:
    """Return how much of a JPEG picture is not the gray that libjpeg fills missing blocks with."""
    pixels = np.asarray(image).astype(np.int16)
    width, height = image.size
    known: npt.NDArray[np.bool_] = (np.abs(pixels - 128) > 1).reshape(height, width, -1)
    known = np.logical_or.reduce(known, axis=2)
    rows = np.flatnonzero(np.logical_or.reduce(known, axis=1))
    if not rows.size:
        return 0.0
    bottom = int(rows[-1]) + 1
    top = max((bottom - 1) // _BLOCK * _BLOCK, 0)
    columns = int(np.flatnonzero(np.logical_or.reduce(known[top:bottom], axis=0))[-1]) + 1
    return float((top + (bottom - top) * columns / width) / height)


def tiff_share(image: ImageFile.ImageFile) -> float:
    """Return how much of an opened TIFF picture its strips or tiles cover.

    Pillow leaves the pixels of missing strips or tiles black.
    """
    if image.format != "TIFF":
        return 1.0
    width, height = image.size
    boxes = {tile[1] or (0, 0, width, height) for tile in image.tile}
    area = sum(max(x1 - x0, 0) * max(y1 - y0, 0) for x0, y0, x1, y1 in boxes)
    return min(area / (width * height), 1.0)


def _jpeg(data: bytes) -> Mended | None:
    """Cut off an incomplete segment, and append an end marker.

    A progressive file has several scans, and the first scans have little detail. The scan with the
    highest frequencies of brightness must be whole.
    """
    position, progressive, fine = 2, False, False
    while (found := _MARKER.search(data, position)) is not None:
        marker, position = data[found.start() + 1], found.end()
        if marker == 0xD9:
            # The first picture has its end, so the file is cut behind it or is broken.
            return None
        if marker in _WITHOUT_LENGTH:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        if position + length > len(data) or length < 2:
            data = data[: found.start()]
            break
        if marker in (0xC2, 0xC6, 0xCA, 0xCE):
            progressive = True
        if marker == 0xDA:
            segment = data[position : position + length]
            brightest = segment[3:4] <= b"\x01" or segment[3:4] == b"R"
            following = _MARKER.search(data, position + length)
            # The segment's last byte but one is the end of its band of frequencies.
            fine = fine or (brightest and segment[-2] == 63 and following is not None)
        position += length
    if progressive and not fine:
        return None
    return Mended(data + _END_OF_IMAGE, None, "gray")


def _png(data: bytes, width: int, height: int) -> Mended | None:
    """Unpack the existing rows and pack them again, with rows of zeros for the missing ones."""
    kept, packed, ended = [], [], False
    position = len(_PNG_START)
    head = b""
    while position + 8 <= len(data) and not ended:
        length, name = struct.unpack_from(">I4s", data, position)
        content = data[position + 8 : position + 8 + length]
        whole = position + 12 + length <= len(data)
        if name == b"IDAT":
            packed.append(content)
        elif name == b"IHDR":
            head = content
        elif whole and not packed and name not in (b"acTL", b"fcTL", b"fdAT"):
            kept.append((name, content))
        ended = name == b"IEND" and whole
        position += 12 + length
    if ended or len(head) != 13 or not packed:
        return None
    depth, color_type, interlaced = head[8], head[9], head[12]
    bits = depth * _PNG_CHANNELS.get(color_type, 0)
    if not bits:
        return None
    rows = [(width, height)]
    if interlaced:  # Adam7
        steps = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
        rows = [
            (-(-(width - x) // dx), -(-(height - y) // dy))
            for x, y, dx, dy in (*steps, (0, 1, 1, 2))
        ]
    sizes = [(-(-w * bits // 8) + 1, h) for w, h in rows if w > 0 and h > 0]
    total = sum(size * count for size, count in sizes)
    stream = zlib.decompressobj()
    try:
        pixels = stream.decompress(b"".join(packed), total)
    except zlib.error:
        return None
    share = len(pixels) / total
    # Rows missing from a pass of an interlaced picture are missing all over the picture.
    if share < (1 if interlaced else LEAST):
        return None
    if not interlaced:  # keep whole rows: a filter needs a whole row
        pixels = pixels[: len(pixels) // sizes[0][0] * sizes[0][0]]
    pixels += bytes(total - len(pixels))
    chunks = [(b"IHDR", head), *kept, (b"IDAT", zlib.compress(pixels, 1)), (b"IEND", b"")]
    parts = [_PNG_START]
    for name, content in chunks:
        check = zlib.crc32(content, zlib.crc32(name))
        parts += [struct.pack(">I4s", len(content), name), content, struct.pack(">I", check)]
    filled = "transparent" if color_type in (4, 6) else "black"
    return Mended(b"".join(parts), share, filled)
