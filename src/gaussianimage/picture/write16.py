"""PNG, TIFF and PPM files of 16 bits a sample; Pillow writes only gray ones."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import TiffImagePlugin, TiffTags

from gaussianimage.picture.metadata import tiff_tags

_Pixels = npt.NDArray[np.uint16]


def png(
    pixels: _Pixels,  # (H, W, C)
    *,
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    compress_level: int = 6,
    **_: object,
) -> bytes:
    """Encode as PNG; each row gets the filter with the smallest absolute sum, as in libpng."""
    height, width, channels = pixels.shape
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0))]
    if icc:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc)))
    if xmp:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    if exif:
        chunks.append((b"eXIf", exif))
    compressor = zlib.compressobj(compress_level, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    chunks += [(b"IDAT", compressor.compress(rows)) for rows in _filtered(pixels)]
    chunks += [(b"IDAT", compressor.flush()), (b"IEND", b"")]
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, data in chunks:
        if data or name == b"IEND":
            check = zlib.crc32(data, zlib.crc32(name))
            parts += [struct.pack(">I", len(data)), name, data, struct.pack(">I", check)]
    return b"".join(parts)


def _filtered(pixels: _Pixels, block: int = 64) -> Iterator[bytes]:
    height, width, channels = pixels.shape
    step = 2 * channels
    above = np.zeros((1, step * (width + 1)), np.int16)
    for top in range(0, height, block):
        rows = (
            pixels[top : top + block]
            .astype(">u2", order="C")
            .view(np.uint8)
            .reshape(-1, step * width)
        )
        # Pad a pixel of zeros at the left, so that every byte has a left neighbor.
        padded = np.pad(rows.astype(np.int16), ((0, 0), (step, 0)))
        shifted = np.concatenate([above, padded[:-1]])
        above = padded[-1:]
        left, up, corner = padded[:, :-step], shifted[:, step:], shifted[:, :-step]
        predictions = (0, left, up, (left + up) >> 1, _paeth(left, up, corner))
        residuals = np.stack([(padded[:, step:] - p).astype(np.uint8) for p in predictions])
        cost = np.abs(residuals.view(np.int8).astype(np.int16)).sum(axis=2, dtype=np.int64)
        best = cost.argmin(axis=0)
        chosen = residuals[best, np.arange(len(rows))]
        yield np.concatenate([best[:, None].astype(np.uint8), chosen], axis=1).tobytes()


def _paeth(
    left: npt.NDArray[np.int16], up: npt.NDArray[np.int16], corner: npt.NDArray[np.int16]
) -> npt.NDArray[np.int16]:
    to_left, to_up = np.abs(up - corner), np.abs(left - corner)
    to_corner = np.abs(left + up - 2 * corner)
    nearest_left = (to_left <= to_up) & (to_left <= to_corner)
    return np.where(nearest_left, left, np.where(to_up <= to_corner, up, corner))


def tiff(
    pixels: _Pixels,  # (H, W, C), C = 1, 3 or 4
    *,
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    compression: str | None = None,
    **_: object,
) -> bytes:
    """Encode as little-endian TIFF of one strip, plain or (``tiff_adobe_deflate``) deflated."""
    methods = {None: 1, "raw": 1, "tiff_adobe_deflate": 8, "tiff_deflate": 8}
    if compression not in methods:
        raise ValueError(
            "a 16-bit TIFF file of color is written plain or with compression="
            f"'tiff_adobe_deflate', not {compression!r}"
        )
    height, width, channels = pixels.shape
    data = pixels.astype("<u2").tobytes()
    if methods[compression] == 8:
        data = zlib.compress(data)
    directory = tiff_directory(icc=icc, exif=exif, xmp=xmp)
    directory[256], directory[257] = width, height
    directory[258] = (16,) * channels
    directory[259] = methods[compression]
    directory[262] = 1 if channels == 1 else 2
    directory[273] = 0  # the strip's offset, counted from the end of the directory
    directory[277] = channels
    directory[278] = height
    directory[279] = len(data)
    directory[284] = 1
    if channels == 4:
        directory[338] = 2  # alpha, not multiplied into the color
    file = io.BytesIO()
    directory.save(file)
    file.write(data)
    return file.getvalue()


def tiff_directory(
    *, icc: bytes | None = None, exif: bytes | None = None, xmp: bytes | None = None
) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Put metadata into a directory for Pillow's own writer (its option ``tiffinfo``)."""
    directory: Any = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in (tiff_tags(exif) if exif else {}).items():
        directory[tag] = value
    for tag, kind, data in ((700, TiffTags.BYTE, xmp), (34675, TiffTags.UNDEFINED, icc)):
        if data:
            directory.tagtype[tag] = kind
            directory[tag] = data
    return directory  # type: ignore[no-any-return]


def ppm(pixels: _Pixels, **_: object) -> bytes:
    """Encode as binary PGM (C = 1) or PPM (C = 3), which hold no metadata."""
    height, width, channels = pixels.shape
    header = f"P{5 if channels == 1 else 6}\n{width} {height}\n65535\n"
    return header.encode() + pixels.astype(">u2").tobytes()
