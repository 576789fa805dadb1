"""Quantized Gaussians: the integers that a layer of a file holds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int32]


class QuantizedGaussians(NamedTuple):
    """N Gaussians as the integers of a layer, in the terms of docs/format.md.

    Attributes
    ----------
    precision : ndarray of uint8, (N,)
        Precision class of the position; the grid of a class has cells of 2^precision / 16 px.
    position : ndarray of int32, (N, 2)
        Column and row of the cell in the grid.
    color : ndarray of int32, (N, C)
        The normalized color in the luma-chroma basis, in color steps.
    shape : ndarray of int32, (N, 3)
        The log-covariance, in the steps of the Gaussian's amplitude class.
    """

    precision: NDArray[np.uint8]
    position: Integers
    color: Integers
    shape: Integers

    def select(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> "QuantizedGaussians":
        """Return the Gaussians that an index or a mask selects."""
        return QuantizedGaussians(
            self.precision[index], self.position[index], self.color[index], self.shape[index]
        )

    @staticmethod
    def none(channels: int) -> "QuantizedGaussians":
        """Return an empty set of Gaussians with this number of channels."""
        return QuantizedGaussians(
            np.empty(0, np.uint8),
            np.empty((0, 2), np.int32),
            np.empty((0, channels), np.int32),
            np.empty((0, 3), np.int32),
        )

    @staticmethod
    def concatenate(parts: "Sequence[QuantizedGaussians]") -> "QuantizedGaussians":
        """Join one or more sets of Gaussians in their order."""
        return QuantizedGaussians(
            np.concatenate([part.precision for part in parts]),
            np.concatenate([part.position for part in parts]),
            np.concatenate([part.color for part in parts]),
            np.concatenate([part.shape for part in parts]),
        )
