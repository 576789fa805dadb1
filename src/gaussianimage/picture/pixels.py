"""`Picture`, the pixels that the package works on, and its conversion from and to arrays."""

import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from gaussianimage._util.row_blocks import copied, extremes, row_blocks
from gaussianimage.errors import PictureError
from gaussianimage.picture.keeping import Extras, Kept, keep
from gaussianimage.picture.warn import Warn, issue

_MODES = {1: "gray", 2: "gray + alpha", 3: "RGB", 4: "RGBA"}


class Ends(NamedTuple):
    """The values of a picture at the ends of their range.

    A fit may exceed them, because pixels are clamped: any drawing that is white or more shows as
    white.

    Attributes
    ----------
    sides : ndarray, shape (H, W, C), int8
        1 for values at the upper end, −1 for those at the lower end, 0 for all others.
    room : float
        By how much a fit may exceed them.
    """

    sides: npt.NDArray[np.int8]
    room: float


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
        The ICC profile of the color space; None means sRGB.
    exif : bytes, optional
        EXIF data, which starts with its ``II`` or ``MM``. Its orientation is upright, as `pixels`
        are.
    xmp : bytes, optional
        An XMP packet. Its orientation is upright too.
    weights : ndarray, shape (H, W, C), float32, optional
        Weight of each value's squared error in a fit, at least 0; equal weights by default.
    ends : Ends, optional
        Values that a fit may exceed; by default none.

    Raises
    ------
    TypeError
        `pixels` is not a float32 array, or a metadata argument is not bytes.
    ValueError
        The shape or the bit depth is not that of a picture, or values are outside of 0..1.
    PictureError
        A pixel is NaN.
    """

    pixels: npt.NDArray[np.float32]
    bit_depth: Literal[8, 16] = 8
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    weights: npt.NDArray[np.float32] | None = None
    ends: "Ends | None" = None

    def __post_init__(self) -> None:
        pixels: Any = self.pixels  # a caller may pass any type
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
        if self.ends is not None:
            sides: Any = self.ends.sides
            if getattr(sides, "dtype", None) != np.int8 or sides.shape != pixels.shape:
                raise ValueError(f"ends: expected int8 values of shape {pixels.shape}")
        weights: Any = self.weights
        if weights is not None:
            if getattr(weights, "dtype", None) != np.float32 or weights.shape != pixels.shape:
                raise ValueError(f"weights: expected float32 values of shape {pixels.shape}")
            # Weights that are repeated along the channels are looked at once.
            low, high = extremes(weights[..., :1] if weights.strides[2] == 0 else weights)
            if not (low >= 0 and high < np.inf):
                raise ValueError("weights: expected finite values from 0")
        low, high = extremes(pixels)
        if np.isnan(low):
            raise PictureError("the picture has NaN pixels")
        if low < 0 or high > 1:
            raise ValueError(f"pixels: expected values in 0..1, got {low:.4g}..{high:.4g}")
        if pixels.flags.writeable or not pixels.flags.c_contiguous:
            pixels = copied(pixels)
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
        """Return the picture with only some kinds of its metadata.

        Parameters
        ----------
        metadata : str or collection of str
            "all", "none", or the kinds to keep: some of "icc", "exif", "xmp" and "gps". Without
            "gps", EXIF loses its GPS directory and XMP its properties ``exif:GPS...``. EXIF or XMP
            that is too broken to be searched for them is then left out.

        Raises
        ------
        TypeError, ValueError
            `metadata` has another type or value.
        """
        own: Extras = {"icc": self.icc, "exif": self.exif, "xmp": self.xmp}
        left = keep(metadata, own)
        return self if left == own else replace(self, **left)

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        """Return the pixels as `to_array` does: by default uint8, or uint16 for 16 bits.

        A `dtype` of uint8, uint16 or floating point gets the pixels of `to_array` (white is 1 in
        floating point); any other `dtype` gets the default pixels, converted.

        Raises
        ------
        ValueError
            `copy` is False: a picture stores its pixels multiplied by alpha.
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
        from gaussianimage.picture.preview import png_preview, thinned

        # Thinned before the conversion, which takes long for very large pictures.
        return png_preview(to_array(thinned(self.pixels)), icc=self.icc)


class Samples(NamedTuple):
    """Pixels as a file or an array holds them."""

    values: npt.NDArray[Any]  # (H, W, C), integers or floating point
    # The value of full intensity and of full coverage. None for integers without a known white;
    # they count as 16-bit samples if they are in range.
    white: float | None
    premultiplied: bool = False  # whether color is multiplied by alpha


