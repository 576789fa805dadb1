"""Maps of the density of Gaussians, and random positions that follow them."""

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage._util.arguments import thread_count

Map = NDArray[np.float32]  # (H, W)

# Standard deviation of a new Gaussian times the square root of the local density of Gaussians per
# px². 0.73 / √density is the mean distance to the three nearest neighbors of a random point set.
SPACING_TO_SIGMA = 0.3
LEAST_SIGMA = 0.7


def blur_twice(values: Map, radius: int, *, threads: int | None = None) -> None:
    """Blur a map in place, twice with a box of side 2 `radius` + 1 px, edges repeated.

    Parameters
    ----------
    values : ndarray, (H, W), float32
        C-contiguous.
    radius : int
        1 or 2, in px.
    threads : int, optional
        Threads to use; all CPUs of this process by default.
    """
    _native.blur_twice(values, radius, thread_count(threads))


def detail(pixels: NDArray[np.float32], *, threads: int | None = None) -> Map:
    """Map how much a picture, the mean of its channels, changes from pixel to pixel.

    Parameters
    ----------
    pixels : ndarray, (H, W, C), float32
    threads : int, optional
        Threads to use; all CPUs of this process by default.

    Returns
    -------
    ndarray, (H, W), float32
        The gradient's magnitude makes nine tenths of it and a constant one tenth, so that flat
        areas get some Gaussians too. Its mean is 1.
    """
    result = _native.gradient_magnitudes(np.ascontiguousarray(pixels), thread_count(threads))
    average = float(result.mean())
    if average < 1e-9:
        return np.ones(result.shape, np.float32)
    result *= 0.9 / average
    result += 0.1
    return result


def draw_positions(
    density: Map, count: int, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Draw random positions with a probability in proportion to a map.

    Parameters
    ----------
    density : ndarray, (H, W)
        Non-negative and not all zero.
    count : int
        How many to draw.
    generator : numpy.random.Generator

    Returns
    -------
    means : ndarray, (count, 2), float64
        x, y in pixels, uniform within the chosen pixels.
    pixels : ndarray, (count,)
        Flat index of the pixel of each position.

    Notes
    -----
    Systematic sampling: the cumulative map is cut into `count` equal parts and one position is
    drawn from each, so that positions neither clump nor miss a part of the map.
    """
    shares = (np.arange(count) + generator.uniform(size=count)) / count
    pixels = _native.draw_pixels(np.ascontiguousarray(density), shares)
    y, x = np.divmod(pixels, density.shape[1])
    means = np.stack((x, y), axis=1) + generator.uniform(size=(count, 2))
    return means, pixels


def sigma_for_density(per_pixel: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """Return a standard deviation in px that suits a local density in Gaussians per px²."""
    with np.errstate(divide="ignore"):
        return np.clip(SPACING_TO_SIGMA / np.sqrt(per_pixel), LEAST_SIGMA, max(most, LEAST_SIGMA))
