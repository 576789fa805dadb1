"""Writing pictures: an array or a `Picture`, through Pillow, to a file, stdout or a stream."""

import io
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

from gaussianimage._util.files import StrPath, is_stream, write_output
from gaussianimage.picture import write16
from gaussianimage.picture.flatten import WHITE, flatten_array
from gaussianimage.picture.pixels import Picture, check_array_shape, from_array, to_array
from gaussianimage.picture.warn import ignore

# Pillow's own defaults (JPEG 75 with halved chroma, WebP 80, AVIF 75) would add a visible loss to a
# decoded picture.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "MPO": {"quality": 95, "subsampling": "4:4:4"},
    "WEBP": {"quality": 95},
    "AVIF": {"quality": 90},
}
# Formats that Pillow hands to other software, icon sets of fixed sizes, an extension that stands
# for floats, and our own format (its Pillow plugin may be registered), which
# `gaussianimage.encode` writes.
_LEFT_OUT = ("BUFR", "GRIB", "HDF5", "WMF", "ICNS", ".pfm", "GIMG")
_DROP_ALPHA = ("BMP", "DIB", "PPM")  # Pillow drops the alpha of RGBA in these
_GRAY16 = ("PNG", "TIFF", "PPM", "JPEG2000")
_COLOR16: dict[str, Callable[..., bytes]] = {
    "PNG": write16.png,
    "TIFF": write16.tiff,
    "PPM": write16.ppm,
}


def write(
    target: StrPath | BinaryIO,
    picture: Picture | npt.NDArray[Any],
    *,
    format: str | None = None,  # noqa: A002 - as Pillow calls it
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    **options: Any,
) -> None:
    """Write a picture in any format that Pillow writes.

    A file is complete or does not exist.

    - ``uint16`` arrays and pictures of 16 bits are written with 16 bits to PNG, TIFF and PPM,
      and to JPEG 2000 if gray; every other format gets them rounded to 8 bits. Floating-point
      arrays are written with 8 bits.
    - A format without alpha (JPEG, BMP, PPM, ...) gets the picture on white.
    - JPEG is written with quality 95 and full chroma, WebP with quality 95 and AVIF with 90,
      unless `options` say otherwise.
    - A format without gray gets RGB; a format of palettes or of black and white gets Pillow's
      conversion of the picture.

    Parameters
    ----------
    target : str, os.PathLike or BinaryIO
        A file name, whose extension gives the format; ``-`` for stdout; or a binary stream.
    picture : Picture or ndarray, shape (H, W) or (H, W, C)
        The picture, or an array as for `from_array`, for instance from `to_array` or `decode`.
        The color of an array is not multiplied by alpha.
    format : str, optional
        Pillow's name for the format, or an extension. By default the extension of the file name;
        PNG for stdout and for streams.
    icc, exif, xmp : bytes, optional
        As in `Picture`; they replace the metadata of `picture`, and ``b""`` leaves them out. A
        format that cannot hold them drops them.
    **options
        Passed to Pillow's ``save``, for instance ``quality=80``. With 16 bits a sample in color,
        only ``compress_level`` (PNG) and ``compression`` (TIFF) have an effect.

    Raises
    ------
    ValueError
        The extension or the format is unknown (the message lists the known ones), or the format
        cannot take the picture or an option.
    TypeError, PictureError
        As `from_array`.
    OSError
        The output cannot be written. No file appears, and an old one stays as it was.
    """
    name = _format_name(target, format)
    if isinstance(picture, Picture):
        icc = picture.icc if icc is None else icc
        exif = picture.exif if exif is None else exif
        xmp = picture.xmp if xmp is None else xmp
        values = to_array(picture.pixels, np.uint16 if picture.bit_depth == 16 else np.uint8)
    else:
        values = _integers(picture)
    try:
        data = _encoded(values, name, icc=icc, exif=exif, xmp=xmp, **options)
    except MemoryError:
        raise
    except Exception as error:  # encoders raise any error for a bad size or option
        raise ValueError(f"the picture cannot be written as {name}: {error}") from error
    if isinstance(target, str | os.PathLike):
        write_output(target, data)
    else:
        target.write(data)


def extensions() -> list[str]:
    """Return the file name extensions that `write` knows, such as ``.png``, sorted."""
    return sorted(_formats())


def takes_quality(target: StrPath | BinaryIO, format: str | None = None) -> bool:  # noqa: A002
    """Whether the format that `write` uses for `target` has a `quality`, 1 to 100.

    Raises
    ------
    ValueError
        The extension or the format is unknown.
    """
    return _format_name(target, format) in _DEFAULTS


