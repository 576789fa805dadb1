"""The stretch of a picture of little contrast, which is fitted as if it had much."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage._util.row_blocks import row_blocks
from gaussianimage.codec.format.quantizer import STEPS_PER_OCTAVE
from gaussianimage.picture import Picture

# A picture that uses more of its range than this is fitted as it is.
LEAST_RANGE = 0.5
MOST_OCTAVES = 12


def channel_range(pixels: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the least and the largest value of each channel of pixels (H, W, C), both (C,)."""
    height, width, channels = pixels.shape
    samples = pixels.reshape(height, width * channels)
    low, high = samples[0], samples[0]
    # First over the rows, because NumPy takes long to go through the few channels of a pixel.
    for rows in row_blocks(height, width):
        low = np.minimum(low, samples[rows].min(axis=0))
        high = np.maximum(high, samples[rows].max(axis=0))
    return low.reshape(width, channels).min(axis=0), high.reshape(width, channels).max(axis=0)


@dataclass(frozen=True)
class Stretch:
    """The map x → ½ + gain · (x − middle) from a picture's pixels to those that are fitted.

    The optimizer's step sizes suit pixels that use the range from 0 to 1. In a picture that uses a
    hundredth of this range, they would be larger than all of its contrast. The gain is
    2^(sixteenths / 16), so that the header can hold the color step of the source, which is the
    fitted picture's step divided by the gain. The integers of the Gaussians stay the same.

    Attributes
    ----------
    sixteenths : int
        16 log₂(gain), 0 to 192.
    middle : ndarray, (C,), float64
        Middle of each channel's range, 0 to 1.
    """

    sixteenths: int
    middle: NDArray[np.float64]

    @classmethod
    def for_picture(cls, picture: Picture) -> Self:
        """Return the map that spreads the widest channel of a picture over nearly all of 0 to 1."""
        low, high = (level.astype(np.float64) for level in channel_range(picture.pixels))
        used = float((high - low).max())
        if used > LEAST_RANGE or used == 0:
            return cls.none(picture.channels)
        # The gain is rounded down and a little smaller, so that no pixel leaves the range.
        octaves = min(-np.log2(used * (1 + 1e-5)), MOST_OCTAVES)
        return cls(int(STEPS_PER_OCTAVE * octaves), (low + high) / 2)

    @classmethod
    def none(cls, channels: int) -> Self:
        """Return the map that changes nothing, for a picture of this many channels."""
        return cls(0, np.full(channels, 0.5))

    @property
    def gain(self) -> float:
        """Factor by which contrast grows, at least 1."""
        return _native.sixteenth_power(self.sixteenths)

    def apply(self, picture: Picture) -> Picture:
        """Stretch a picture."""
        if self.sixteenths == 0:
            return picture
        pixels = np.empty(picture.pixels.shape, np.float32)
        for rows in row_blocks(picture.height, picture.width):
            part = np.subtract(
                picture.pixels[rows], self.middle.astype(np.float32), out=pixels[rows]
            )
            part *= np.float32(self.gain)
            part += np.float32(0.5)
            np.clip(part, 0, 1, out=part)
        pixels.flags.writeable = False
        return replace(picture, pixels=pixels)

    def stretched(self, colors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert colors (…, C) of the source to those of the fitted picture."""
        return 0.5 + self.gain * (colors - self.middle)

    def restored(self, colors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert colors (…, C) of the fitted picture to those of the source."""
        if self.sixteenths == 0:
            return colors
        restored = (colors.astype(np.float64) - 0.5) / self.gain + self.middle
        return restored.astype(np.float32)
