"""Reading pictures: a file, bytes or a stream, through Pillow, to `Picture`."""

import errno
import io
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy.typing as npt
from PIL import Image, ImageFile

from gaussianimage._util.arguments import MAX_PICTURE_SIDE
from gaussianimage._util.files import StrPath, is_stream, read_input
from gaussianimage._util.row_blocks import row_blocks
from gaussianimage.errors import (
    GaussianImageError,
    LimitError,
    PictureError,
    PictureWarning,
)
from gaussianimage.picture import formats, frames, metadata, tiff, truncated
from gaussianimage.picture.color import ColorTags, color_tags, profile_for
from gaussianimage.picture.from_pillow import samples
from gaussianimage.picture.pixels import (
    Picture,
    Samples,
    checked_white,
    choose_depth,
    from_array,
    normalized,
    scale_problem,
)
from gaussianimage.picture.read16 import deep_samples
from gaussianimage.picture.warn import Warn, issue

MAX_PIXELS = 2**28

Source: TypeAlias = StrPath | bytes | bytearray | memoryview | BinaryIO
PictureSource: TypeAlias = Picture | Image.Image | npt.NDArray[Any] | Source

# Programs and containers, which Pillow hands to Ghostscript or other software, and our own format
# (its Pillow plugin may be registered), because encoding a decoded picture again loses twice.
_REFUSED = ("EPS", "WMF", "MPEG", "BUFR", "GRIB", "HDF5", "GIMG")
# Most encoders write about ten scans of a progressive JPEG picture, a few write about twenty.
_MOST_SCANS = 64
_LOW_GRAY = {"L;2": 85, "L;4": 17}


def read(
    source: Source,
    *,
    white: float | None = None,
    max_pixels: int = MAX_PIXELS,
    warn: Warn | None = None,
) -> Picture:
    """Read a picture in any format that Pillow knows.

    The pixels are turned upright by the EXIF orientation; the ICC profile, EXIF and XMP data
    are kept. Palettes, color keys, CMYK, YCbCr and LAB are converted to RGB or RGBA. The first
    frame of an animation and the first of several pages is read. PNG, TIFF and binary PPM are read
    with all 16 bits, other formats with 16 bits in gray and 8 in color. HEIF and JPEG XL files are
    read if `pillow-heif` and `pillow-jxl-plugin` are installed.

    A file may declare a color space other than sRGB without an ICC profile (PNG's cICP, gAMA and
    cHRM, the code points in AVIF and HEIF files); the picture then gets an equivalent profile. A
    profile that describes plain sRGB or does not fit the pixels is left out.

    A JPEG or PNG file or a file of plain samples that ends too early is read if it has at least
    half of its rows; missing rows become gray (JPEG), black or transparent.

    Parameters
    ----------
    source : str, os.PathLike, bytes or BinaryIO
        A file name (``-`` is stdin), the content of a file, or a stream, which is read to its
        end but not closed.
    white : float, optional
        The sample that becomes 1.0, as for `gaussianimage.picture.from_array`: 4095 for 12-bit
        data in a 16-bit file, 255 for a TIFF file of 32-bit integers in 0..255.
    max_pixels : int
        The largest number of pixels to accept, by default 2²⁸. The limit is checked before any
        pixel is decoded and replaces Pillow's own limit. A side has at most 65536 pixels.
    warn : callable, optional
        Called with a message instead of a `PictureWarning`.

    Returns
    -------
    Picture

    Raises
    ------
    PictureError
        The source is not a picture, the picture is truncated or corrupt, or a side is too long.
        The message names the source and its kind.
    LimitError
        The picture has more than `max_pixels` pixels.
    OSError
        The file cannot be opened or read.
    TypeError, ValueError
        `white` is not a finite number above 0.

    Warns
    -----
    PictureWarning
        The file has further pages or frames or is cut short, values are clipped or all below a
        quarter of white, or the color space can't be kept.
    """
    white = checked_white(white)
    with _opened(source) as (file, name):
        return _Reading(file, name, white, max_pixels, warn or issue).picture()