def _formats() -> dict[str, str]:
    """Extensions and the formats that Pillow writes with them."""
    return {
        extension: name
        for extension, name in Image.registered_extensions().items()
        if name in Image.SAVE and name not in _LEFT_OUT and extension not in _LEFT_OUT
    }


def _format_name(target: StrPath | BinaryIO, asked: str | None) -> str:
    formats = _formats()
    if asked is None:
        if not isinstance(target, str | os.PathLike) or is_stream(target):
            return "PNG"
        extension = Path(target).suffix.lower()
        given = f"the extension {extension!r}" if extension else "a name without extension"
        what = f"{os.fspath(target)}: no picture format has {given}"
    else:
        extension = f".{asked.lower().removeprefix('.')}"
        if asked.upper() in formats.values():
            return asked.upper()
        what = f"no picture format is called {asked!r}"
    if extension not in formats:
        raise ValueError(f"{what}; known are {' '.join(extensions())}")
    return formats[extension]


def _integers(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a checked array (H, W) or (H, W, C), uint8 or uint16."""
    values = np.asarray(array)
    plain = values.dtype.kind in "ub" and values.dtype.itemsize <= 2
    if plain and not isinstance(array, np.ma.MaskedArray):
        check_array_shape(values.shape)  # only the shape can be wrong
    else:
        picture = from_array(array, warn=ignore)  # refuses an array that is no picture
        if values.dtype.kind == "f":
            return to_array(picture.pixels)
    if values.dtype.kind == "b":
        values = values.astype(np.uint8) * np.uint8(255)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    return values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values


def _encoded(values: npt.NDArray[Any], name: str, **options: Any) -> bytes:
    channels = values.shape[2] if values.ndim == 3 else 1
    if values.dtype == np.uint16:
        if channels > 1 and name in _COLOR16:
            if channels == 2 and name == "TIFF":  # Pillow reads no gray and alpha of 16 bits
                values = values[..., [0, 0, 0, 1]]
            if channels in (2, 4) and name == "PPM":
                values = flatten_array(values, WHITE)
            return _COLOR16[name](np.atleast_3d(values), **options)
        if not (channels == 1 and name in _GRAY16):
            values = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    mode = "I;16" if values.dtype == np.uint16 else {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    wanted = mode if mode == "I;16" else _mode_for(mode, name)
    if wanted is None:  # no alpha in this format
        values = flatten_array(values, WHITE)
        mode = "L" if channels == 2 else "RGB"
        wanted = _mode_for(mode, name) or mode
    image = Image.fromarray(np.ascontiguousarray(values))
    if wanted == "P":
        image = image.quantize()
    elif wanted != mode:
        image = image.convert(wanted)
    height, width = values.shape[:2]
    if name == "ICO" and max(height, width) > 256:
        raise ValueError(f"an ICO file holds at most 256 x 256 pixels, not {width} x {height}")
    return _saved(image, name, **options)


@cache
def _mode_for(mode: str, name: str) -> str | None:
    """Return the nearest mode that a format takes; None if the mode has alpha and the format none.

    Pillow has no list of a format's modes, so a tiny picture is written to find out.
    """
    if mode in ("LA", "RGBA"):
        candidates: tuple[str, ...] = () if name in _DROP_ALPHA else (mode, "RGBA")
    else:
        candidates = (mode, "RGB", "P", "1")
    for candidate in candidates:
        try:
            Image.new(candidate, (16, 16)).save(io.BytesIO(), name)
        except (OSError, ValueError):
            continue
        return candidate
    return None


def _saved(
    image: Image.Image,
    name: str,
    *,
    icc: bytes | None,
    exif: bytes | None,
    xmp: bytes | None,
    **options: Any,
) -> bytes:
    settings = {**_DEFAULTS.get(name, {}), **options}
    if name == "ICO":  # by default Pillow resamples it to the usual sizes of icons
        settings.setdefault("sizes", [image.size])
    if icc:
        settings.setdefault("icc_profile", icc)
    if name == "TIFF":
        settings.setdefault("tiffinfo", write16.tiff_directory(exif=exif, xmp=xmp))
        exif = xmp = None
    if exif:
        settings.setdefault("exif", b"Exif\0\0" + exif)
    if xmp and name == "PNG":
        text = settings.setdefault("pnginfo", PngImagePlugin.PngInfo())
        text.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
    elif xmp:
        settings.setdefault("xmp", xmp)
    buffer = io.BytesIO()
    image.save(buffer, name, **settings)
    return buffer.getvalue()