def from_array(
    array: npt.ArrayLike,
    *,
    white: float | None = None,
    bit_depth: Literal[8, 16] | None = None,
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    warn: Warn | None = None,
) -> Picture:
    """Make a picture from an array.

    Parameters
    ----------
    array : array_like, shape (H, W) or (H, W, C)
        C is 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA), where color is *not* multiplied by
        alpha. White is 255 for ``uint8``, 65535 for ``uint16``, True for ``bool`` and 1.0 for
        floating point. Floating-point values slightly outside of 0..1, such as a resampling
        filter produces, are clipped with a warning; values below −1 or above 2 are an error,
        because they must be on another scale.
    white : float, optional
        The value that becomes 1.0, if it is not the white of the type: 4095 for 12-bit data in
        ``uint16``, 255 for ``int64`` values of 0..255. With `white`, any type of real numbers is
        accepted; values below 0 and above `white` are clipped with a warning. Alpha keeps the
        white of its type, if the type has one.
    bit_depth : {8, 16}, optional
        By default 8 for ``bool`` and for integers whose white is at most 255, else 16.
    icc, exif, xmp : bytes, optional
        As in `Picture`.
    warn : callable, optional
        Called with a message instead of a `PictureWarning`.

    Raises
    ------
    TypeError
        The array has another type, for instance ``int64``, and `white` is not given.
    ValueError
        The shape is not that of a picture, floating-point values are on another scale, the array is
        masked, or `white` is not a finite number above 0.
    PictureError
        A pixel is NaN or infinite.

    Warns
    -----
    PictureWarning
        The values are clipped, or all of them are below a quarter of white.
    """
    if isinstance(array, np.ma.MaskedArray) and np.ma.getmaskarray(array).any():
        masked = np.count_nonzero(np.ma.getmaskarray(array))
        raise ValueError(
            f"picture: {masked} elements of the array are masked, and a picture has no holes; "
            "fill them, as with array.filled(0)"
        )
    white = checked_white(white)
    values = np.asarray(array)
    check_array_shape(values.shape)
    kind, size = values.dtype.kind, values.dtype.itemsize
    natural: float | None = 1.0
    if kind == "u" and size <= 2:
        natural = 255.0 if size == 1 else 65535.0
    elif kind in "iu" and white is not None:
        natural = None
    elif kind not in "fb":
        hint = "; say which value is white (white=)" if kind in "iu" else ""
        raise TypeError(
            f"picture: expected uint8, uint16, bool or floating point, got {values.dtype}{hint}"
        )
    source = Samples(np.atleast_3d(values), natural)
    if problem := scale_problem(source, white):
        raise ValueError(f"picture: {problem}")
    pixels = normalized(source, white=white, warn=warn or issue)
    return Picture(pixels, bit_depth or choose_depth(source, white), icc, exif, xmp)


def to_array(
    pixels: npt.NDArray[np.floating[Any]], dtype: npt.DTypeLike = np.uint8
) -> npt.NDArray[Any]:
    """Convert rendered pixels to samples of a picture file: integers or floats, straight alpha.

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
        Samples, rounded to nearest. Color is divided by alpha, and is 0 where alpha is 0.

    Raises
    ------
    TypeError
        `dtype` is another type, or `pixels` are not floating point.
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
    result: npt.NDArray[Any] = np.empty(pixels.shape, dtype)
    for rows in row_blocks(*pixels.shape[:2]):
        result[rows] = _straight(pixels[rows], white)
    return result[..., 0] if result.shape[2] == 1 else result


def _straight(pixels: npt.NDArray[np.floating[Any]], white: int) -> npt.NDArray[np.float32]:
    """Return the samples of some rows, integers unless white is 1; see `to_array`."""
    # fmax and fmin, unlike clip, drop a NaN.
    values: npt.NDArray[np.float32] = np.fmin(np.fmax(pixels, 0), 1).astype(np.float32, copy=False)
    if values.shape[2] in (2, 4):
        color, alpha = values[..., :-1], values[..., -1:]
        visible = alpha * white >= 0.5 if white > 1 else alpha > 0
        straight = np.zeros_like(color)
        np.divide(color, alpha, out=straight, where=visible)
        values[..., :-1] = np.minimum(straight, 1)
    if white > 1:
        values *= white
        np.rint(values, out=values)
    return values


def checked_white(white: object) -> float | None:
    """Check the argument `white` and return it; a `TypeError` or `ValueError` if it is bad."""
    if white is None:
        return None
    if isinstance(white, bool | np.bool_) or not isinstance(white, Real):
        raise TypeError(f"white: expected a number, got {type(white).__name__}")
    if not 0 < float(white) < math.inf:
        raise ValueError(f"white: expected a finite number above 0, got {white}")
    return float(white)


def scale_problem(samples: Samples, white: float | None) -> str | None:
    """Return why the samples need a `white` that the caller did not give; None if they don't.

    `white` is the caller's argument, as for `from_array`.
    """
    values = samples.values
    if white is not None or (values.dtype.kind != "f" and samples.white is not None):
        return None
    low, high = (float(value) for value in extremes(values))
    if not math.isfinite(low + high):
        return None  # `normalized` refuses these
    if samples.white is not None:
        if low >= -1 and high <= 2:
            return None
        expected = "values in 0..1"
    else:
        if low >= 0 and high <= _WHITE_16:
            return None
        expected = f"integers in 0..{_WHITE_16} (16 bits) if no white is given"
    fitting = _fitting_white(samples, high) if high > 0 else "its value"
    return (
        f"expected {expected}, got {low:.5g}..{high:.5g}; "
        f"say which value is white, such as {fitting} (white=, --white)"
    )


def choose_depth(samples: Samples, white: float | None) -> Literal[8, 16]:
    """Return the bit depth of a picture of these samples; `white` is the caller's argument."""
    kind = samples.values.dtype.kind
    if kind == "b":
        return 8
    top = white or samples.white or _WHITE_16
    return 16 if top > 255 or kind == "f" else 8


