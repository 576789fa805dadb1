"""A draft: one file that an encoder has made of a picture, and the integers in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from gaussianimage.codec.encoder.prepare import PreparedPicture, metadata_size
from gaussianimage.codec.encoder.serialize import serialize
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.quantizer import QuantizerParameters


@dataclass(frozen=True)
class Draft:
    """A file and what it was made from.

    Attributes
    ----------
    source : PreparedPicture
    layers : list of QuantizedGaussians
        The Gaussians, the most important first.
    parameters : QuantizerParameters
        Of the Gaussians of the stretched picture, before the file's header takes the stretch back.
    step : float
        The color step Δ. Beyond the coarsest that a file can have, it is the step that the bits
        were priced by.
    q_max : float
        Cut-off of the file's Gaussians.
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
        """Write a file of quantized Gaussians; the attributes of the class are the arguments."""
        picture = source.picture
        data = serialize(
            layers,
            replace(parameters, color_index=parameters.color_index + source.stretch.sixteenths),
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
        """Return a file with the steps of this one and other Gaussians."""
        return Draft.make(self.source, layers, self.parameters, step=self.step, q_max=self.q_max)

    def shortened(self, most_bytes: float) -> "Draft":
        """Return a file without the least important Gaussians, the largest that is small enough.

        Parameters
        ----------
        most_bytes : float
            Bound on `picture_bytes`. A file without Gaussians may still be larger, and no file is
            smaller than that one.
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
        """Return a file of the most important Gaussians, so many of them."""
        layers = []
        for layer in self.layers:
            taken = min(count, len(layer.precision))
            if taken:
                layers.append(layer.select(np.arange(taken)))
            count -= taken
        return self.with_layers(layers)
