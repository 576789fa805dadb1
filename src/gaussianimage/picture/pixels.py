"""`Picture`, the pixels that every other part works on, and its way from and to arrays."""

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from gaussianimage.errors import PictureError
from gaussianimage.picture.keeping import Extras, Kept, keep

_MODES = {1: "gray", 2: "gray + alpha", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """A picture as it is fitted: floating point, color multiplied by alpha.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, C), float32
        Values in 0..1; C is 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA), and color is
        multiplied by alpha. A writable array is copied, a read-only one is kept.
    bit_depth : {8, 16}
        Bits per sample of the source.
    icc : bytes, optional
        The ICC profile of the color space; None is taken as sRGB by everybody.
    exif : bytes, optional
        EXIF data, from its ``II`` or ``MM`` on. `pixels` are upright already, and so is the
        orientation that it gives.
    xmp : bytes, optional
        An XMP packet, likewise upright.

    Raises
    ------
    TypeError
        `pixels` is not a float32 array, or metadata are not bytes.
    ValueError
        A shape or a depth that a picture cannot have, or values outside of 0..1.
    PictureError
        A pixel is NaN.
    """

    pixels: npt.NDArray[np.float32]
    bit_depth: Literal[8, 16] = 8
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None

    def __post_init__(self) -> None:
        pixels: Any = self.pixels  # of any type, as a caller may have it
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.float32:
            kind = getattr(pixels, "dtype", type(pixels).__name__)
            raise TypeError(f"pixels: expected a float32 array, got {kind}; see from_array")
        if pixels.ndim != 3:
            raise ValueError(f"pixels: expected shape (H, W, C), got {pixels.shape}")
        _check_shape(pixels.shape)
        if self.bit_depth not in (8, 16):
            raise ValueError(f"bit_depth: expected 8 or 16, got {self.bit_depth}")
        for name in ("icc", "exif", "xmp"):
            data = getattr(self, name)
            if data is not None and not isinstance(data, bytes):
                raise TypeError(f"{name}: expected bytes, got {type(data).__name__}")
        low, high = pixels.min(), pixels.max()
        if np.isnan(low):
            raise PictureError("the picture has NaN pixels")
        if low < 0 or high > 1:
            raise ValueError(f"pixels: expected values in 0..1, got {low:.4g}..{high:.4g}")
        if pixels.flags.writeable or not pixels.flags.c_contiguous:
            pixels = np.array(pixels, order="C")
            pixels.flags.writeable = False
            object.__setattr__(self, "pixels", pixels)

    def __repr__(self) -> str:
        extras = "".join(f", {k}" for k in ("icc", "exif", "xmp") if getattr(self, k) is not None)
        size = f"{self.width} x {self.height}"
        return f"<Picture {size}, {_MODES[self.channels]}, {self.bit_depth} bit{extras}>"

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        """Number of channels, alpha included: 1 to 4."""
        return int(self.pixels.shape[2])

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.channels in (2, 4)

    def keeping(self, metadata: Kept) -> "Picture":
        """Return the picture with a part of its metadata.

        Parameters
        ----------
        metadata : str or collection of str
            "all", "none", or what to keep: some of "icc", "exif", "xmp" and "gps". Without "gps",
            EXIF and XMP are kept without the location: EXIF's GPS directory and XMP's properties
            ``exif:GPS...``. EXIF or XMP that is too broken to find them is left out then.

        Raises
        ------
        TypeError, ValueError
            `metadata` is something else.
        """
        own: Extras = {"icc": self.icc, "exif": self.exif, "xmp": self.xmp}
        left = keep(metadata, own)
        return self if left == own else replace(self, **left)

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        """Return the pixels as `to_array` does: by default uint8, or uint16 for 16 bits.

        Of another type, they are `to_array`'s uint8, uint16 or float32 (white is 1 in floating
        point), or the default ones converted.

        Raises
        ------
        ValueError
            If `copy` is False: the pixels that a picture holds are multiplied by alpha.
        """
        if copy is False:
            raise ValueError("a Picture's array is always a copy")
        own = np.dtype(np.uint16 if self.bit_depth == 16 else np.uint8)
        wanted = own if dtype is None else np.dtype(dtype)
        if wanted.kind == "f":
            own = np.dtype(np.float32)
        elif wanted in (np.uint8, np.uint16):
            own = wanted
        return to_array(self.pixels, own).astype(wanted, copy=False)

    def _repr_png_(self) -> bytes:
        from gaussianimage.picture.preview import png_preview

        return png_preview(self.pixels, icc=self.icc)


class Samples(NamedTuple):
    """Pixels as a file or an array holds them."""

    values: npt.NDArray[Any]  # (H, W, C), integers or floating point
    white: float  # the value of full intensity and of full coverage
    premultiplied: bool = False  # whether color is multiplied by alpha


def from_array(
    array: npt.ArrayLike,
    *,
    bit_depth: Literal[8, 16] | None = None,
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
) -> Picture:
    """Make a picture from an array.

    Parameters
    ----------
    array : array_like, shape (H, W) or (H, W, C)
        C is 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA), where color is *not* multiplied by
        alpha. White is 255 for ``uint8``, 65535 for ``uint16``, True for ``bool`` and 1.0 for
        floating point. Floating-point values a little outside of 0..1, as a resampling filter
        leaves them, are clipped; below −1 or above 2 they can only be meant on another scale.
    bit_depth : {8, 16}, optional
        By default 8 for ``uint8`` and ``bool``, else 16.
    icc, exif, xmp : bytes, optional
        See `Picture`.

    Raises
    ------
    TypeError
        An array of another type, for instance ``int64``, whose white is anyone's guess.
    ValueError
        A shape that is no picture's, or floating-point values on another scale.
    PictureError
        A pixel is NaN or infinite.
    """
    values = np.asarray(array)
    if values.ndim not in (2, 3):
        raise ValueError(f"picture: expected shape (H, W) or (H, W, C), got {values.shape}")
    _check_shape((*values.shape, 1)[:3])
    kind, size = values.dtype.kind, values.dtype.itemsize
    white = 1.0
    if kind == "u" and size <= 2:
        white = 255.0 if size == 1 else 65535.0
    elif kind not in "fb":
        raise TypeError(
            f"picture: expected uint8, uint16, bool or floating point, got {values.dtype}"
        )
    pixels = normalized(Samples(np.atleast_3d(values), white))
    default: Literal[8, 16] = 8 if size == 1 else 16
    return Picture(pixels, bit_depth or default, icc, exif, xmp)


def to_array(
    pixels: npt.NDArray[np.floating[Any]], dtype: npt.DTypeLike = np.uint8
) -> npt.NDArray[Any]:
    """Turn rendered pixels into what picture files and other libraries hold.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, C), floating point
        Color multiplied by alpha (for C = 2 or 4). Values outside of 0..1 are clipped and NaN
        is taken as 0.
    dtype : {numpy.uint8, numpy.uint16, numpy.float32}
        Type of the result, where white is 255, 65535 or 1.0.

    Returns
    -------
    ndarray, shape (H, W) for C = 1, else (H, W, C)
        Rounded to nearest. Color is divided by alpha, and 0 where nothing is visible.

    Raises
    ------
    TypeError
        Another `dtype`, or `pixels` are not floating point.
    ValueError
        `pixels` has another shape.
    """
    dtype = np.dtype(dtype)
    whites = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535, np.dtype(np.float32): 1}
    if dtype not in whites:
        raise TypeError(f"dtype: expected uint8, uint16 or float32, got {dtype}")
    if pixels.dtype.kind != "f":
        raise TypeError(f"pixels: expected floating point, got {pixels.dtype}")
    if pixels.ndim != 3 or pixels.shape[2] not in _MODES:
        raise ValueError(f"pixels: expected shape (H, W, C) with C = 1 to 4, got {pixels.shape}")
    white = whites[dtype]
    # fmax and fmin, unlike clip, drop a NaN.
    values = np.fmin(np.fmax(pixels, 0), 1).astype(np.float32, copy=False)
    if values.shape[2] in (2, 4):
        color, alpha = values[..., :-1], values[..., -1:]
        visible = alpha * white >= 0.5 if white > 1 else alpha > 0
        straight = np.zeros_like(color)
        np.divide(color, alpha, out=straight, where=visible)
        values[..., :-1] = np.minimum(straight, 1)
    if white > 1:
        values *= white
        np.rint(values, out=values)
    result: npt.NDArray[Any] = values.astype(dtype, copy=False)
    return result[..., 0] if result.shape[2] == 1 else result


