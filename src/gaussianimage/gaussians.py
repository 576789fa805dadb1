"""A picture as a set of 2D Gaussians: the value that all parts of the package exchange."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gaussianimage import _native, geometry
from gaussianimage._util.arguments import (
    Size,
    crop_box,
    cutoff,
    full_size,
    real_array,
    side,
    within,
)
from gaussianimage._util.safetensors import load_tensors, metadata_number, save_tensors
from gaussianimage.errors import FormatError

Floats = NDArray[np.float64]

# Bounds of drawable Gaussians; see `Gaussians.drawable`. Within them no engine overflows in
# float32. A Gaussian outside of them is invisible, or constant over any picture.
MIN_LENGTH = 1e-6
MAX_LENGTH = 1e12
MAX_COLOR = 1e30

_KIND = "gaussianimage.Gaussians"
_VERSION = 1
_ARRAYS = ("means", "covariance", "colors")
_NUMBERS = ("height", "width", "q_max")


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Gaussians:
    """A picture as a sum of N colored 2D Gaussians: an immutable value.

    The color at the point p is the sum of cᵢ exp(−qᵢ(p)) over all Gaussians with qᵢ(p) ≤ `q_max`,
    where qᵢ(p) = ½ (p − μᵢ)ᵀ Σᵢ⁻¹ (p − μᵢ). Two values are equal if their Gaussians are, number by
    number and in the same order; NaN equals NaN. The class is not hashable.

    Parameters
    ----------
    means : array_like, (N, 2)
        Centers μ, x then y, in pixels of the nominal image. Pixel centers are at +½; centers may
        lie outside.
    covariance : array_like, (N, 3)
        Entries xx, xy, yy of Σ in px².
    colors : array_like, (N, C)
        Colors c, C = 1 to 4 channels; a picture's values span 0 to 1, but these are unbounded and
        may be negative.
    height, width : int
        Size of the nominal image in pixels, 1 to 65536.
    q_max : float, default 4.5
        Cut-off of each Gaussian, above 0 and at most 64; 4.5 is 3 σ.

    Attributes
    ----------
    means, covariance, colors : ndarray, float64
        Copies of the arguments, C-contiguous and read-only.
    height, width : int
    q_max : float

    Raises
    ------
    TypeError
        An array doesn't hold real numbers, or a size is not an integer.
    ValueError
        A shape doesn't fit, or a number is out of range. The values in the arrays are not checked:
        a Gaussian that can't be drawn stays in the set and draws nothing (see `drawable`).
    """

    means: Floats  # (N, 2)
    covariance: Floats  # (N, 3)
    colors: Floats  # (N, C)
    height: int
    width: int
    q_max: float

    def __init__(
        self,
        means: ArrayLike,
        covariance: ArrayLike,
        colors: ArrayLike,
        height: int,
        width: int,
        q_max: float = 4.5,
    ) -> None:
        arrays = {
            "means": real_array("means", means),
            "covariance": real_array("covariance", covariance),
            "colors": real_array("colors", colors),
        }
        shape = arrays["means"].shape
        count = shape[0] if shape else "N"
        for name, columns in (("means", 2), ("covariance", 3)):
            if (shape := arrays[name].shape) != (count, columns):
                raise ValueError(f"{name}: expected shape ({count}, {columns}), got {shape}")
        shape = arrays["colors"].shape
        if len(shape) != 2 or shape[0] != count or not 1 <= shape[1] <= 4:
            raise ValueError(f"colors: expected shape ({count}, C) with C = 1 to 4, got {shape}")
        size = {"height": side("height", height), "width": side("width", width)}
        for field, value in {**arrays, **size, "q_max": cutoff("q_max", q_max)}.items():
            object.__setattr__(self, field, value)

    @classmethod
    def from_cholesky(
        cls,
        means: ArrayLike,
        cholesky: ArrayLike,
        colors: ArrayLike,
        height: int,
        width: int,
        q_max: float = 4.5,
    ) -> Self:
        """Make Gaussians from lower Cholesky factors l₁₁, l₂₁, l₂₂ in px, (N, 3); Σ = L Lᵀ."""
        covariance = geometry.covariance_from_cholesky(real_array("cholesky", cholesky, columns=3))
        return cls(means, covariance, colors, height, width, q_max)

    @classmethod
    def from_scale_rotation(
        cls,
        means: ArrayLike,
        scales: ArrayLike,
        rotation: ArrayLike,
        colors: ArrayLike,
        height: int,
        width: int,
        q_max: float = 4.5,
    ) -> Self:
        """Make Gaussians from standard deviations in px, (N, 2), and angles in radians, (N,).

        The angle of the first axis counts from +x towards +y, clockwise on the screen.
        """
        axes, angles = real_array("scales", scales, columns=2), real_array("rotation", rotation)
        if axes.shape[:-1] != angles.shape:
            raise ValueError(
                f"rotation: expected one angle for each of the scales {axes.shape}, "
                f"got shape {angles.shape}"
            )
        covariance = geometry.covariance_from_scale_rotation(axes, angles)
        return cls(means, covariance, colors, height, width, q_max)

    @classmethod
    def from_conic(
        cls,
        means: ArrayLike,
        conic: ArrayLike,
        colors: ArrayLike,
        height: int,
        width: int,
        q_max: float = 4.5,
    ) -> Self:
        """Make Gaussians from inverse covariances a, b, c in px⁻², (N, 3)."""
        covariance = geometry.inverse(real_array("conic", conic, columns=3))
        return cls(means, covariance, colors, height, width, q_max)

    @classmethod
    def from_log_euclidean(
        cls,
        means: ArrayLike,
        log_euclidean: ArrayLike,
        colors: ArrayLike,
        height: int,
        width: int,
        q_max: float = 4.5,
    ) -> Self:
        """Make Gaussians from log covariances, (N, 3), as `log_euclidean` gives them."""
        covariance = geometry.covariance_from_log_euclidean(
            real_array("log_euclidean", log_euclidean, columns=3)
        )
        return cls(means, covariance, colors, height, width, q_max)

    def cholesky(self) -> Floats:
        """Return l₁₁, l₂₁, l₂₂ in px, (N, 3); NaN for a row that is not positive definite.

        The array is read-only, because it is computed once and shared.
        """
        return self._cholesky

    @cached_property
    def _cholesky(self) -> Floats:
        factors = geometry.cholesky_from_covariance(self.covariance)
        factors.setflags(write=False)
        return factors

    def scale_rotation(self) -> tuple[Floats, Floats]:
        """Return σ₁ ≥ σ₂ in px, (N, 2), and the major axis' angle in (−π/2, π/2] radians, (N,)."""
        return geometry.scale_rotation_from_covariance(self.covariance)

    def conic(self) -> Floats:
        """Return a, b, c of q = ½ (a dx² + 2 b dx dy + c dy²) in px⁻², (N, 3)."""
        return geometry.inverse(self.covariance)

    def log_euclidean(self) -> Floats:
        """Return s = (ln σ₁ + ln σ₂) / 2, r cos 2θ, r sin 2θ with r = ln(σ₁ / σ₂) / 2, (N, 3)."""
        return geometry.log_euclidean_from_covariance(self.covariance)

    @property
    def channels(self) -> int:
        """Number of color channels, 1 to 4."""
        return int(self.colors.shape[1])

    def drawable(self) -> NDArray[np.bool_]:
        """Tell which Gaussians are drawn; all others draw nothing and get no gradient.

        Returns
        -------
        ndarray, (N,), bool
            True where the covariance is positive definite, every number is finite, centers and
            Cholesky factors are below 10¹² px in magnitude, the factors' diagonal is above
            10⁻⁶ px, and the magnitudes of the colors sum up to less than 10³⁰.
        """
        lengths = np.concatenate((self.means, self.cholesky()), axis=1)
        with np.errstate(all="ignore"):
            result: NDArray[np.bool_] = (
                (np.abs(lengths) < MAX_LENGTH).all(axis=1)
                & (lengths[:, 2] > MIN_LENGTH)
                & (lengths[:, 4] > MIN_LENGTH)
                & (np.abs(self.colors).sum(axis=1) < MAX_COLOR)
            )
        return result

    def scaled(self, size: Size) -> Self:
        """Return the same picture at another nominal size.

        Parameters
        ----------
        size : (int, int)
            Height and width in pixels, 1 to 65536. The aspect ratio may change; it stays if one of
            them is None.

        Returns
        -------
        Gaussians
            The color at a point p moves to (p_x · width' / width, p_y · height' / height). There is
            no anti-aliasing, so a much smaller size aliases when it is drawn.
        """
        if size is None:
            raise TypeError("size: expected (height, width), got None")
        height, width = full_size("size", size, (self.height, self.width))
        sx, sy = width / self.width, height / self.height
        with np.errstate(over="ignore", invalid="ignore"):
            means = self.means * (sx, sy)
            covariance = self.covariance * (sx * sx, sx * sy, sy * sy)
        return type(self)(means, covariance, self.colors, height, width, self.q_max)

    def cropped(self, crop: tuple[int, int, int, int]) -> Self:
        """Return the part of the picture within a rectangle.

        Parameters
        ----------
        crop : (int, int, int, int)
            Top, left, height and width in pixels, inside the nominal image.

        Returns
        -------
        Gaussians
            All N Gaussians, moved; Gaussians outside of the rectangle stay in the set.
        """
        top, left, height, width = crop_box("crop", crop, (self.height, self.width))
        means = self.means - (left, top)
        return type(self)(means, self.covariance, self.colors, height, width, self.q_max)

    @classmethod
    def concatenate(cls, *parts: "Gaussians") -> Self:
        """Return all Gaussians of one or more sets, in order; the picture is the sum of theirs.

        Raises
        ------
        ValueError
            There is no part, or the parts differ in height, width, channels or q_max.
        """
        if not parts:
            raise ValueError("concatenate: expected at least one Gaussians, got none")
        for index, part in enumerate(parts):
            if not isinstance(part, Gaussians):
                raise TypeError(f"part {index}: expected Gaussians, got {type(part).__name__}")
            for name in ("height", "width", "channels", "q_max"):
                first, other = getattr(parts[0], name), getattr(part, name)
                if first != other:
                    raise ValueError(f"part {index}: expected {name} {first}, got {other}")
        means, covariance, colors = (
            np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS
        )
        height, width, q_max = parts[0].height, parts[0].width, parts[0].q_max
        return cls(means, covariance, colors, height, width, q_max)

    def __len__(self) -> int:
        return len(self.means)

    def __getitem__(self, index: "slice | ArrayLike") -> Self:
        """Return the Gaussians that a slice, an integer array or a boolean mask selects."""
        rows: Any = index if isinstance(index, slice) else np.asarray(index)
        if not isinstance(rows, slice):
            if rows.ndim != 1:
                raise TypeError("expected a slice, a 1-D integer array or a 1-D boolean mask")
            if rows.size == 0 and rows.dtype != np.bool_:
                rows = rows.astype(np.intp)  # NumPy makes floats of an empty list
            if rows.dtype.kind not in "iub":
                raise TypeError(f"expected integers or booleans as index, got {rows.dtype}")
        return type(self)(
            self.means[rows],
            self.covariance[rows],
            self.colors[rows],
            self.height,
            self.width,
            self.q_max,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Gaussians):
            return NotImplemented
        same = all(getattr(self, name) == getattr(other, name) for name in _NUMBERS)
        return same and all(
            np.array_equal(getattr(self, name), getattr(other, name), equal_nan=True)
            for name in _ARRAYS
        )

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[Any, ...]]:
        # The constructor checks unpickled arrays and makes them read-only.
        values = (self.means, self.covariance, self.colors, self.height, self.width, self.q_max)
        return type(self), values

    def __repr__(self) -> str:
        return (
            f"Gaussians({len(self)} of {self.channels} channels, "
            f"height={self.height}, width={self.width}, q_max={self.q_max:g})"
        )

    def _repr_png_(self) -> bytes:
        from gaussianimage.picture.pixels import to_array
        from gaussianimage.picture.preview import LONGEST, png_preview

        small = resized(self, within((self.height, self.width), LONGEST))
        size = small.height, small.width
        arrays = small.means, small.cholesky(), to_float32(small.colors)
        # `gaussianimage.render` imports this module, so it can't be used here.
        return png_preview(to_array(_native.render_floats(*arrays, small.q_max, *size, None, 0)))

    def save(self, path: str | PathLike[str]) -> None:
        """Write a safetensors file atomically.

        Parameters
        ----------
        path : path-like
            File to write or replace. It holds `means`, `covariance` and `colors` in float64, and
            the sizes and `q_max` as metadata, so `load` returns an equal value.

        Raises
        ------
        OSError
            The file can't be written; an existing file stays as it was.
        """
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        metadata = {"height": str(self.height), "width": str(self.width), "q_max": repr(self.q_max)}
        save_tensors(path, _KIND, _VERSION, arrays, metadata)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a file that `save` has written.

        Raises
        ------
        FormatError
            The file isn't a safetensors file, or something in it is missing or wrong.
        UnsupportedError
            A newer version of this package wrote the file.
        OSError
            The file can't be read.
        """
        arrays, metadata = load_tensors(path, _KIND, _VERSION, _ARRAYS, _NUMBERS)
        height = metadata_number(path, metadata, "height", int)
        width = metadata_number(path, metadata, "width", int)
        q_max = metadata_number(path, metadata, "q_max", float)
        try:
            means, covariance, colors = (arrays[name] for name in _ARRAYS)
            return cls(means, covariance, colors, height, width, q_max)
        except (TypeError, ValueError) as error:
            raise FormatError(f"{path}: {error}") from error


def resized(gaussians: Gaussians, size: tuple[int, int]) -> Gaussians:
    """Scale Gaussians to another size, anti-aliased where it is smaller.

    Each Gaussian is convolved with about the area that a pixel of the smaller size covers.
    """
    scaled = gaussians.scaled(size)
    sx, sy = size[1] / gaussians.width, size[0] / gaussians.height
    if sx >= 1 and sy >= 1:
        return scaled
    footprint = (max(0.0, 1 - sx * sx) / 6, 0.0, max(0.0, 1 - sy * sy) / 6)
    with np.errstate(all="ignore"):
        covariance = scaled.covariance + footprint
        before, after = geometry.determinant(scaled.covariance), geometry.determinant(covariance)
        colors = scaled.colors * np.sqrt(before / after)[:, None]
    # A Gaussian that is not drawable must not become drawable.
    undrawable = ~scaled.drawable()
    covariance[undrawable] = np.nan
    return Gaussians(scaled.means, covariance, colors, *size, gaussians.q_max)


def to_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Convert numbers to float32; a number that is too large becomes infinite."""
    # A Gaussian draws nothing if its color is infinite or NaN.
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)
