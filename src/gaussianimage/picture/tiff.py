"""TIFF files: their pages, and samples of types that Pillow does not know.

Pillow does not read doubles, half floats, 32-bit integers in color, or some layouts of 16-bit
samples. But Pillow's libtiff unpacks every compression to bytes: this module gives it a directory
that declares a strip's bytes to be 8-bit gray pixels, and NumPy interprets the returned bytes.
"""

import io
import shutil
import struct
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from gaussianimage.errors import PictureError
from gaussianimage.picture.metadata import upright
from gaussianimage.picture.pixels import Samples

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# Tags.
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_FILL_ORDER, _STRIPS, _ORIENTATION, _CHANNELS = 266, 273, 274, 277
_STRIP_ROWS, _STRIP_SIZES = 278, 279
_PLANAR, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_SIZES = 284, 317, 322, 323, 324, 325
_EXTRA, _FORMAT = 338, 339

# Code for `struct` of a value, by TIFF's number of the type.
_TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q"}
_MOST_PAGES = 10_000
_METADATA = {34675: "icc_profile", 700: "xmp"}
_KINDS = {1: "u", 2: "i", 3: "f"}
_DTYPES = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8")
_GRAY_OR_RGB = (0, 1, 2)
_OF_PIXELS = (2, 3, 4, 6, 7, 34712, 34887, 50001)  # fax, JPEG, JPEG 2000, LERC, WebP

_Tags = dict[int, tuple[int, ...]]


class _Layout(NamedTuple):
    big: bool  # BigTIFF, whose offsets have 64 bits
    order: str  # "<" or ">"

    @classmethod
    def read(cls, file: BinaryIO) -> "_Layout | None":
        file.seek(0)
        head = file.read(4)
        if head not in SIGNATURES:
            return None
        return cls(head[2:4] in (b"+\0", b"\0+"), "<" if head[:1] == b"I" else ">")


def pages(file: BinaryIO) -> tuple[int, bool]:
    """Return how many pages a file has, and whether the first is only a preview.

    Smaller versions and masks of a page are not counted. At most 10,000 directories are read.
    """
    layout = _Layout.read(file)
    if layout is None:
        return 1, False
    count, preview = 0, False
    seen: set[int] = set()
    offset = _first(file, layout)
    while offset and offset not in seen and len(seen) < _MOST_PAGES:
        seen.add(offset)
        tags, offset = _directory(file, layout, offset, only=_SUBFILE)
        kind = tags.get(_SUBFILE, (0,))[0]
        if kind & 5:  # of less resolution, or a mask
            preview = preview or len(seen) == 1
        else:
            count += 1
    return max(count, 1), preview and count > 0


def unusual_samples(
    file: BinaryIO, check_size: Callable[[int, int], None]
) -> tuple[Samples, dict[str, bytes]] | None:
    """Read the first page, which must be gray or RGB with samples of a NumPy type.

    Parameters
    ----------
    file : BinaryIO
        The opened file.
    check_size : callable
        Takes width and height in pixels and raises an error if they are too large.

    Returns
    -------
    tuple of Samples and dict, or None
        The samples, upright, and a dictionary with the ICC profile and XMP data under Pillow's
        names. None if the file is no TIFF file, or its first directory can't be read.

    Raises
    ------
    PictureError
        The page has another kind of samples, or the file is broken.
    """
    layout = _Layout.read(file)
    if layout is None:
        return None
    tags, _ = _directory(file, layout, _first(file, layout))
    width, height = (tags.get(tag, (0,))[0] for tag in (_WIDTH, _HEIGHT))
    if not tags:
        return None
    check_size(width, height)
    channels = tags.get(_CHANNELS, (1,))[0]
    bits = set(tags.get(_BITS, (1,)))
    formats = set(tags.get(_FORMAT, (1,)))
    dtype = f"{_KINDS.get(min(formats), '?')}{min(bits) // 8}"
    photometric = tags.get(_PHOTOMETRIC, (1,))[0]
    colors = 3 if photometric == 2 else 1
    if len(bits) > 1 or min(bits) % 8 or len(formats) > 1 or dtype not in _DTYPES:
        raise PictureError(
            f"unsupported TIFF: samples of {'/'.join(map(str, sorted(bits)))} bits, "
            f"format {'/'.join(map(str, sorted(formats)))}"
        )
    if photometric not in _GRAY_OR_RGB or not colors <= channels <= 64:
        raise PictureError(
            f"unsupported TIFF: {channels} channels of photometric interpretation {photometric}"
        )
    if tags.get(_FILL_ORDER, (1,))[0] != 1:
        raise PictureError("unsupported TIFF: bits in reversed order")
    read = _Reader(file, layout, tags, np.dtype(dtype).newbyteorder("="), channels)
    values = read.all(width, height)
    extra = tags.get(_EXTRA, ())
    has_alpha = channels > colors and bool(extra) and extra[0] in (1, 2)
    values = values[..., : colors + has_alpha]
    kind, size = values.dtype.kind, values.dtype.itemsize
    if photometric == 0:
        if kind != "u":
            raise PictureError("unsupported TIFF: a white of 0 for signed samples")
        values = np.iinfo(values.dtype).max - values
    white = {"f": 1.0, "u": {1: 255.0, 2: 65535.0}.get(size)}.get(kind)
    values = upright(values, tags.get(_ORIENTATION, (1,))[0])
    known = {name: bytes(tags[tag]) for tag, name in _METADATA.items() if tag in tags}
    return Samples(values, white, has_alpha and extra[0] == 1), known


