"""Probes: short fits of a picture that predict the error of a whole fit."""

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gaussianimage._util.row_blocks import row_blocks
from gaussianimage.fitting.clamped_ends import forgiven
from gaussianimage.fitting.fit import fit_picture
from gaussianimage.fitting.progress import OnProgress
from gaussianimage.picture import Picture
from gaussianimage.rendering import render

Value = TypeVar("Value", np.float32, np.int8)

# Gaussians per pixel of the two usual probes, and their iterations.
PROBES = (1 / 260, 1 / 100)
ITERATIONS = 50

# A whole fit is better than a probe by this many dB, 1 to 3 on photos.
LACK = 2.0

# Pictures of this many pixels or more are probed at half their size, in a third of the time. The
# smaller the error, the more of it is detail that halving loses: such a probe lacks a further
# slope · (PSNR − base) dB, with a pair of these numbers for up to the Gaussians of the first of
# PROBES, and one for more (from twelve photos, within 0.3 and 0.5 dB).
LEAST_HALVED = 2**16
HALVED_LACKS = ((0.04, 16.0), (0.08, 13.0))


class Prober:
    """Fits a picture in short.

    Parameters
    ----------
    picture : Picture
    threads : int or None
        Threads to use; all CPUs of this process by default.
    progress : callable, optional
        See `fit`.
    """

    def __init__(
        self, picture: Picture, threads: int | None, progress: OnProgress | None = None
    ) -> None:
        self._picture = picture
        self._pixels = picture.height * picture.width
        self._halved = _halve(picture) if self._pixels >= LEAST_HALVED else None
        self._threads = threads
        self._progress = progress

    def squared_error(self, gaussians: int) -> float:
        """Predict the squared error of a whole fit, summed over pixels and channels.

        Parameters
        ----------
        gaussians : int
            Number of Gaussians of the fit.
        """
        result = fit_picture(
            self._halved or self._picture,
            gaussians,
            newton=False,
            solve=True,
            iterations=ITERATIONS,
            threads=self._threads,
            progress=self._progress,
        )
        if self._halved is None:
            error = 10 ** (-result.psnr / 10) * self._picture.pixels.size
            return float(error * 10 ** (-LACK / 10))
        size = self._picture.height, self._picture.width
        drawn = render(result.gaussians.scaled(size), threads=self._threads)
        error = max(_squared_error(self._picture, drawn), 1e-12)
        psnr = -10 * np.log10(error / self._picture.pixels.size)
        slope, base = HALVED_LACKS[gaussians > round(self._pixels * PROBES[0])]
        further = slope * max(psnr - base, 0)
        return float(error * 10 ** (-(LACK + further) / 10))


def _halve(picture: Picture) -> Picture:
    """Return a picture of half the size, each pixel the mean of four."""
    weights, ends = picture.weights, picture.ends
    return replace(
        picture,
        pixels=_halve_pixels(picture.pixels),
        weights=None if weights is None else _halve_pixels(weights),
        # A mean of four sides, rounded towards 0, is at an end if all of them are.
        ends=None if ends is None else ends._replace(sides=_halve_pixels(ends.sides)),
    )


def _halve_pixels(pixels: NDArray[Value]) -> NDArray[Value]:
    """Return the means of 2 × 2 pixels; an odd last row or column is repeated.

    Means of integers are rounded towards 0.
    """
    height, width, channels = pixels.shape
    halved = np.empty((-(-height // 2), -(-width // 2), channels), pixels.dtype)
    for rows in row_blocks(halved.shape[0], 2 * width):
        part = pixels[2 * rows.start : 2 * rows.stop].astype(np.float32, copy=False)
        if len(part) % 2 or width % 2:
            part = np.pad(part, ((0, len(part) % 2), (0, width % 2), (0, 0)), mode="edge")
        means = part[::2, ::2] + part[::2, 1::2]
        means += part[1::2, ::2]
        means += part[1::2, 1::2]
        means *= np.float32(0.25)
        halved[rows] = means
    halved.flags.writeable = False
    return halved


def _squared_error(picture: Picture, drawn: NDArray[np.float32]) -> float:
    """Return the sum of squared errors of a drawing (H, W, C), weighted as the picture says."""
    total = 0.0
    for rows in row_blocks(picture.height, picture.width):
        errors = drawn[rows] - picture.pixels[rows]
        if picture.ends is not None:
            errors = forgiven(errors, picture.ends, rows)
        np.square(errors, out=errors)
        if picture.weights is not None:
            errors *= picture.weights[rows]
        total += float(errors.sum(dtype=np.float64))
    return total
