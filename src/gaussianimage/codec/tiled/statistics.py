"""What the encoder must know of a whole picture before it encodes the first tile."""

import numpy as np
from numpy.typing import NDArray

from gaussianimage.codec.encoder.eye_weights import UsualMasking
from gaussianimage.codec.encoder.local_contrast import Printed, count_printed
from gaussianimage.codec.encoder.prepare import ROOM
from gaussianimage.codec.encoder.rate_model import adapted_step, step_for_quality
from gaussianimage.codec.encoder.stretch import LEAST_RANGE, channel_range
from gaussianimage.codec.tiled.rows import Pixels
from gaussianimage.fitting.clamped_ends import LEAST_SHARE, sides_of

# One in this many rows of blocks of 16 × 16 pixels is searched for print.
PRINT_EVERY = 4


class PictureStatistics:
    """Sums over the pixels of a picture, whose blocks of rows come one by one.

    Parameters
    ----------
    channels : int
    quality : float
        Quality of the file, on which depends what counts as contrast.
    threads : int, optional
        Threads to use; all CPUs of this process by default.
    """

    def __init__(self, channels: int, quality: float, *, threads: int | None = None) -> None:
        self._threads = threads
        self._quality = quality
        self._pixels = 0
        self._sums = np.zeros((2, channels))
        self.masking = UsualMasking(threads=threads)
        self._printed = Printed(0, 0)
        self._at_ends = 0
        self._range = np.full(channels, np.inf), np.full(channels, -np.inf)

    def add(self, rows: Pixels) -> None:
        """Add the next block of rows; all but the last have a multiple of 16 rows."""
        self._pixels += rows.shape[0] * rows.shape[1]
        self._sums[0] += rows.sum(axis=(0, 1), dtype=np.float64)
        self._sums[1] += np.einsum("ijk,ijk->k", rows, rows, dtype=np.float64)
        self._at_ends += int(np.count_nonzero(sides_of(rows)))
        low, high = channel_range(rows)
        self._range = np.minimum(self._range[0], low), np.maximum(self._range[1], high)
        self.masking.add(rows)
        step = step_for_quality(self._quality)
        self._printed += count_printed(rows, step, PRINT_EVERY, threads=self._threads)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of each channel, (C,), 0 to 1."""
        mean: NDArray[np.float64] = self._sums[0] / self._pixels
        return mean

    @property
    def contrast(self) -> float:
        """Standard deviation of the pixels from the mean of their channel."""
        square = self._sums[1] / self._pixels
        return float(np.sqrt(np.maximum(square - self.mean**2, 0).mean()))

    @property
    def room(self) -> float:
        """How far tiles may exceed white and black; 0 if few values are there.

        As for other pictures, it is smaller where the picture has little contrast.
        """
        if self._at_ends < LEAST_SHARE * self._pixels * len(self._range[0]):
            return 0.0
        used = float((self._range[1] - self._range[0]).max())
        return ROOM if used > LEAST_RANGE else ROOM * used

    def step(self, bit_depth: int) -> float:
        """Return the color step Δ of the quality, as `step_for_picture` does for other pictures."""
        return adapted_step(
            self._quality,
            pixels=self._pixels,
            channels=self._sums.shape[1],
            contrast=self.contrast,
            printed=self._printed.share,
            bit_depth=bit_depth,
        )
