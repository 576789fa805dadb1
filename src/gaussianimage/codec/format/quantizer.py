"""The parameters of the quantizer, as a file's header holds them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.errors import FormatError

STEPS_PER_OCTAVE = 16
MOST_STEP = 1.0  # largest color step
MOST_COLOR_INDEX = 255
SHAPE_STEP_ONE = 128  # the index of a shape step of 1
BACKGROUND_LEVELS = 65535

# Indices of the shape steps that can be coded.
_SHAPE_INDICES = range(64, 193)


@dataclass(frozen=True)
class QuantizerParameters:
    """The quantizer's steps and the background.

    Attributes
    ----------
    color_index : int
        The color step is Δ = 2^(−color_index / 16), 0 to 255.
    shape_index : int
        The step of the log-covariance of a Gaussian with amplitude Δ is
        2^((128 − shape_index) / 16), 64 to 192.
    background : tuple of int
        Constant part of the picture, per channel: 0 to 65535 for 0 to 1.
    """

    color_index: int
    shape_index: int
    background: tuple[int, ...]

    @property
    def color_step(self) -> float:
        """Δ, the step of colors that are normalized to unit energy."""
        return _native.sixteenth_power(-self.color_index)

    @property
    def shape_step(self) -> float:
        """The log-covariance's step for a Gaussian of amplitude Δ."""
        return _native.sixteenth_power(SHAPE_STEP_ONE - self.shape_index)

    @property
    def background_color(self) -> NDArray[np.float64]:
        """The background in the picture's range, (C,)."""
        return np.array(self.background) / BACKGROUND_LEVELS

    def quantizer(self, height: int, width: int) -> _native.Quantizer:
        """Return the native quantizer for a picture's size."""
        channels = len(self.background)
        return _native.Quantizer(height, width, channels, self.color_step, self.shape_step)

    def to_bytes(self) -> bytes:
        """Return the bytes of the parameters in a header."""
        levels = b"".join(level.to_bytes(2, "little") for level in self.background)
        return bytes([self.color_index, self.shape_index]) + levels

    @classmethod
    def from_bytes(cls, data: bytes, channels: int, *, offset: int | None = None) -> Self:
        """Read the bytes that `to_bytes` wrote.

        Parameters
        ----------
        data : bytes
            Bytes of the parameters.
        channels : int
            Number of channels of the picture, 1 to 4.
        offset : int, optional
            Offset of `data` in the file, for the errors.

        Raises
        ------
        FormatError
            The length or a step is invalid.
        """
        size = parameters_size(channels)
        if len(data) != size:
            raise FormatError(
                f"quantizer parameters: expected {size} bytes, got {len(data)}", offset
            )
        if data[1] not in _SHAPE_INDICES:
            raise FormatError(f"quantizer parameters: shape step {data[1]} is out of range", offset)
        levels = np.frombuffer(data, "<u2", offset=2)
        return cls(data[0], data[1], tuple(int(level) for level in levels))


def parameters_size(channels: int) -> int:
    """Return the size in bytes of the parameters of a file with `channels` channels."""
    return 2 + 2 * channels


def nearest_color_index(color_step: float) -> int:
    """Return the index of the color step nearest to a given one, 0 to 255."""
    return int(np.clip(np.rint(-STEPS_PER_OCTAVE * np.log2(color_step)), 0, MOST_COLOR_INDEX))