def normalized(samples: Samples) -> npt.NDArray[np.float32]:
    """Return new, read-only pixels as `Picture` has them.

    Raises
    ------
    PictureError, ValueError
        Floating-point samples that are not finite, or on another scale; see `from_array`.
    """
    values = samples.values
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise PictureError("the picture has NaN or infinite pixels")
        low, high = values.min() / samples.white, values.max() / samples.white
        if low < -1 or high > 2:
            raise ValueError(f"picture: expected values in 0..1, got {low:.4g}..{high:.4g}")
    pixels = np.array(values, dtype=np.float32, order="C")
    if samples.white != 1:
        pixels /= np.float32(samples.white)
    if values.dtype.kind == "f":
        np.clip(pixels, 0, 1, out=pixels)
    if pixels.shape[2] in (2, 4) and not samples.premultiplied:
        pixels[..., :-1] *= pixels[..., -1:]
    pixels.flags.writeable = False
    return pixels


def _check_shape(shape: tuple[int, ...]) -> None:
    height, width, channels = shape
    if height == 0 or width == 0:
        raise ValueError(f"picture: expected at least one pixel, got {width} x {height}")
    if channels not in _MODES:
        hint = "; move the channels to the end" if shape[0] in _MODES else ""
        raise ValueError(f"picture: expected 1 to 4 channels, got {channels}{hint}")