def as_picture(
    obj: PictureSource,
    *,
    white: float | None = None,
    max_pixels: int = MAX_PIXELS,
    warn: Warn | None = None,
) -> Picture:
    """Read or convert any source of a picture to a `Picture`.

    Parameters
    ----------
    obj : Picture, array, PIL image, path, bytes or binary stream
        An object with ``__array__`` is taken as an array, (H, W) or (H, W, C) with 1 to 4 channels:
        uint8, uint16, bool, or floating point with white at 1, and color not multiplied by alpha.
        `gaussianimage.picture.from_array` describes the details. Pillow's images keep their ICC
        profile, EXIF and XMP data and are turned upright. (Pillow holds color in 8 bits; pass the
        file's name to read 16 bits.)
    white : float, optional
        The value in the source that becomes 1.0. By default it is the largest value of the type
        (integers of 8 and 16 bits) or 1 (floating point). For instance 4095 for 12-bit data in
        ``uint16``; other integer types, such as ``int32``, need a white. Decoded arrays need none.
    max_pixels : int
        As for `read`; the size of arrays is not limited.
    warn : callable, optional
        Called with a message instead of a `PictureWarning`.

    Returns
    -------
    Picture
        `obj` itself if it is a `Picture`.

    Raises
    ------
    TypeError, ValueError, PictureError, LimitError, OSError
        As `gaussianimage.picture.from_array` and `gaussianimage.picture.read`. A `white` given
        with a `Picture`, whose white is 1.0, is a `ValueError`.

    Warns
    -----
    PictureWarning
        As `gaussianimage.picture.from_array` and `gaussianimage.picture.read`.
    """
    if isinstance(obj, Picture):
        if checked_white(white) is not None:
            raise ValueError("white: a Picture has 1.0 as white; give another where it is read")
        return obj
    if isinstance(obj, Image.Image):
        return _from_pillow(obj, checked_white(white), max_pixels, warn or issue)
    if hasattr(obj, "__array__"):
        array: Any = obj
        return from_array(array, white=white, warn=warn)
    if isinstance(obj, str | os.PathLike | bytes | bytearray | memoryview) or hasattr(obj, "read"):
        return read(obj, white=white, max_pixels=max_pixels, warn=warn)
    raise TypeError(
        "picture: expected a Picture, an array, a PIL image, a file name, bytes or a stream, "
        f"got {type(obj).__name__}"
    )


def readable_extensions() -> frozenset[str]:
    """Return the file name extensions of the formats that `read` reads, such as ``.png``.

    Formats that need an optional package are included even if the package is not installed: the
    error of such a file names the package, whereas a skipped photo would go unnoticed.
    """
    return formats.EXTENSIONS | {
        extension
        for extension, name in Image.registered_extensions().items()
        if name in Image.OPEN and name not in _REFUSED
    }


@contextmanager
def _opened(source: Source) -> Iterator[tuple[BinaryIO, str]]:
    """Yield a seekable file, positioned at its start, and its name for messages."""
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
            raise TypeError("picture: expected a binary stream, got a text stream")
        yield io.BytesIO(data), str(getattr(source, "name", "the stream"))
    else:
        raise TypeError(
            f"source: expected a file name, bytes or a stream, got {type(source).__name__}"
        )