def normalized(
    samples: Samples, *, white: float | None = None, warn: Warn = issue
) -> npt.NDArray[np.float32]:
    """Return new, read-only pixels in the form of `Picture.pixels`.

    Parameters
    ----------
    samples : Samples
        Samples without a `scale_problem`.
    white : float, optional
        The sample that becomes 1.0, as for `from_array`.
    warn : callable
        Called with a message if values are clipped or use little of the range.

    Raises
    ------
    PictureError
        A sample is NaN or infinite.
    """
    values = samples.values
    blocks = list(row_blocks(*values.shape[:2]))
    if values.dtype.kind == "f" and not all(np.isfinite(values[rows]).all() for rows in blocks):
        raise PictureError("the picture has NaN or infinite pixels")
    opaque = samples.white or white or _WHITE_16
    top = white or samples.white or _WHITE_16
    colors = values.shape[2] - (values.shape[2] in (2, 4))
    _tell_of_range(samples, values[..., :colors], white, top, warn)
    # Doubles and long integers are divided before they are rounded to float32.
    wide = values.dtype.itemsize > 4 or (values.dtype.kind in "iu" and values.dtype.itemsize > 2)
    result = np.empty(values.shape, np.float32)
    for rows in blocks:
        done = result[rows]
        pixels: npt.NDArray[Any] = np.empty(done.shape, np.float64) if wide else done
        pixels[:] = values[rows]
        if top != 1:
            pixels[..., :colors] /= pixels.dtype.type(top)
        if opaque != 1:
            pixels[..., colors:] /= pixels.dtype.type(opaque)
        if values.dtype.kind in "fi" or white is not None:
            np.clip(pixels, 0, 1, out=pixels)
        if wide:
            done[:] = pixels
        if colors < values.shape[2] and not samples.premultiplied:
            done[..., :-1] *= done[..., -1:]
    result.flags.writeable = False
    return result


_WHITE_16 = 65535
# A picture that uses less than this share of its range usually has another white.
_LITTLE = 1 / 4
# Values outside of the range by less than this are rounding errors.
_ROUNDING = 1e-5


def _tell_of_range(
    samples: Samples, color: npt.NDArray[Any], white: float | None, top: float, warn: Warn
) -> None:
    if color.dtype.kind == "b":
        return
    low, high = extremes(color)
    if low < -_ROUNDING * top or high > (1 + _ROUNDING) * top:
        blocks = (color[rows] for rows in row_blocks(*color.shape[:2]))
        outside = sum(np.count_nonzero((c < 0) | (c > top)) for c in blocks) / color.size
        warn(
            f"values in {low:.5g}..{high:.5g} are clipped to 0..{top:.5g}, which are "
            f"{100 * outside:.2g} % of them"
        )
    elif white is None and 0 < high < _LITTLE * top:
        fitting = _fitting_white(samples, float(high))
        warn(
            f"only {low:.5g}..{high:.5g} of 0..{top:.5g} is used, so the picture is dark; "
            f"white={fitting} (--white {fitting}) would fit"
        )


def _fitting_white(samples: Samples, high: float) -> str:
    """Return a white for samples up to `high`; for integers, the largest of their bit length."""
    if samples.values.dtype.kind == "f" and not (high >= 1 and high == int(high)):
        return f"{high:.3g}" if float(f"{high:.3g}") >= high else f"{high * 1.005:.3g}"
    bits = int(high).bit_length()
    # Pixels have 8, 10, 12, 14 or 16 bits; integers of fewer bits are labels or levels.
    return str(2 ** (bits + bits % 2 if bits > 7 else bits) - 1)


def check_array_shape(shape: tuple[int, ...]) -> None:
    """Raise a ValueError if no picture can have the shape."""
    if len(shape) not in (2, 3):
        raise ValueError(f"picture: expected shape (H, W) or (H, W, C), got {shape}")
    _check_shape((*shape, 1)[:3])


def _check_shape(shape: tuple[int, ...]) -> None:
    height, width, channels = shape
    if height == 0 or width == 0:
        raise ValueError(f"picture: expected at least one pixel, got {width} x {height}")
    if channels not in _MODES:
        hint = "; move the channels to the end" if shape[0] in _MODES else ""
        raise ValueError(f"picture: expected 1 to 4 channels, got {channels}{hint}")
