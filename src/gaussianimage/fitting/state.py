"""The state of a fit: all that it needs to continue."""

import math
from dataclasses import dataclass
from os import PathLike
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gaussianimage._util.arguments import cutoff, side
from gaussianimage._util.safetensors import load_tensors, metadata_number, save_tensors
from gaussianimage.backends import FitOptimizer
from gaussianimage.errors import FormatError
from gaussianimage.gaussians import Gaussians

MAX_FITTED_GAUSSIANS = 2**24
MAX_ITERATIONS = 10**7
# The sum of 1 for position, 2 for shape and 4 for color.
TRAIN_ALL = 7

_KIND = "gaussianimage.FitState"
_VERSION = 1
_COUNTS = ("iteration", "iterations", "target", "seed", "height", "width")


@dataclass(frozen=True, eq=False)
class FitState:
    """An immutable state of a fit; with the same picture it continues to the same result.

    Attributes
    ----------
    means : ndarray, (N, 2), float64
        Centers in pixels.
    cholesky : ndarray, (N, 3), float64
        Cholesky factors of the covariances in pixels.
    colors : ndarray, (N, C), float32
    first, second : ndarray, (N, 5 + C), float32
        Adam's moments; once Gauss–Newton steps have begun, velocities, and in each column the
        overlaps.
    age : ndarray, (N,), uint32
        Steps that each Gaussian has taken.
    trainable : ndarray, (N,), uint8
        What of each is trained: the sum of 1 for position, 2 for shape and 4 for color.
    iteration, iterations : int
        Iterations that are done, and in all.
    target : int
        How many Gaussians the fit ends with.
    seed : int
    height, width : int
        The picture's size.
    q_max, energy : float
        Cut-off of the model, and weight of the penalty on energy; see `gaussianimage.fit`.
    """

    means: NDArray[np.float64]
    cholesky: NDArray[np.float64]
    colors: NDArray[np.float32]
    first: NDArray[np.float32]
    second: NDArray[np.float32]
    age: NDArray[np.uint32]
    trainable: NDArray[np.uint8]
    iteration: int
    iterations: int
    target: int
    seed: int
    height: int
    width: int
    q_max: float
    energy: float

    def __repr__(self) -> str:
        return (
            f"FitState({len(self.means)} Gaussians of {self.channels} channels, "
            f"iteration={self.iteration}, iterations={self.iterations}, target={self.target}, "
            f"seed={self.seed}, height={self.height}, width={self.width})"
        )

    @property
    def gaussians(self) -> Gaussians:
        """The Gaussians of this state."""
        return Gaussians.from_cholesky(
            self.means, self.cholesky, self.colors, self.height, self.width, self.q_max
        )

    @property
    def channels(self) -> int:
        """Number of color channels, 1 to 4."""
        return int(self.colors.shape[1])

    def restore(self, optimizer: FitOptimizer) -> None:
        """Give the Gaussians and their moments to an optimizer that has none."""
        optimizer.add(self.means, self.cholesky, self.colors)
        optimizer.first = self.first
        optimizer.second = self.second
        optimizer.age = self.age
        optimizer.trainable = self.trainable

    def save(self, path: str | PathLike[str]) -> None:
        """Write a safetensors file, all of it or nothing.

        Raises
        ------
        OSError
            If the file can't be written; one that was there before is unharmed.
        """
        arrays = {name: getattr(self, name) for name in _columns(self.channels)}
        numbers = {name: str(getattr(self, name)) for name in _COUNTS}
        numbers |= {"q_max": repr(self.q_max), "energy": repr(self.energy)}
        save_tensors(path, _KIND, _VERSION, arrays, numbers)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a file that `save` has written.

        Raises
        ------
        FormatError
            If it isn't such a file, or a value in it is missing or wrong.
        UnsupportedError
            If a newer version of this package wrote it.
        OSError
            If the file can't be read.
        """
        names = tuple(_columns(3))
        arrays, metadata = load_tensors(path, _KIND, _VERSION, names, (*_COUNTS, "q_max", "energy"))
        counts = {name: metadata_number(path, metadata, name, int) for name in _COUNTS}
        numbers = {
            name: metadata_number(path, metadata, name, float) for name in ("q_max", "energy")
        }
        colors = arrays["colors"]
        if colors.ndim != 2 or not 1 <= colors.shape[1] <= 4:
            raise FormatError(
                f"{path}: colors: expected (N, C) with C = 1 to 4, got {colors.shape}"
            )
        for name, (shape, dtype) in _columns(colors.shape[1]).items():
            expected = (len(colors), *shape)
            if arrays[name].shape != expected or arrays[name].dtype != dtype:
                raise FormatError(
                    f"{path}: {name}: expected {expected} of {np.dtype(dtype)}, "
                    f"got {arrays[name].shape} of {arrays[name].dtype}"
                )
        try:
            side("height", counts["height"])
            side("width", counts["width"])
            cutoff("q_max", numbers["q_max"])
        except ValueError as error:
            raise FormatError(f"{path}: {error}") from error
        if not 0 <= counts["iteration"] <= counts["iterations"] <= MAX_ITERATIONS:
            raise FormatError(
                f"{path}: iteration {counts['iteration']} of {counts['iterations']} is impossible"
            )
        if not 1 <= len(colors) <= counts["target"] <= MAX_FITTED_GAUSSIANS:
            raise FormatError(
                f"{path}: {len(colors)} of {counts['target']} Gaussians is impossible"
            )
        if not 0 <= counts["seed"] < 2**63 or not 0 <= numbers["energy"] < math.inf:
            raise FormatError(f"{path}: seed or energy is out of range")
        return cls(**{name: arrays[name] for name in names}, **counts, **numbers)  # type: ignore[arg-type]


def _columns(channels: int) -> dict[str, tuple[tuple[int, ...], type]]:
    """Return the shape of one row and the type of each array."""
    return {
        "means": ((2,), np.float64),
        "cholesky": ((3,), np.float64),
        "colors": ((channels,), np.float32),
        "first": ((5 + channels,), np.float32),
        "second": ((5 + channels,), np.float32),
        "age": ((), np.uint32),
        "trainable": ((), np.uint8),
    }
