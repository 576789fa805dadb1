"""New Gaussians: those that a fit starts with, and those that it adds."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gaussianimage.fitting.density import (
    blur_twice,
    detail,
    draw_positions,
    sigma_for_density,
)

START_COLOR = 0.3  # part of the pixel's color; the neighbors that overlap there give the rest
BIRTH_COLOR = 0.5  # part of the residual
ERROR_SQUARINGS = 2  # the density of new Gaussians follows the fourth power of the error
ERROR_FLOOR = 0.02  # part of the mean density that every pixel gets
# The most Gaussians that are placed on a pixel at once, on average. More of them in one place
# overshoot together, and the error grows where it was largest.
MOST_PER_PIXEL = 0.125
BLUR_RADIUS = 2
PIXEL_SIGMA = 0.3  # 0.4 % of a pixel's color reach its neighbor


class GaussianArrays(NamedTuple):
    """Gaussians as the arrays that an optimizer takes."""

    means: NDArray[np.float64]  # (N, 2) px
    cholesky: NDArray[np.float64]  # (N, 3) px
    colors: NDArray[np.float32]  # (N, C)


class Residual(Protocol):
    """What an optimizer draws less its target, times the weights of the error."""

    def residual_magnitudes(self) -> NDArray[np.float32]:
        """Return the sum of the magnitudes of each pixel's channels, (H, W)."""

    def residual_at(self, pixels: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the residual at some pixels, which are numbered row by row, (K, C)."""


def initial(
    pixels: NDArray[np.float32],
    count: int,
    generator: np.random.Generator,
    *,
    threads: int | None = None,
) -> GaussianArrays:
    """Place the first Gaussians: many where the picture has detail, few and large where not.

    Parameters
    ----------
    pixels : ndarray, (H, W, C), float32
        The picture.
    count : int
        How many, at least 1. The first one is constant over the picture: its mean color.
    generator : numpy.random.Generator
    threads : int, optional
        Threads to use; all CPUs of this process by default.

    Returns
    -------
    GaussianArrays
    """
    height, width, channels = pixels.shape
    # First over the rows, because NumPy takes long to go through the few channels of a pixel.
    columns = pixels.reshape(height, width * channels).mean(axis=0, dtype=np.float64)
    mean = columns.reshape(width, channels).mean(axis=0)
    background = _background(height, width, mean)
    rest = count - 1
    if rest == 0:
        return background
    density = detail(pixels, threads=threads)
    blur_twice(density, BLUR_RADIUS, threads=threads)
    means, where = draw_positions(density, rest, generator)
    per_pixel = density.ravel()[where].astype(np.float64) * (rest / float(density.sum()))
    sigma = sigma_for_density(per_pixel, max(height, width) / 8)
    colors = START_COLOR * (pixels.reshape(-1, channels)[where] - mean)
    first = _round(means, sigma, colors)
    return GaussianArrays(
        np.concatenate((background.means, first.means)),
        np.concatenate((background.cholesky, first.cholesky)),
        np.concatenate((background.colors, first.colors)),
    )


def one_per_pixel(pixels: NDArray[np.float32], background: NDArray[np.float32]) -> GaussianArrays:
    """Place a Gaussian on every pixel, too narrow to reach the next pixel.

    Parameters
    ----------
    pixels : ndarray, (H, W, C), float32
        The picture.
    background : ndarray, (C,)
        The color that is drawn already.
    """
    height, width, channels = pixels.shape
    y, x = np.divmod(np.arange(height * width), width)
    means = np.stack((x, y), axis=1) + 0.5
    sigma = np.full(len(means), PIXEL_SIGMA)
    return _round(means, sigma, pixels.reshape(-1, channels) - background)


def births(
    residual: Residual,
    detail_density: NDArray[np.float32],
    count: int,
    total: int,
    generator: np.random.Generator,
    *,
    weights: NDArray[np.float32] | None = None,
    threads: int | None = None,
) -> GaussianArrays:
    """Place new Gaussians where the error is largest.

    Parameters
    ----------
    residual : Residual
        The optimizer that the Gaussians are for.
    detail_density : ndarray, (H, W), float32
        The picture's `detail`, blurred, by which the first Gaussians were placed.
    count : int
        How many to place.
    total : int
        How many Gaussians the fit will have in the end, on which their size depends.
    generator : numpy.random.Generator
    weights : ndarray, (H, W, C), float32, optional
        The weights of the error, from 0 on; by default all are 1.
    threads : int, optional
        Threads to use; all CPUs of this process by default.

    Returns
    -------
    GaussianArrays
    """
    # A residual of all channels would be the largest array of a fit, so it is never made.
    density = residual.residual_magnitudes()
    blur_twice(density, 1, threads=threads)
    peak = float(density.max())
    if peak <= 0:
        density[:] = 1
    else:
        density /= peak
        for _ in range(ERROR_SQUARINGS):
            np.square(density, out=density)
        density += ERROR_FLOOR * float(density.mean())
        _limit(density, MOST_PER_PIXEL / count)
    means, where = draw_positions(density, count, generator)
    blur_twice(density, BLUR_RADIUS, threads=threads)
    share = density.ravel()[where].astype(np.float64) / float(density.sum())
    del density
    per_pixel = np.maximum(
        share * (0.7 * total),
        detail_density.ravel()[where].astype(np.float64)
        * (0.25 * total / float(detail_density.sum())),
    )
    sigma = sigma_for_density(per_pixel, 30.0)
    # Where many new Gaussians overlap, each gets so little color that their sum does not overshoot.
    # Otherwise the error would grow at every renewal of a fit with almost one Gaussian per pixel.
    crowd = 2 * np.pi * sigma**2 * share * count
    part = BIRTH_COLOR / np.maximum(1, BIRTH_COLOR * crowd)
    colors = -part[:, None].astype(np.float32) * residual.residual_at(where)
    if weights is not None:
        # A weight above 1 would make the sum overshoot.
        y, x = np.divmod(where, weights.shape[1])
        colors /= np.maximum(weights[y, x], 1)
    return _round(means, sigma, colors)


def _limit(density: NDArray[np.float32], share: float) -> None:
    """Limit a density in place to about a share of its sum, which falls as it is limited."""
    for _ in range(4):
        most = share * float(density.sum())
        if density.max() <= 1.1 * most:
            return
        np.minimum(density, most, out=density)


def _round(
    means: NDArray[np.float64], sigma: NDArray[np.float64], colors: NDArray[np.float32]
) -> GaussianArrays:
    cholesky = np.stack((sigma, np.zeros_like(sigma), sigma), axis=1)
    return GaussianArrays(means, cholesky, colors.astype(np.float32))


def _background(height: int, width: int, mean: NDArray[np.float64]) -> GaussianArrays:
    """Make one Gaussian that varies by less than 10⁻⁶ of its color over the picture."""
    sigma = np.array([1000.0 * max(height, width)])
    center = np.array([[width / 2, height / 2]])
    return _round(center, sigma, mean[None].astype(np.float32))
