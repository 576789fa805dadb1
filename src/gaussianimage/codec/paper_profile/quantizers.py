"""The paper's quantizers, in the direction of decoding: from indices to values."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.uint16]

MAX_BITS = 12
MAX_STAGES = 8
MAX_STAGE_BITS = 8


@dataclass(frozen=True, eq=False)
class UniformQuantizer:
    """Evenly spaced levels for each of D components: index · scale + beta.

    Parameters
    ----------
    bits : int
        Bits of an index, 1 to 12.
    scale, beta : array_like, (D,)
        Step, and value of index 0; finite, kept in float32.

    Raises
    ------
    ValueError
        `bits` is out of range, or `scale` or `beta` has a bad shape or is not finite.
    """

    bits: int
    scale: NDArray[np.float32]
    beta: NDArray[np.float32]

    def __repr__(self) -> str:
        return f"UniformQuantizer({self.components} components of {self.bits} bits)"

    def __post_init__(self) -> None:
        require("bits", self.bits, 1, MAX_BITS)
        for name in ("scale", "beta"):
            object.__setattr__(self, name, _float32(name, getattr(self, name)))
        if self.scale.ndim != 1 or self.scale.shape != self.beta.shape:
            raise ValueError(
                f"scale, beta: expected equal shapes (D,), got {self.scale.shape}, "
                f"{self.beta.shape}"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits of each index of a Gaussian."""
        return (self.bits,) * len(self.scale)

    @property
    def components(self) -> int:
        """How many numbers the indices of one Gaussian stand for."""
        return len(self.scale)

    def dequantize(self, indices: Indices) -> Floats:
        """Return the values (N, D) of indices (N, D)."""
        return indices.astype(np.float64) * self.scale + self.beta

    def to_bytes(self) -> bytes:
        """Return scale, then beta, as little-endian floats."""
        return self.scale.astype("<f4").tobytes() + self.beta.astype("<f4").tobytes()


@dataclass(frozen=True, eq=False)
class VectorQuantizer:
    """Residual vector quantization: the sum of one entry from each of S codebooks.

    Parameters
    ----------
    codebooks : array_like, (S, 2^b, C)
        Codebooks of S stages, 1 to 8, with 2 to 256 entries of C components; finite, kept in
        float32.

    Raises
    ------
    ValueError
        The shape is another, or a value is not finite.
    """

    codebooks: NDArray[np.float32]

    def __repr__(self) -> str:
        stages = len(self.codebooks)
        return f"VectorQuantizer({stages} codebooks of {self.bits} bits, C={self.components})"

    def __post_init__(self) -> None:
        codebooks = _float32("codebooks", self.codebooks)
        if codebooks.ndim != 3 or codebooks.shape[2] == 0:
            raise ValueError(f"codebooks: expected shape (S, 2^b, C), got {codebooks.shape}")
        require("codebooks: stages", len(codebooks), 1, MAX_STAGES)
        entries = codebooks.shape[1]
        if entries not in [2**bits for bits in range(1, MAX_STAGE_BITS + 1)]:
            raise ValueError(f"codebooks: expected 2, 4 … 256 entries a stage, got {entries}")
        object.__setattr__(self, "codebooks", codebooks)

    @property
    def bits(self) -> int:
        """Bits of an index of one stage."""
        return int(self.codebooks.shape[1]).bit_length() - 1

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits of each index of a Gaussian."""
        return (self.bits,) * len(self.codebooks)

    @property
    def components(self) -> int:
        """How many numbers the indices of one Gaussian stand for."""
        return int(self.codebooks.shape[2])

    def dequantize(self, indices: Indices) -> Floats:
        """Return the values (N, C) of indices (N, S)."""
        total = np.zeros((len(indices), self.components))
        for stage, codebook in enumerate(self.codebooks):
            total += codebook[indices[:, stage]]
        return total

    def to_bytes(self) -> bytes:
        """Return the entries as little-endian floats, stage by stage."""
        return self.codebooks.astype("<f4").tobytes()


ColorQuantizer = UniformQuantizer | VectorQuantizer


def _float32(name: str, values: ArrayLike) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.array(values, dtype=np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers")
    return as_read_only(array)


def as_read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array as C-contiguous and read-only."""
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


def require(name: str, value: int, low: int, high: int) -> None:
    """Refuse a value out of range with a `ValueError`."""
    if not low <= value <= high:
        raise ValueError(f"{name}: expected {low} to {high}, got {value}")