class _Reading:
    """The reading of one file."""

    def __init__(
        self, file: BinaryIO, name: str, white: float | None, max_pixels: int, warn: Warn
    ) -> None:
        self._file, self._name = file, name
        self._white, self._max_pixels = white, max_pixels
        self._tell = warn

    def _warn(self, message: str) -> None:
        self._tell(f"{self._name}: {message}")

    def picture(self) -> Picture:
        try:
            image, factory = _identified(self._file, self._name, self._max_pixels)
        except PictureError:
            if (unusual := self._unusual_tiff()) is not None:
                return unusual
            raise
        _check_size(image.size, self._name, self._max_pixels)
        with _decoding(self._name, image.format):
            if message := frames.several(image, self._file):
                self._warn(message)
            self._refuse_many_scans(image)
            if (share := truncated.tiff_share(image)) < truncated.LEAST:
                raise PictureError(f"broken TIFF: pixels for {100 * share:.2g} % of the picture")
            if share < 1:
                self._warn(f"{100 * (1 - share):.2g} % of the picture is missing and becomes black")
            tags = color_tags(image, self._file)
            size, codecs = image.size, {tile[0] for tile in image.tile}
            try:
                result = _loaded(image, factory, self._file)
            except Exception as error:
                if not _may_be_cut(error):
                    raise
                self._file.seek(0)
                mended = truncated.mend(self._file.read(), image.format, size, codecs)
                if mended is None:
                    raise
                image, result = self._mended(mended, error)
            return _picture(result, image, tags, self._white, self._warn)

    def _refuse_many_scans(self, image: ImageFile.ImageFile) -> None:
        """Refuse a JPEG file with so many scans that decoding would take very long."""
        if "progressive" not in image.info:
            return
        self._file.seek(0)
        scans = self._file.read().count(b"\xff\xda")
        if scans > _MOST_SCANS:
            raise PictureError(
                f"{scans} scans of a JPEG picture are too many: {_MOST_SCANS} at most"
            )

    def _mended(
        self, mended: truncated.Mended, cause: Exception
    ) -> tuple[ImageFile.ImageFile, Samples]:
        """Read a truncated file again, in its completed form."""
        file = io.BytesIO(mended.data)
        image, factory = _identified(file, self._name, self._max_pixels)
        try:
            result = _loaded(image, factory, file)
        except Exception as error:
            if _may_be_cut(error):
                raise cause from None
            raise
        share = mended.share
        if image.format in ("JPEG", "MPO"):
            share = truncated.jpeg_share(image)
            if share < truncated.LEAST:
                text = f"the file is truncated; only {100 * share:.0f} % of the picture is left"
                raise PictureError(text) from cause
        if share is None:
            missing = f"missing pixels become {mended.filled}"
        elif share < 1:
            missing = (
                f"{100 * (1 - share):.2g} % of the picture is missing and becomes {mended.filled}"
            )
        else:
            missing = "the picture is complete"
        self._warn(f"the file is cut short; {missing}")
        return image, result

    def _unusual_tiff(self) -> Picture | None:
        """Read a TIFF file that Pillow cannot read; return None if this module cannot either."""
        with _decoding(self._name, "TIFF"):
            found = tiff.unusual_samples(self._file, self._check)
        if found is None:
            return None
        with _decoding(self._name, "TIFF"):
            pages, _ = tiff.pages(self._file)
            if pages > 1:
                self._warn(f"the file has {pages} pages; the first is read")
            image = Image.Image()  # without pixels; it carries the metadata
            result, known = found
            image.info.update(known)
            return _picture(result, image, ColorTags(), self._white, self._warn)

    def _check(self, width: int, height: int) -> None:
        _check_size((width, height), self._name, self._max_pixels)


def _may_be_cut(error: Exception) -> bool:
    return not isinstance(error, MemoryError | LimitError) and not (
        isinstance(error, OSError) and error.errno is not None
    )


def _from_pillow(image: Image.Image, white: float | None, max_pixels: int, warn: Warn) -> Picture:
    name = "the image"
    _check_size(image.size, name, max_pixels)
    tags = color_tags(image, getattr(image, "fp", None))
    with _decoding(name, image.format):
        image.load()
        return _picture(samples(image), image, tags, white, lambda text: warn(f"{name}: {text}"))


def _identified(
    file: BinaryIO, name: str, max_pixels: int
) -> tuple[ImageFile.ImageFile, formats.Factory]:
    """Find the format and read the header, as `PIL.Image.open` does, but with another size limit.

    Pillow's limit is a global variable and a warning; this limit is an argument and an error.
    """
    start = file.read(formats.PREFIX)
    if not start:
        raise PictureError(f"{name}: the file is empty")
    prefix = start[:16]
    if factory := formats.plugin(start):
        if formats.is_jpeg_xl(start):  # its plugin decodes the pixels on opening
            file.seek(0)
            size = formats.jpeg_xl_size(file.read())
            if size is None:
                raise PictureError(f"{name}: broken JPEG XL: the header has no size")
            _check_size(size, name, max_pixels)
        file.seek(0)
        with _decoding(name, "HEIF" if formats.is_heif(start) else "JPEG XL"):
            return factory(file, ""), factory
    what = formats.what_it_is(start)
    reason = what or formats.text_or_unknown(start)
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
                        reason = what or verdict
                    elif verdict and format_name in _REFUSED:
                        reason = what or (
                            f"{format_name} is not a format of pixels; "
                            "export the picture as PNG first"
                        )
                    elif verdict:
                        file.seek(0)
                        return factory(file, ""), factory
            except PictureError as error:
                # A plugin without a signature accepts any file, and a plugin with a signature may
                # fail on a file that is shorter than the signature.
                if accept and len(prefix) == 16:
                    if not isinstance(error.__cause__, _NOT_THIS_FORMAT):
                        raise
                    reason = what or str(error).removeprefix(f"{name}: ")
    raise PictureError(f"{name}: {reason}")


