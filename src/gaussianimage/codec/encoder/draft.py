"""A draft: a file that the encoder may return, and the quantized Gaussians in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from gaussianimage.codec.encoder.gray_in_rgb import layers_in_rgb, parameters_in_rgb
from gaussianimage.codec.encoder.prepare import PreparedPicture, metadata_size
from gaussianimage.codec.encoder.serialize import serialize
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.quantizer import QuantizerParameters


@dataclass(frozen=True)
class Draft:
    """A file and the data that it was made from.

    Attributes
    ----------
    source : PreparedPicture
    layers : list of QuantizedGaussians
        The layers of the file, the most important first.
    parameters : QuantizerParameters
        Quantizer parameters for the stretched picture; the file's header has those of the source.
    step : float
        The color step Δ. Beyond a file's coarsest step, it is the step that set the weight of bits.
    q_max : float
        Cut-off q of the file's Gaussians.
    data : bytes
        The file.
    """

    source: PreparedPicture = field(repr=False)
    layers: list[QuantizedGaussians] = field(repr=False)
    parameters: QuantizerParameters
    step: float
    q_max: float
    data: bytes = field(repr=False)

    @classmethod
    def make(
        cls,
        source: PreparedPicture,
        layers: Sequence[QuantizedGaussians],
        parameters: QuantizerParameters,
        *,
        step: float,
        q_max: float,
    ) -> Self:
        """Serialize quantized Gaussians; the arguments are attributes of the class."""
        picture = source.picture
        written = replace(
            parameters, color_index=parameters.color_index + source.stretch.sixteenths
        )
        data = serialize(
            layers_in_rgb(layers) if source.in_rgb else layers,
            parameters_in_rgb(written) if source.in_rgb else written,
            source.metadata,
            height=picture.height,
            width=picture.width,
            bit_depth=picture.bit_depth,
            q_max=q_max,
            alpha_map=source.alpha_map,
        )
        return cls(source, list(layers), parameters, step, q_max, data)

    @property
    def gaussians(self) -> int:
        """Number of Gaussians in the file."""
        return sum(len(layer.precision) for layer in self.layers)

    @property
    def picture_bytes(self) -> int:
        """Size of the file without ICC profile, EXIF and XMP."""
        return len(self.data) - metadata_size(self.source.metadata)

    def with_layers(self, layers: Sequence[QuantizedGaussians]) -> "Draft":
        """Return a draft with the parameters of this one and other layers."""
        return Draft.make(self.source, layers, self.parameters, step=self.step, q_max=self.q_max)

    def shortened(self, most_bytes: float) -> "Draft":
        """Return the largest draft within a size that has only this one's first Gaussians.

        Parameters
        ----------
        most_bytes : float
            Largest `picture_bytes` of the result. If even a file without Gaussians is larger, that
            file is the result.
        """
        fits = self._first(0)
        low, high = 0, self.gaussians
        while low + 1 < high:
            middle = (low + high) // 2
            shorter = self._first(middle)
            if shorter.picture_bytes <= most_bytes:
                low, fits = middle, shorter
            else:
                high = middle
        return fits

    def _first(self, count: int) -> "Draft":
        """Return a draft of the `count` most important Gaussians."""
        layers = []
        for layer in self.layers:
            taken = min(count, len(layer.precision))
            if taken:
                layers.append(layer.select(np.arange(taken)))
            count -= taken
        return self.with_layers(layers)
