"""Rate-distortion quantization: every Gaussian moves to the integers that pay best.

Let λ be the squared error that a bit is worth. A pass goes through the Gaussians one by one. Of
the neighboring integers of color, shape, position and grid it takes those with the least sum of
squared error and λ times the bits, and it removes a Gaussian that isn't worth its bits. The error
is exact, with all other Gaussians as they are; the bits are a static estimate of what the adaptive
models will spend.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.codec.encoder.rounding import round_to_nearest, shown, strongest_first
from gaussianimage.codec.format.layers import model_set
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.quantizer import QuantizerParameters

# The squared error of a number rounded to steps Δ is Δ²/12, and a bit more quarters it.
WEIGHT_OF_A_BIT = np.log(2) / 6

SYMBOLS, PRECISIONS, SETS = 16, 16, 4


class RdQuantizer:
    """Rounds the Gaussians of one file: to the nearest, or weighing bits against error.

    Parameters
    ----------
    parameters : QuantizerParameters
        Steps and background of the file.
    step : float
        The color step Δ that weighs bits against error: the one of the file, or a coarser one for
        a smaller file.
    height, width : int
        Size of the picture in pixels.
    q_max : float
        Cut-off of the model.
    threads : int
        Threads to use. The result does not depend on them.
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
    ) -> None:
        self.parameters = parameters
        self.quantizer = parameters.quantizer(height, width)
        self._size = height, width
        self._q_max = q_max
        self._threads = threads
        self._weight = float(WEIGHT_OF_A_BIT * step**2)

    def nearest(
        self,
        means: NDArray[np.float64],
        cholesky: NDArray[np.float64],
        colors: NDArray[np.float32],
    ) -> QuantizedGaussians:
        """Round Gaussians, (N, 2), (N, 3) and (N, C), to the nearest that the file can hold."""
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
        """Return the bits of each symbol in a file of these layers, estimated."""
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

    def coordinate_descent(self, residual: NDArray[np.float32]) -> _native.CoordinateDescent:
        """Return a refiner for a residual (H, W, C): all Gaussians drawn, less the target."""
        return _native.CoordinateDescent(self.quantizer, self._q_max, residual)

    def run_pass(
        self,
        descent: _native.CoordinateDescent,
        levels: QuantizedGaussians,
        sets: NDArray[np.uint8],
        costs: _native.SymbolCosts,
        weight: float = 1.0,
    ) -> QuantizedGaussians:
        """Go once through some of a refiner's Gaussians, the strongest first.

        A Gaussian that isn't worth its bits gets the color zero. `weight` is the worth of a bit in
        units of its usual worth.
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
        residual: NDArray[np.float32],
        weights: Sequence[float],
    ) -> Iterator[list[QuantizedGaussians]]:
        """Refine the layers of a file, and yield them after each pass.

        Parameters
        ----------
        layers : sequence of QuantizedGaussians
        residual : ndarray, (H, W, C), float32
            The file's picture less its target.
        weights : sequence of float
            The worth of a bit in each pass, as for `pass`.
        """
        descent = self.coordinate_descent(residual)
        layers = list(layers)
        for weight in weights:
            if not layers:
                return
            counts = [len(layer.precision) for layer in layers]
            numbers = [model_set(number, len(layers)) for number in range(len(layers))]
            levels = self.run_pass(
                descent,
                QuantizedGaussians.concatenate(layers),
                np.repeat(np.array(numbers, np.uint8), counts),
                self.costs(layers),
                weight,
            )
            alive = shown(levels)
            ends = np.cumsum([0, *counts])
            layers = [
                levels.select(begin + np.flatnonzero(alive[begin:end]))
                for begin, end in pairwise(ends)
                if alive[begin:end].any()
            ]
            yield layers