# Errors with which Pillow's plugins reject a file of another format.
_NOT_THIS_FORMAT = (SyntaxError, IndexError, TypeError, struct.error)


def _check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PictureError(f"{name}: no pixels ({width} x {height})")
    if max(width, height) > MAX_PICTURE_SIDE:
        raise PictureError(
            f"{name}: {width} x {height} pixels are too large: {MAX_PICTURE_SIDE} a side at most"
        )
    if width * height > max_pixels:
        raise LimitError(
            f"{name}: {width} x {height} pixels are more than the limit of {max_pixels} "
            "(max_pixels)"
        )


@contextmanager
def _decoding(name: str, format_name: str | None) -> Iterator[None]:
    """Turn all errors of Pillow's decoders for a broken file into one kind of error.

    Errors of the operating system and of memory pass unchanged.
    """
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise LimitError(f"{name}: {error} (PIL.Image.MAX_IMAGE_PIXELS)") from error
    except PictureError as error:
        text = str(error).removeprefix(f"{name}: ")
        raise PictureError(f"{name}: {text}") from error.__cause__
    except (GaussianImageError, PictureWarning, MemoryError):
        raise
    except Exception as error:
        # EINVAL comes from a seek to before the start of the file.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        cause = str(error) or type(error).__name__
        kind = "unsupported" if _UNSUPPORTED.search(cause) else "broken"
        raise PictureError(f"{name}: {kind} {format_name or 'picture'}: {cause}") from error


# Words in Pillow's messages about valid files that Pillow does not support.
_UNSUPPORTED = re.compile(
    r"unsupported|unimplemented|not supported|not implemented|cannot find loader"
    r"|unknown (pixel mode|compression)|unable to determine J2K image mode",
    re.IGNORECASE,
)


def _loaded(image: ImageFile.ImageFile, factory: formats.Factory, file: BinaryIO) -> Samples:
    def again() -> ImageFile.ImageFile:
        file.seek(0)
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
    return result


def _ends(file: BinaryIO) -> bool:
    """Whether a JPEG 2000 codestream has its end marker, two bytes that occur nowhere else.

    OpenJPEG decodes a file that ends behind the header of a tile to a black picture.
    """
    position = file.tell()
    file.seek(0)
    found = b"\xff\xd9" in file.read()
    file.seek(position)
    return found


def _low_gray_scale(image: ImageFile.ImageFile) -> int:
    """Return the factor of a color key: Pillow scales gray of 2 and 4 bits, but not the key."""
    if image.format == "PNG" and isinstance(image.info.get("transparency"), int) and image.tile:
        return _LOW_GRAY.get(str(image.tile[0][3]), 1)
    return 1


def _picture(
    result: Samples, image: Image.Image, tags: ColorTags, white: float | None, warn: Warn
) -> Picture:
    if problem := scale_problem(result, white):
        raise PictureError(problem)
    orientation, icc, exif, xmp = metadata.extract(image)
    values = metadata.upright(result.values, orientation)
    if image.mode in ("CMYK", "LAB"):
        icc = None  # it describes the pixels before their conversion to sRGB
    icc = profile_for(
        icc,
        tags,
        is_png=image.format == "PNG",
        is_gray=values.shape[2] < 3,
        looks_gray=lambda: _looks_gray(values),
        warn=warn,
    )
    pixels = normalized(result._replace(values=values), white=white, warn=warn)
    return Picture(pixels, choose_depth(result, white), icc, exif, xmp)


def _looks_gray(values: npt.NDArray[Any]) -> bool:
    """Return whether red, green and blue are equal everywhere."""
    blocks = (values[rows] for rows in row_blocks(*values.shape[:2]))
    return all((block[..., :3] == block[..., :1]).all() for block in blocks)
