"""Samples of more than 8 bits, which Pillow itself would cut to 8.

Pillow has no color image of 16 bits. From a 16-bit color PNG or TIFF file it unpacks the high
byte of every sample and drops the low byte. Pillow chooses the byte by a *raw mode*, which it sets
when it opens a file (``RGB;16B``: big-endian) and which can be changed before the pixels are
decoded. With the other byte order (``RGB;16L``) Pillow keeps the low byte, so decoding twice gives
all 16 bits. Layouts for which this does not work (compressed TIFF with separate planes, 16-bit
color JPEG 2000, AVIF) stay at 8 bits.
"""

import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import ImageFile

from gaussianimage._util.row_blocks import row_blocks
from gaussianimage.errors import PictureError
from gaussianimage.picture.from_pillow import with_color_key
from gaussianimage.picture.pixels import Samples

_PHOTOMETRIC, _PLANAR = 262, 284  # TIFF tags


def deep_samples(
    image: ImageFile.ImageFile, again: Callable[[], ImageFile.ImageFile], file: BinaryIO
) -> Samples | None:
    """Load an opened picture and return its samples if they have more than 8 bits.

    Parameters
    ----------
    image : PIL.ImageFile.ImageFile
        The opened image, whose pixels are not loaded yet. The call loads them unless it returns
        None.
    again : callable
        Opens the same file once more.
    file : BinaryIO
        The opened file.

    Returns
    -------
    Samples or None
        The samples; None if Pillow reads all bits of the image, which is then not loaded.
    """
    if not image.tile:
        return None
    codec, _, offset, args = image.tile[0]
    parameters = args if isinstance(args, tuple) else (args,)
    raw_mode = parameters[0]
    if not isinstance(raw_mode, str):
        return None
    if image.format == "PPM" and codec == "ppm":
        return _netpbm(image, file, offset, 3 if raw_mode == "RGB" else 1, parameters[1])
    if raw_mode == "LA;16B":
        # Two 16-bit samples have the size of an RGBA pixel, so Pillow keeps all bytes.
        _set_raw_mode(image, "RGBA")
        image.load()
        return Samples(np.asarray(image).view(">u2"), 65535)
    if image.format == "TIFF":
        return _tiff(image, again, codec, raw_mode)
    if raw_mode in ("RGB;16B", "RGBA;16B"):
        result = _both_bytes(image, again(), raw_mode, raw_mode.replace("16B", "16L"))
        return with_color_key(result, image.info.get("transparency"))
    return None


def _tiff(
    image: ImageFile.ImageFile,
    again: Callable[[], ImageFile.ImageFile],
    codec: str,
    raw_mode: str,
) -> Samples | None:
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    planar = tags.get(_PLANAR, 1) == 2
    base, _, depth = raw_mode.partition(";")
    if image.mode.startswith("I;16"):  # gray of 12 or 16 bits, which Pillow supports
        white = 4095 if raw_mode == "I;12" else 65535
        image.load()
        values = np.asarray(image)[..., None]
        if tags.get(_PHOTOMETRIC) == 0:
            values = white - values
        return Samples(values, white)
    if planar and codec == "raw" and set(tags.get(258, ())) == {16}:
        # Pillow mistakes the planes for 8-bit planes and shows the left half of the picture.
        other = again()
        high, low = ("B", "L") if tags.prefix == b"MM" else ("L", "B")
        for opened, order in ((image, high), (other, low)):
            _set_raw_mode(opened, "{};16" + order)
        return _merged(image, other)
    if depth in ("16B", "16L", "16N") and not planar and base in ("RGB", "RGBA", "RGBX", "RGBa"):
        native = "L" if sys.byteorder == "little" else "B"
        order = native if depth == "16N" else depth[-1]
        plain = "RGBA" if base == "RGBa" else base  # without Pillow's division by alpha
        swapped = "L" if order == "B" else "B"
        result = _both_bytes(image, again(), f"{plain};16{order}", f"{plain};16{swapped}")
        return result._replace(premultiplied=base == "RGBa")
    return None


def _both_bytes(
    image: ImageFile.ImageFile, other: ImageFile.ImageFile, high: str, low: str
) -> Samples:
    _set_raw_mode(image, high)
    _set_raw_mode(other, low)
    return _merged(image, other)


def _merged(high: ImageFile.ImageFile, low: ImageFile.ImageFile) -> Samples:
    high.load()
    low.load()
    upper, lower = np.asarray(high), np.asarray(low)
    values: npt.NDArray[np.uint16] = np.empty(upper.shape, np.uint16)
    for rows in row_blocks(*upper.shape[:2]):
        values[rows] = upper[rows]
        values[rows] <<= 8
        values[rows] |= lower[rows]
    return Samples(values, 65535)


def _set_raw_mode(image: ImageFile.ImageFile, pattern: str) -> None:
    """Set the raw mode of an image; ``{}`` in the pattern stands for the mode that Pillow set."""
    tiles = []
    for tile in image.tile:
        noted, *rest = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        changed = pattern.format(noted)
        tiles.append(tile._replace(args=(changed, *rest) if rest else changed))
    image.tile = tiles


def _netpbm(
    image: ImageFile.ImageFile, file: BinaryIO, offset: int, channels: int, white: int
) -> Samples:
    """Read a binary PGM or PPM file of 16-bit color, or with a white other than 255 and 65535."""
    dtype = np.dtype(">u2" if white > 255 else "u1")
    width, height = image.size
    row = width * channels * dtype.itemsize
    file.seek(offset)
    values = np.empty((height, width, channels), dtype.newbyteorder("="))
    for rows in row_blocks(height, width):
        data = file.read((rows.stop - rows.start) * row)
        lacking = (height - rows.start) * row - len(data)
        if lacking > (height - rows.stop) * row:
            raise PictureError(f"the file ends {lacking} bytes too early")
        block = np.frombuffer(data, dtype).reshape(-1, width, channels)
        np.minimum(block, white, out=values[rows])
    return Samples(values, white)
