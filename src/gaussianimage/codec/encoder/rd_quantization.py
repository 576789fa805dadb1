"""Rate-distortion quantization: each Gaussian gets the integers of least squared error + λ · bits.

λ is the weight of a bit. A pass of the coordinate descent visits the Gaussians one by one. Of the
neighboring integers of color, shape, position and grid, it chooses those of least cost, and it
removes a Gaussian whose removal costs less. The error is exact, with all other Gaussians as they
are; the bits are a static estimate of what the adaptive models will spend.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.codec.encoder.eye_weights import BLOCK_WEIGHT
from gaussianimage.codec.encoder.rounding import round_to_nearest, shown, strongest_first
from gaussianimage.codec.format.layers import model_set
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.quantizer import QuantizerParameters

# λ / Δ²: the squared error of rounding to steps Δ is Δ²/12, and another bit divides it by four.
WEIGHT_OF_A_BIT = np.log(2) / 6

# A rectangle in pixels: left, top, right, bottom.
Within = tuple[float, float, float, float]

SYMBOLS, PRECISIONS, SETS = 16, 16, 4


class RdQuantizer:
    """Quantizes the Gaussians of one file, to the nearest integers or to those of least cost.

    Parameters
    ----------
    parameters : QuantizerParameters
        The file's parameters: steps and background.
    step : float
        The color step Δ that sets the weight of a bit: that of the file, or a coarser one for a
        smaller file.
    height, width : int
        Size of the picture in pixels.
    q_max : float
        Cut-off q of the Gaussians.
    threads : int
        Number of threads. The result does not depend on it.
    weights : ndarray, (H, W), float32, optional
        Weights of the squared error at each pixel, for the eye. Means over blocks count too then;
        see `eye_weights`.
    within : tuple of 4 floats, optional
        Rectangle that no Gaussian may reach out of: left, top, right and bottom in pixels.
    """

    def __init__(
        self,
        parameters: QuantizerParameters,
        step: float,
        *,
        height: int,
        width: int,
        q_max: float,
        threads: int,
        weights: NDArray[np.float32] | None = None,
        within: Within | None = None,
    ) -> None:
        self.parameters = parameters
        self.quantizer = parameters.quantizer(height, width)
        self._size = height, width
        self._q_max = q_max
        self._threads = threads
        self._within = within
        self._roots: NDArray[np.float32] | None = None if weights is None else np.sqrt(weights)
        self._weight = float(WEIGHT_OF_A_BIT * step**2)

    def nearest(
        self,
        means: NDArray[np.float64],
        cholesky: NDArray[np.float64],
        colors: NDArray[np.float32],
    ) -> QuantizedGaussians:
        """Round Gaussians (N, 2), (N, 3) and (N, C) to the nearest integers of the file."""
        height, width = self._size
        return round_to_nearest(
            means,
            cholesky,
            colors,
            height=height,
            width=width,
            color_step=self.parameters.color_step,
            shape_step=self.parameters.shape_step,
        )

    def costs(self, layers: Sequence[QuantizedGaussians]) -> _native.SymbolCosts:
        """Estimate the bits of each symbol in a file of these layers."""
        filled = [layer.select(shown(layer)) for layer in layers]
        filled = [layer for layer in filled if len(layer.precision)]
        encoder = _native.LayerEncoder(self.quantizer, max(len(filled), 1))
        counts = np.zeros((_native.SYMBOL_MODELS, SYMBOLS), np.uint32)
        classes = np.zeros((SETS, PRECISIONS), np.uint32)
        for number, layer in enumerate(filled):
            counts += encoder.tally(self.quantizer, *layer)
            used = classes[model_set(number, len(filled))]
            used += np.bincount(layer.precision, minlength=PRECISIONS).astype(np.uint32)
        return _native.SymbolCosts(self.quantizer, counts, classes)

    def coordinate_descent(
        self, residual: _native.Optimizer | NDArray[np.float32]
    ) -> _native.CoordinateDescent:
        """Start a coordinate descent.

        Parameters
        ----------
        residual : _native.Optimizer or ndarray, (H, W, C), float32
            All Gaussians drawn, less the target, times the weights of the error; or the optimizer
            that draws them, which takes less memory.
        """
        block_weight = 0.0 if self._roots is None else BLOCK_WEIGHT
        descent = _native.CoordinateDescent(
            self.quantizer, self._q_max, residual, self._roots, block_weight, self._threads
        )
        if self._within is not None:
            descent.keep_within(*self._within)
        return descent

    def run_pass(
        self,
        descent: _native.CoordinateDescent,
        levels: QuantizedGaussians,
        sets: NDArray[np.uint8],
        costs: _native.SymbolCosts,
        weight: float = 1.0,
    ) -> QuantizedGaussians:
        """Run a pass of the coordinate descent over some Gaussians, the strongest first.

        Parameters
        ----------
        descent : _native.CoordinateDescent
            Its residual follows the Gaussians.
        levels : QuantizedGaussians
            N Gaussians that are drawn in the residual.
        sets : ndarray, (N,), uint8
            Number of the set of models that codes each Gaussian.
        costs : _native.SymbolCosts
        weight : float, default 1.0
            Weight of a bit, relative to its usual weight.

        Returns
        -------
        QuantizedGaussians
            The same Gaussians in the same order; a Gaussian that isn't worth its bits has the color
            zero.
        """
        order = strongest_first(levels.color)
        moved = descent.run_pass(
            self.quantizer,
            *levels.select(order),
            sets[order],
            costs,
            self._weight * weight,
            self._threads,
        )
        back = np.argsort(order)
        return QuantizedGaussians(*moved).select(back)

    def refine(
        self,
        layers: Sequence[QuantizedGaussians],
        residual: _native.Optimizer | NDArray[np.float32],
        weights: Sequence[float],
    ) -> Iterator[list[QuantizedGaussians]]:
        """Refine the layers of a file by passes over all of its Gaussians.

        Parameters
        ----------
        layers : sequence of QuantizedGaussians
        residual : _native.Optimizer or ndarray, (H, W, C), float32
            The drawn file less its target; see `coordinate_descent`.
        weights : sequence of float
            Weight of a bit in each pass, relative to its usual weight.

        Yields
        ------
        list of QuantizedGaussians
            The layers after a pass, without empty layers.
        """
        descent = self.coordinate_descent(residual)
        del residual  # as large as the picture; the descent has its own
        layers = list(layers)
        for weight in weights:
            if not layers:
                return
            layers = self._refine_once(descent, layers, weight)
            yield layers

    def refine_some(
        self,
        layers: Sequence[QuantizedGaussians],
        descent: _native.CoordinateDescent,
        some: NDArray[np.bool_],
        costs: _native.SymbolCosts,
    ) -> tuple[list[QuantizedGaussians], QuantizedGaussians]:
        """Refine some Gaussians of a file by one pass.

        Parameters
        ----------
        layers : sequence of QuantizedGaussians
        descent : _native.CoordinateDescent
            A descent in whose residual all of them are drawn.
        some : ndarray, (N,)
            Which of the Gaussians of all layers to refine.
        costs : _native.SymbolCosts

        Returns
        -------
        layers : list of QuantizedGaussians
            The layers after it, without empty ones.
        moved : QuantizedGaussians
            Those of the refined Gaussians that are left.
        """
        levels = QuantizedGaussians.concatenate(layers)
        sets = _model_sets(layers)
        moved = self.run_pass(descent, levels.select(some), sets[some], costs)
        levels.precision[some] = moved.precision
        levels.position[some] = moved.position
        levels.color[some] = moved.color
        levels.shape[some] = moved.shape
        return _divide(levels, layers), moved.select(shown(moved))

    def _refine_once(
        self,
        descent: _native.CoordinateDescent,
        layers: Sequence[QuantizedGaussians],
        weight: float,
    ) -> list[QuantizedGaussians]:
        """Return layers after a pass over all of their Gaussians, without empty ones."""
        levels = QuantizedGaussians.concatenate(layers)
        levels = self.run_pass(descent, levels, _model_sets(layers), self.costs(layers), weight)
        return _divide(levels, layers)


def _model_sets(layers: Sequence[QuantizedGaussians]) -> NDArray[np.uint8]:
    """Return the number of the set of models that codes each Gaussian of some layers."""
    counts = [len(layer.precision) for layer in layers]
    numbers = [model_set(number, len(layers)) for number in range(len(layers))]
    return np.repeat(np.array(numbers, np.uint8), counts)


def _divide(
    levels: QuantizedGaussians, layers: Sequence[QuantizedGaussians]
) -> list[QuantizedGaussians]:
    """Divide Gaussians like those of layers, without those of color zero and empty layers."""
    alive = shown(levels)
    ends = np.cumsum([0, *(len(layer.precision) for layer in layers)])
    return [
        levels.select(begin + np.flatnonzero(alive[begin:end]))
        for begin, end in pairwise(ends)
        if alive[begin:end].any()
    ]
