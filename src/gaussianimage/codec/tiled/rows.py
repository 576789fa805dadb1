"""Pictures that are read a few rows at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.errors import PictureError
from gaussianimage.picture import as_picture, to_array
from gaussianimage.picture.reader import MAX_PIXELS, PictureSource

BLOCK = 256
"""Rows that are read at a time."""

Samples: TypeAlias = NDArray[Any]  # (rows, width, C), uint8 or uint16
# (rows, width, C), 0 to 1, color multiplied by alpha
Pixels: TypeAlias = NDArray[np.float32]

# Color spaces of libvips that become sRGB.
_OTHER_COLORS = ("cmyk", "lab", "labs", "xyz", "scrgb", "hsv", "lch")

_TYPES = (np.dtype(np.uint8), np.dtype(np.uint16))


class ArrayLike(Protocol):
    """What has a shape and a type, and gives rows when it is sliced: an ndarray, a Zarr array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W) or (H, W, C)."""

    @property
    def dtype(self) -> Any:
        """uint8 or uint16."""

    def __getitem__(self, rows: slice, /) -> Any:
        """Return some rows."""


RowSource: TypeAlias = "PictureSource | ArrayLike"


@dataclass(frozen=True)
class RowReader:
    """A picture of which blocks of rows are read in order, as often as needed.

    Attributes
    ----------
    height, width, channels : int
        Size in pixels, and 1 to 4 channels: gray, gray and alpha, RGB, RGB and alpha.
    bit_depth : int
        Bits of a sample, 8 or 16.
    metadata : Metadata
        ICC profile, EXIF and XMP.
    blocks : callable
        Returns an iterator over the blocks of `BLOCK` rows from the first on, each (rows, width, C)
        of uint8 or uint16. Color is not multiplied by alpha.
    """

    height: int
    width: int
    channels: int
    bit_depth: int
    metadata: Metadata
    blocks: Callable[[], Iterator[Samples]]


@contextmanager
def open_rows(source: RowSource) -> Iterator[RowReader]:
    """Open a picture for reading by rows.

    Parameters
    ----------
    source : array-like, or what `gaussianimage.as_picture` takes
        Arrays, (H, W) or (H, W, C) of uint8 or uint16, need not be in memory: memory-mapped files
        and arrays of Zarr or HDF5 are read by rows. So are ``.npy`` files and, if pyvips is
        installed, every file that libvips reads by rows (TIFF, PNG, JPEG and others). Other
        pictures are read as a whole, up to 2²⁸ pixels; so are those that EXIF says to turn.

    Raises
    ------
    PictureError, LimitError, OSError, TypeError, ValueError
        The source can't be read.
    """
    if isinstance(source, str | PathLike) and fspath(source) != "-":
        path = Path(source)
        if path.suffix.lower() == ".npy":
            yield _open_array(np.load(path, mmap_mode="r", allow_pickle=False))
            return
        vips = _import_vips()
        if vips is not None:
            with path.open("rb"):
                pass  # an error of the system for a missing file, not one of libvips
            reader = _open_with_vips(vips, path)
            if reader is not None:
                yield reader
                return
    elif _is_array(source):
        yield _open_array(source)
        return
    yield _open_whole(source)


def _is_array(source: object) -> bool:
    return hasattr(source, "shape") and hasattr(source, "dtype") and hasattr(source, "__getitem__")


def _open_array(array: Any) -> RowReader:
    shape, dtype = tuple(array.shape), np.dtype(array.dtype)
    if dtype not in _TYPES:
        raise TypeError(f"picture: expected an array of uint8 or uint16, got {dtype}")
    if len(shape) not in (2, 3) or (len(shape) == 3 and not 1 <= shape[2] <= 4):
        raise ValueError(f"picture: expected shape (H, W) or (H, W, C), got {shape}")
    if 0 in shape:
        raise PictureError(f"picture: no pixels ({shape[1]} x {shape[0]})")
    height, width = shape[:2]
    channels = shape[2] if len(shape) == 3 else 1

    def blocks() -> Iterator[Samples]:
        for top in range(0, height, BLOCK):
            rows = np.asarray(array[top : top + BLOCK])
            expected = (min(BLOCK, height - top), *shape[1:])
            if rows.shape != expected:
                raise PictureError(
                    f"the picture ends early: rows from {top} have shape {rows.shape}, "
                    f"{expected} expected"
                )
            yield rows.reshape(len(rows), width, channels)

    return RowReader(height, width, channels, 8 * dtype.itemsize, Metadata(), blocks)


def _open_whole(source: Any) -> RowReader:
    """Read a picture as a whole, and give its rows."""
    picture = as_picture(source, max_pixels=MAX_PIXELS)
    dtype = np.dtype(np.uint16 if picture.bit_depth == 16 else np.uint8)
    metadata = Metadata(icc=picture.icc, exif=picture.exif, xmp=picture.xmp)

    def blocks() -> Iterator[Samples]:
        for top in range(0, picture.height, BLOCK):
            rows = to_array(picture.pixels[top : top + BLOCK], dtype)
            yield rows.reshape(len(rows), picture.width, picture.channels)

    return RowReader(
        picture.height, picture.width, picture.channels, picture.bit_depth, metadata, blocks
    )


def _import_vips() -> Any:
    """Return the module pyvips, or None if it is not installed or finds no libvips."""
    try:
        import pyvips
    except (ImportError, OSError):
        return None
    return pyvips


def _open_with_vips(vips: Any, path: Path) -> RowReader | None:
    """Open a file that libvips decodes row by row; None if it does not."""

    def opened() -> Any:
        image = vips.Image.new_from_file(str(path), access="sequential", fail_on="error")
        if image.interpretation in _OTHER_COLORS:
            image = image.colourspace("srgb")
        return image

    try:
        image = opened()
    except vips.Error:
        return None
    fields = set(image.get_fields())
    depth = {"uchar": 8, "ushort": 16}.get(image.format)
    turned = "orientation" in fields and image.get("orientation") > 1
    if depth is None or not 1 <= image.bands <= 4 or turned:
        return None
    height, width, channels = image.height, image.width, image.bands

    def blocks() -> Iterator[Samples]:
        try:
            again = opened()
            if (again.height, again.width, again.bands) != (height, width, channels):
                raise PictureError(f"{path}: the picture has changed while it was read")
            for top in range(0, height, BLOCK):
                rows = min(BLOCK, height - top)
                # Copied to memory: a sequential image gives each row once.
                block = again.crop(0, top, width, rows).numpy()
                yield np.asarray(block).reshape(rows, width, channels)
        except vips.Error as error:
            raise PictureError(f"{path}: {_one_line(error)}") from error

    metadata = Metadata(
        icc=bytes(image.get("icc-profile-data")) if "icc-profile-data" in fields else None,
        exif=_exif(image, fields),
        xmp=bytes(image.get("xmp-data")) if "xmp-data" in fields else None,
    )
    return RowReader(height, width, channels, depth, metadata, blocks)


def _exif(image: Any, fields: set[str]) -> bytes | None:
    if "exif-data" not in fields:
        return None
    data = bytes(image.get("exif-data"))
    return data.removeprefix(b"Exif\x00\x00") or None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
