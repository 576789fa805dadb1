"""A picture as the paper's codec stores it: half-precision positions, indices and quantizers."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gaussianimage._util.arguments import side
from gaussianimage.codec.format.header import nearest_q_max
from gaussianimage.codec.paper_profile.portable_math import cos_sin, sigmoid, tanh
from gaussianimage.codec.paper_profile.quantizers import (
    ColorQuantizer,
    Floats,
    Indices,
    UniformQuantizer,
    as_read_only,
    require,
)
from gaussianimage.gaussians import Gaussians

POSITION_BITS = 16
MAX_CHANNELS = 4


@dataclass(frozen=True, eq=False, kw_only=True)
class PaperRecord:
    """N Gaussians, quantized as in section 3.3 of the paper: an immutable value.

    Parameters
    ----------
    positions : array_like, (N, 2)
        x and y before the tanh, not NaN; kept in float16.
    shapes : array_like, (N, 3)
        Indices of the entries l₁₁, l₂₁, l₂₂ of the Cholesky factor, or of both scales and of the
        rotation before its sigmoid or, with `angle`, in radians.
    colors : array_like, (N, S) or (N, C)
        Indices of the color, one for each stage of a `VectorQuantizer` or for each channel.
    shape_quantizer : UniformQuantizer
        Quantizer of the shapes, with three components.
    color_quantizer : VectorQuantizer or UniformQuantizer
        Quantizer of the colors, with one component for each channel of the picture, 1 to 4.
    height, width : int
        Size of the picture, 1 to 65536 px a side.
    q_max : float
        Cut-off exponent of the Gaussians; rounded to the nearest multiple of 1/2048.
    rotation : bool, default False
        Whether shapes are scales and rotation rather than Cholesky factors.
    offset : bool, default True
        Whether ½ px is added to l₁₁ and l₂₂, or to both scales (the paper's Table 5).
    half_pixel : bool, default False
        Whether ½ px is added to the centers, for a model whose pixels are sampled at integers.
    angle : bool, default False
        Whether the rotation is the angle in radians, which the released code quantizes, rather than
        the number before the sigmoid. It needs `rotation`.

    Raises
    ------
    TypeError, ValueError
        An array has another shape or type, an index is out of its quantizer's range, or a position
        is NaN.
    """

    positions: NDArray[np.float16]
    shapes: Indices
    colors: Indices
    shape_quantizer: UniformQuantizer
    color_quantizer: ColorQuantizer
    height: int
    width: int
    q_max: float
    rotation: bool = False
    offset: bool = True
    half_pixel: bool = False
    angle: bool = False

    def __post_init__(self) -> None:
        if self.shape_quantizer.components != 3:
            raise ValueError(
                f"shape_quantizer: expected 3 components, got {self.shape_quantizer.components}"
            )
        if self.angle and not self.rotation:
            raise ValueError("angle: only shapes of scales and rotation have one")
        require("color_quantizer: components", self.channels, 1, MAX_CHANNELS)
        values: dict[str, Any] = {"positions": _positions(self.positions)}
        count = len(values["positions"])
        for name, quantizer in (("shapes", self.shape_quantizer), ("colors", self.color_quantizer)):
            values[name] = _indices(name, getattr(self, name), count, quantizer)
        values |= {name: side(name, getattr(self, name)) for name in ("height", "width")}
        values["q_max"] = nearest_q_max(self.q_max)
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return (
            f"PaperRecord({len(self)} Gaussians of {self.channels} channels, "
            f"height={self.height}, width={self.width}, q_max={self.q_max:g})"
        )

    def __len__(self) -> int:
        return len(self.positions)

    def __eq__(self, other: object) -> bool:
        """Whether two records are equal bit for bit, order included; they hold no NaN."""
        if not isinstance(other, PaperRecord):
            return NotImplemented
        scalars = (
            "height",
            "width",
            "q_max",
            "rotation",
            "offset",
            "half_pixel",
            "angle",
            "widths",
        )
        return (
            all(getattr(self, name) == getattr(other, name) for name in scalars)
            and type(self.color_quantizer) is type(other.color_quantizer)
            and self.side_information() == other.side_information()
            and np.array_equal(self.rows(), other.rows())
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def channels(self) -> int:
        """Number of color channels."""
        return self.color_quantizer.components

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits of every field of one Gaussian, in the order of the file."""
        position = (POSITION_BITS, POSITION_BITS)
        return (*position, *self.shape_quantizer.widths, *self.color_quantizer.widths)

    @property
    def formula_bits(self) -> int:
        """Bits by the paper's count: N times the sum of the widths, plus the quantizers' bits.

        With 6-bit shapes and two codebooks of 8 colors the count is 56 N + 1728.
        """
        return len(self) * sum(self.widths) + 8 * len(self.side_information())

    def side_information(self) -> bytes:
        """Return the bytes of the quantizers' parameters in a file."""
        return self.shape_quantizer.to_bytes() + self.color_quantizer.to_bytes()

    def rows(self) -> Indices:
        """Return every field of every Gaussian as an unsigned integer, (N, F)."""
        return np.concatenate((self.positions.view(np.uint16), self.shapes, self.colors), axis=1)

    def with_rows(self, rows: Indices) -> Self:
        """Return the record with other Gaussians, in the form of `rows`."""
        return replace(
            self,
            positions=np.ascontiguousarray(rows[:, :2]).view(np.float16),
            shapes=rows[:, 2:5],
            colors=rows[:, 5:],
        )

    def canonical(self) -> Self:
        """Return the record with its Gaussians sorted by their rows, lexicographically.

        Two records with the same multiset of Gaussians are then equal.
        """
        rows = self.rows()
        return self.with_rows(rows[np.lexsort(rows.T[::-1])])

    def gaussians(self) -> Gaussians:
        """Return the Gaussians of the record, in its order (docs/format.md, section 7.4)."""
        size = np.array([self.width, self.height], np.float64)
        means = (tanh(self.positions.astype(np.float64)) + 1) * (size / 2)
        if self.half_pixel:
            means += 0.5
        with np.errstate(all="ignore"):  # a Gaussian whose values overflow isn't drawn
            shapes = self.shape_quantizer.dequantize(self.shapes)
            if self.offset:
                shapes = shapes + ((0.5, 0.5, 0.0) if self.rotation else (0.5, 0.0, 0.5))
            colors = self.color_quantizer.dequantize(self.colors)
            turned = self.rotation
            covariance = _rotated(shapes, angle=self.angle) if turned else _lower(shapes)
        return Gaussians(means, covariance, colors, self.height, self.width, self.q_max)


def _lower(shapes: Floats) -> Floats:
    l11, l21, l22 = shapes.T
    return np.stack((l11 * l11, l11 * l21, l21 * l21 + l22 * l22), axis=1)


def _rotated(shapes: Floats, *, angle: bool) -> Floats:
    """Return the covariance of two scales and the first axis's angle, from +x towards +y."""
    first, second = shapes[:, 0] ** 2, shapes[:, 1] ** 2
    if angle:
        turns = shapes[:, 2] / (2 * np.pi)
        turns = np.nan_to_num(turns - np.floor(turns), nan=0.0)
    else:
        turns = sigmoid(shapes[:, 2])
    c, s = cos_sin(turns)
    return np.stack(
        (c * c * first + s * s * second, c * s * (first - second), s * s * first + c * c * second),
        axis=1,
    )


def _positions(values: ArrayLike) -> NDArray[np.float16]:
    positions = np.array(values)
    if positions.dtype.kind not in "iuf":
        raise TypeError(f"positions: expected real numbers, got dtype {positions.dtype}")
    if positions.ndim != 2 or positions.shape[1] != 2:
        raise ValueError(f"positions: expected shape (N, 2), got {positions.shape}")
    if np.isnan(positions).any():
        raise ValueError("positions: expected numbers, got NaN")
    with np.errstate(over="ignore"):
        return as_read_only(positions.astype(np.float16))


def _indices(name: str, values: ArrayLike, count: int, quantizer: ColorQuantizer) -> Indices:
    indices = np.array(values)
    expected = (count, len(quantizer.widths))
    if indices.shape != expected:
        raise ValueError(f"{name}: expected shape {expected}, got {indices.shape}")
    if indices.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, got dtype {indices.dtype}")
    if indices.size and not 0 <= indices.min() <= indices.max() < 2**quantizer.bits:
        raise ValueError(
            f"{name}: expected 0 to {2**quantizer.bits - 1}, got {indices.min()} to {indices.max()}"
        )
    return as_read_only(indices.astype(np.uint16))