class _Reader:
    """Reads the strips or tiles of one page."""

    def __init__(
        self, file: BinaryIO, layout: _Layout, tags: _Tags, dtype: np.dtype[Any], channels: int
    ) -> None:
        self._file, self._tags = file, tags
        self._dtype, self._size = dtype, dtype.itemsize
        self._stored = dtype.newbyteorder("<" if layout.order == "<" else ">")
        self._channels = channels
        self._planes = channels if tags.get(_PLANAR, (1,))[0] == 2 else 1
        file.seek(0, 2)
        self._end = file.tell()

    def all(self, width: int, height: int) -> npt.NDArray[Any]:
        tags = self._tags
        tiled = _TILES in tags
        offsets = tags.get(_TILES if tiled else _STRIPS, ())
        sizes = tags.get(_TILE_SIZES if tiled else _STRIP_SIZES, ())
        if tiled:
            across, down = (tags.get(tag, (0,))[0] for tag in (_TILE_WIDTH, _TILE_HEIGHT))
        else:
            across, down = width, min(tags.get(_STRIP_ROWS, (height,))[0], height)
        if across < 1 or down < 1:
            raise PictureError("broken TIFF: tiles or strips without pixels")
        columns, rows = -(-width // across), -(-height // down)
        count = columns * rows
        if len(offsets) != len(sizes) or len(offsets) < count * self._planes:
            raise PictureError(
                f"broken TIFF: {len(offsets)} strips or tiles, expected {count * self._planes}"
            )
        # Checked before memory is allocated: no compression exceeds a ratio of 2000, and pieces do
        # not share their bytes.
        each = self._channels // self._planes
        if min(sum(sizes), self._end) * 2000 < width * height * self._channels * self._size:
            raise PictureError("broken TIFF: the file is too small for its size in pixels")
        if sum(sizes) > 4 * self._end:
            raise PictureError("broken TIFF: strips or tiles overlap")
        if any(offset + size > self._end for offset, size in zip(offsets, sizes, strict=True)):
            raise PictureError("broken TIFF: the file is truncated")
        result = np.empty((height, width, self._channels), self._dtype)
        lines = count * down if tiled else height
        for plane in range(self._planes):
            chosen = slice(plane * count, (plane + 1) * count)
            data = self._unpacked(
                offsets[chosen], sizes[chosen], across * each * self._size, down, lines
            )
            pieces = self._decoded(data, across, each)  # (lines, across, each), stacked pieces
            for i in range(count):
                top, left = i // columns * down, i % columns * across
                target = result[top : top + down, left : left + across, plane * each :]
                target = target[..., :each]
                piece = pieces[i * down :][: target.shape[0], : target.shape[1]]
                target[...] = piece
        return result

    def _decoded(self, data: bytes, width: int, channels: int) -> npt.NDArray[Any]:
        """Undo the predictor of unpacked rows and return their samples."""
        predictor = self._tags.get(_PREDICTOR, (1,))[0]
        if predictor == 3 and self._dtype.kind == "f":
            # The bytes of a row are sorted by significance, and each is stored as its difference
            # from the byte before.
            rows = np.frombuffer(data, "u1").reshape(-1, width * self._size, channels)
            planes = rows.cumsum(axis=1, dtype=np.uint8).reshape(len(rows), self._size, -1)
            words = np.ascontiguousarray(planes.swapaxes(1, 2)).view(self._dtype.newbyteorder(">"))
            return words.reshape(-1, width, channels).astype(self._dtype)
        values = np.frombuffer(data, self._stored).reshape(-1, width, channels)
        values = values.astype(self._dtype)
        if predictor == 2:
            words = values.view(f"u{self._size}")
            return words.cumsum(axis=1, dtype=words.dtype).view(self._dtype)
        if predictor != 1:
            raise PictureError(f"unsupported TIFF: predictor {predictor} for samples of this type")
        return values

    def _unpacked(
        self,
        offsets: tuple[int, ...],
        sizes: tuple[int, ...],
        width: int,
        down: int,
        lines: int,
    ) -> bytes:
        """Return rows of `width` bytes, unpacked by libtiff from pieces of `down` rows."""
        compression = self._tags.get(_COMPRESSION, (1,))[0]
        if compression in _OF_PIXELS:
            raise PictureError(
                f"unsupported TIFF: compression {compression} for samples of this type"
            )
        directory: Any = TiffImagePlugin.ImageFileDirectory_v2()
        directory[_WIDTH], directory[_HEIGHT] = width, lines
        directory[_BITS], directory[_COMPRESSION], directory[_PHOTOMETRIC] = (8,), compression, 1
        directory[_STRIPS] = offsets  # counted from the end of the directory
        directory[_CHANNELS], directory[_STRIP_ROWS] = 1, down
        directory[_STRIP_SIZES] = sizes
        again = io.BytesIO()
        directory.save(again)
        self._file.seek(0)
        shutil.copyfileobj(self._file, again)
        again.seek(0)
        try:
            factory, _ = Image.OPEN["TIFF"]
            with factory(again, "") as image:
                return image.tobytes()
        except (OSError, KeyError, SyntaxError, ValueError) as error:
            raise PictureError(f"broken TIFF: {error}") from error


def _first(file: BinaryIO, layout: _Layout) -> int:
    file.seek(8 if layout.big else 4)
    return _number(file, layout, "Q" if layout.big else "I")


def _directory(
    file: BinaryIO, layout: _Layout, offset: int, *, only: int | None = None
) -> tuple[_Tags, int]:
    """Return the integer tags of a directory, and the offset of the next one, 0 if there is none.

    A broken directory has no tags and counts as the last one.
    """
    try:
        file.seek(offset)
        count = _number(file, layout, "Q" if layout.big else "H")
        entry_size, word = (20, "Q") if layout.big else (12, "I")
        if count > 65535:
            return {}, 0
        data = file.read(entry_size * count)
        following = _number(file, layout, word)
        tags = {}
        for entry in range(0, entry_size * count, entry_size):
            tag, kind = struct.unpack_from(layout.order + "HH", data, entry)
            (length,) = struct.unpack_from(layout.order + word, data, entry + 4)
            code = _TYPES.get(kind)
            if code is None or (only is not None and tag != only):
                continue
            room = struct.calcsize("=" + word)
            size = length * struct.calcsize("=" + code)
            if size <= room:
                values = data[entry + entry_size - room :][:size]
            else:
                (place,) = struct.unpack_from(layout.order + word, data, entry + entry_size - room)
                file.seek(place)
                values = _read(file, size)
            tags[tag] = struct.unpack(f"{layout.order}{length}{code}", values)
    except (struct.error, OSError, ValueError, OverflowError):
        return {}, 0
    return tags, following


def _read(file: BinaryIO, size: int) -> bytes:
    """Read `size` bytes; check the file's length first, so that a short file takes no memory."""
    here = file.tell()
    file.seek(0, 2)
    if size > file.tell() - here:
        raise ValueError("the value lies behind the end of the file")
    file.seek(here)
    return file.read(size)


def _number(file: BinaryIO, layout: _Layout, code: str) -> int:
    (value,) = struct.unpack(layout.order + code, file.read(struct.calcsize("=" + code)))
    return int(value)
