"""Reading pictures: a file, bytes or a stream, through Pillow, to `Picture`."""

import io
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from gaussianimage.errors import GaussianImageError, LimitError, PictureError
from gaussianimage.files import StrPath, is_stream, read_input
from gaussianimage.picture import metadata
from gaussianimage.picture.convert import samples
from gaussianimage.picture.deep import deep_samples
from gaussianimage.picture.pixels import Picture, Samples, from_array, normalized

MAX_PIXELS = 2**28

Source: TypeAlias = StrPath | bytes | bytearray | memoryview | BinaryIO
PictureSource: TypeAlias = Picture | Image.Image | npt.NDArray[Any] | Source

# Not pictures but programs or containers, which Pillow hands to Ghostscript or other software.
_REFUSED = ("EPS", "WMF", "MPEG", "BUFR", "GRIB", "HDF5")
_GIMG = b"\x8bGIMG"
_LOW_GRAY = {"L;2": 85, "L;4": 17}


def read(source: Source, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture in any format that Pillow knows.

    The pixels are turned upright by the EXIF orientation; the ICC profile, EXIF and XMP data
    are kept. Palettes, color keys, CMYK, YCbCr and LAB are converted to RGB or RGBA. Of an
    animation or of several pages the first counts. PNG, TIFF and binary PPM are read with all
    16 bits, other formats with 16 bits in gray and 8 in color.

    Parameters
    ----------
    source : str, os.PathLike, bytes or BinaryIO
        A file name (``-`` is stdin), the content of a file, or a stream, which is read to its
        end but not closed.
    max_pixels : int
        The largest number of pixels to accept, by default 2²⁸. This is checked before any pixel
        is decoded and takes the place of Pillow's own limit.

    Returns
    -------
    Picture

    Raises
    ------
    PictureError
        Not a picture, or a truncated or corrupt one. The message names the source.
    LimitError
        The picture has more than `max_pixels` pixels.
    OSError
        The file cannot be opened or read.
    """
    with _opened(source) as (file, name):
        image = _identified(file, name)
        _check_size(image.size, name, max_pixels)
        with _decoding(name, image.format):
            return _loaded(image, file)


def as_picture(
    obj: PictureSource,
    *,
    max_pixels: int = MAX_PIXELS,
) -> Picture:
    """Turn whatever stands for a picture into a `Picture`.

    Parameters
    ----------
    obj : Picture, array, PIL image, path, bytes or binary stream
        Anything with ``__array__`` is taken as an array, (H, W) or (H, W, C) with 1 to 4 channels:
        uint8, uint16, bool, or floating point with white at 1; color is not multiplied by alpha
        there. See `gaussianimage.picture.from_array` for the details. Pillow's images
        bring their ICC profile, EXIF and XMP data along and are turned upright. (Pillow holds
        color in 8 bits; for 16, pass the file's name.)
    max_pixels : int
        As for `read`; arrays are not limited.

    Returns
    -------
    Picture
        `obj` itself if it is one.

    Raises
    ------
    TypeError, ValueError, PictureError, LimitError, OSError
        See `gaussianimage.picture.from_array` and `gaussianimage.picture.read`.
    """
    if isinstance(obj, Picture):
        return obj
    if isinstance(obj, Image.Image):
        _check_size(obj.size, "the image", max_pixels)
        with _decoding("the image", obj.format):
            obj.load()
            return _picture(samples(obj), obj)
    if hasattr(obj, "__array__"):
        return from_array(np.asarray(obj))
    if isinstance(obj, str | os.PathLike | bytes | bytearray | memoryview) or hasattr(obj, "read"):
        return read(obj, max_pixels=max_pixels)
    raise TypeError(
        "picture: expected a Picture, an array, a PIL image, a file name, bytes or a stream, "
        f"got {type(obj).__name__}"
    )


def readable_extensions() -> frozenset[str]:
    """Return the file name extensions of the formats that `read` reads, such as ``.png``."""
    return frozenset(
        extension
        for extension, name in Image.registered_extensions().items()
        if name in Image.OPEN and name not in _REFUSED
    )


@contextmanager
def _opened(source: Source) -> Iterator[tuple[BinaryIO, str]]:
    """Yield a seekable file at its start, and its name for messages."""
    if isinstance(source, bytes | bytearray | memoryview):
        yield io.BytesIO(source), "the data"
    elif isinstance(source, str | os.PathLike):
        if is_stream(source):
            yield io.BytesIO(read_input(source)), "stdin"
            return
        with Path(source).open("rb") as file:
            yield (file if file.seekable() else io.BytesIO(file.read())), os.fspath(source)
    elif hasattr(source, "read"):
        data = source.read()
        if not isinstance(data, bytes):
            raise TypeError("picture: expected a binary stream, got one of text")
        yield io.BytesIO(data), str(getattr(source, "name", "the stream"))
    else:
        raise TypeError(
            f"source: expected a file name, bytes or a stream, got {type(source).__name__}"
        )


def _identified(file: BinaryIO, name: str) -> ImageFile.ImageFile:
    """Find the format and read the header, as `PIL.Image.open` does but for its size limit.

    That limit is a global variable, and a warning; ours belongs to the call, and is an error.
    """
    prefix = file.read(16)
    if not prefix:
        raise PictureError(f"{name}: the file is empty")
    if own := _own_file(prefix):
        raise PictureError(f"{name}: {own}")
    reason = "not a picture in any format that is known here"
    tried: set[str] = set()
    for load_plugins in (Image.preinit, Image.init):
        load_plugins()
        for format_name in [f for f in Image.ID if f not in tried]:
            tried.add(format_name)
            factory, accept = Image.OPEN[format_name]
            try:
                with _decoding(name, format_name):
                    verdict = accept(prefix) if accept else True
                    if isinstance(verdict, str):
                        reason = verdict
                    elif verdict and format_name in _REFUSED:
                        reason = f"{format_name} is not a format of pixels"
                    elif verdict:
                        file.seek(0)
                        return factory(file, "")
            except PictureError as error:
                # A format without a signature takes any file for its own, and one with a
                # signature may stumble over a file that is shorter.
                if accept and len(prefix) == 16:
                    if not isinstance(error.__cause__, _NOT_THIS_FORMAT):
                        raise
                    reason = str(error).removeprefix(f"{name}: ")
    raise PictureError(f"{name}: {reason}")


def _own_file(prefix: bytes) -> str | None:
    """Return what a file of this package is, by its first 16 bytes; None for any other file."""
    if prefix.startswith(_GIMG):
        return "this is a .gimg file already, which `decode` turns into a picture"
    # The length of a header in JSON, which is padded to 8 bytes, and its start.
    length = int.from_bytes(prefix[:8], "little")
    if prefix[8:10] in (b'{"', b"{}") and length % 8 == 0 and length < 1 << 32:
        return "this is a safetensors file, not a picture; `render` draws the Gaussians in one"
    return None


# What Pillow's formats raise where they find that a file is not theirs after all.
_NOT_THIS_FORMAT = (SyntaxError, IndexError, TypeError, struct.error)


def _check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PictureError(f"{name}: no pixels ({width} x {height})")
    if width * height > max_pixels:
        raise LimitError(
            f"{name}: {width} x {height} pixels are more than the limit of {max_pixels} "
            "(max_pixels)"
        )


@contextmanager
def _decoding(name: str, format_name: str | None) -> Iterator[None]:
    """Turn whatever a decoder makes of a broken file into one kind of error.

    The errors of the operating system and of memory stay what they are.
    """
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise LimitError(f"{name}: {error} (PIL.Image.MAX_IMAGE_PIXELS)") from error
    except PictureError as error:
        raise PictureError(f"{name}: {error}") from error.__cause__
    except (GaussianImageError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        cause = str(error) or type(error).__name__
        raise PictureError(f"{name}: broken {format_name or 'picture'}: {cause}") from error


def _loaded(image: ImageFile.ImageFile, file: BinaryIO) -> Picture:
    def again() -> ImageFile.ImageFile:
        file.seek(0)
        factory, _ = Image.OPEN[image.format or ""]
        return factory(file, "")

    if image.format == "JPEG2000" and not _ends(file):
        raise PictureError("the file is truncated")
    scale = _low_gray_scale(image)
    result = deep_samples(image, again, file)
    if result is None:
        image.load()
        if scale != 1:
            image.info["transparency"] *= scale
        result = samples(image)
    return _picture(result, image)


def _ends(file: BinaryIO) -> bool:
    """Whether a JPEG 2000 codestream has its end marker, a pair of bytes that nothing else has.

    A file that ends behind the header of a tile is a black picture to OpenJPEG.
    """
    position = file.tell()
    file.seek(0)
    found = b"\xff\xd9" in file.read()
    file.seek(position)
    return found


def _low_gray_scale(image: ImageFile.ImageFile) -> int:
    """Return by what to multiply a color key that Pillow, unlike the pixels, has not scaled."""
    if image.format == "PNG" and isinstance(image.info.get("transparency"), int) and image.tile:
        return _LOW_GRAY.get(str(image.tile[0][3]), 1)
    return 1


def _picture(result: Samples, image: Image.Image) -> Picture:
    orientation, icc, exif, xmp = metadata.extract(image)
    if image.mode in ("CMYK", "LAB"):
        icc = None  # it describes what the pixels were before they became sRGB
    values = metadata.upright(result.values, orientation)
    depth: Literal[8, 16] = 16 if result.white > 255 or values.dtype.kind == "f" else 8
    return Picture(normalized(result._replace(values=values)), depth, icc, exif, xmp)
