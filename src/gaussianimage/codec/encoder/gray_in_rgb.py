"""Pictures in RGB without color: they are fitted as gray, and their files are in RGB.

The color of a Gaussian has the coordinates y, o and g along (1, 1, 1) / √3 and two axes of chroma;
docs/format.md, 4.6. A gray one has o = g = 0 and adds y / √3 to each channel, so its integer y of
step Δ is that of a Gaussian of a gray picture with the step Δ / √3.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gaussianimage._util.row_blocks import copied, row_blocks
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.quantizer import QuantizerParameters
from gaussianimage.picture import Picture

# The color step of a gray picture as a multiple of that of the same picture in RGB.
GRAY_STEP = 3**-0.5

RGB = 3


class GrayParameters(QuantizerParameters):
    """The parameters of a file in RGB, for its Gaussians as those of a gray picture."""

    @property
    def color_step(self) -> float:
        """The color step of the gray picture, Δ / √3."""
        return super().color_step * GRAY_STEP


def step_share(channels: int) -> float:
    """Return the color step of a picture as a multiple of that of the same picture in RGB.

    A gray sample stands for red, green and blue, so its squared error counts three times.
    """
    return GRAY_STEP if channels < RGB else 1.0


def is_gray_in_rgb(picture: Picture) -> bool:
    """Return whether red, green and blue of a picture without alpha are equal everywhere."""
    if picture.channels != RGB:
        return False
    pixels = picture.pixels
    return all(
        np.array_equal(pixels[rows, :, :-1], pixels[rows, :, 1:])
        for rows in row_blocks(picture.height, picture.width)
    )


def as_gray(picture: Picture) -> Picture:
    """Return the gray picture of one in RGB whose channels are equal."""
    pixels = copied(picture.pixels[..., :1])
    pixels.flags.writeable = False
    return replace(picture, pixels=pixels)


def layers_in_rgb(layers: Sequence[QuantizedGaussians]) -> list[QuantizedGaussians]:
    """Return layers of gray Gaussians as those of a file in RGB, without chroma."""
    return [layer._replace(color=_without_chroma(layer.color)) for layer in layers]


def parameters_in_rgb(parameters: QuantizerParameters) -> QuantizerParameters:
    """Return the parameters of the file that `GrayParameters` describe."""
    background = parameters.background * RGB
    return QuantizerParameters(parameters.color_index, parameters.shape_index, background)


def _without_chroma(luma: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.pad(luma, ((0, 0), (0, RGB - 1)))
