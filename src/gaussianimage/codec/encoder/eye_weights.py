"""What counts as error for a person's eye: weights of pixels, and of means over small blocks.

An error on a plain ground is seen, and an error in a busy texture is hidden, so the squared error
of a pixel is divided by the variance around it. An error that is wider than a few pixels is seen
more than noise of the same energy, so the means over blocks of 4 × 4 pixels count once more. And a
person looks where a picture is worst, so the weights are found anew as the Gaussians come closer.
docs/experiments/as-the-eye-sees.md has the figures.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gaussianimage.fitting.density import Map, box_blur
from gaussianimage.fitting.row_blocks import row_blocks
from gaussianimage.picture import Picture

# Weight of the squared means over blocks of 4 × 4 pixels, beside the squared error of the pixels.
BLOCK_WEIGHT: Final = 2.0

# The parts of red, green and blue in the luma that the weights depend on.
LUMA: Final = (0.3, 0.6, 0.1)

# Before there is an error, a pixel weighs (v + MASKED)^−MASKING, v being the variance around it.
MASKED: Final = 0.0008
MASKING: Final = 0.4
FIRST_RANGE: Final = (0.3, 3.0)  # of the weights, whose mean is 1

# Later it weighs ((e / s) / s)^DAMPING, summed over two scales: the pixels and the means of 4 × 4.
# e is the squared error around it; s is the variance of the picture and of the drawing, and of
# NOISE, below which an eye sees nothing. It moves there halfway each time.
NOISE: Final = 0.0009
DAMPING: Final = 0.5
RANGE: Final = (0.2, 5.0)
SCALE: Final = 4  # pixels of a side of a block

# Neighboring rows that the weights of a row depend on, a multiple of SCALE.
MARGIN: Final = 16


def luma(values: NDArray[np.float32]) -> Map:
    """Return the luma of colors or of their errors.

    Parameters
    ----------
    values : ndarray, (H, W, C), float32
        Gray, gray and alpha, RGB or RGBA.

    Returns
    -------
    ndarray, (H, W), float32
    """
    if values.shape[2] < 3:
        return values[..., 0].copy()
    total: Map = values[..., 0] * np.float32(LUMA[0])
    for channel in (1, 2):
        total += values[..., channel] * np.float32(LUMA[channel])
    return total


def first_weights(pixels: NDArray[np.float32], usual: float | None = None) -> Map:
    """Return the weights of a picture's pixels as long as there is no drawing of it.

    Parameters
    ----------
    pixels : ndarray, (H, W, C), float32
    usual : float, optional
        For a part of a picture, `UsualMasking.value` of the whole picture.

    Returns
    -------
    ndarray, (H, W), float32
        Their mean is 1 over the whole picture.
    """
    weights = masking(pixels)
    if usual is None:
        return _normalized(weights, FIRST_RANGE)
    weights /= np.float32(usual)
    np.clip(weights, *FIRST_RANGE, out=weights)
    return weights


def masking(pixels: NDArray[np.float32]) -> Map:
    """Return what `first_weights` brings to a mean of 1, (H, W); see `MASKED`."""

    def part(light: Map) -> Map:
        result: Map = (_variance(light) + np.float32(MASKED)) ** np.float32(-MASKING)
        return result

    return _by_rows(part, luma(pixels))


class UsualMasking:
    """The value by which `masking` is divided, so that `first_weights` have a mean of 1.

    It is found from a histogram, to which the parts of a picture are added one by one.
    """

    def __init__(self) -> None:
        # The variance of values of 0 to 1 is 0.25 at most.
        least, most = np.log2([(0.25 + MASKED) ** -MASKING, MASKED**-MASKING])
        self._edges = np.linspace(least - 0.01, most + 0.01, 257)
        self._counts = np.zeros(256, np.int64)

    def add(self, pixels: NDArray[np.float32]) -> None:
        """Add a part of the picture, (H, W, C)."""
        values = np.log2(masking(pixels)).ravel()
        np.clip(values, self._edges[0], self._edges[-1], out=values)
        self._counts += np.histogram(values, self._edges)[0]

    @property
    def value(self) -> float:
        """The value; the mean of `first_weights` falls as it grows."""
        middles = np.exp2((self._edges[1:] + self._edges[:-1]) / 2)
        low, high = float(middles[0]), float(middles[-1])
        value = low
        for _ in range(30):
            value = math.sqrt(low * high)
            weights = np.clip(middles / value, *FIRST_RANGE)
            if np.dot(weights, self._counts) > self._counts.sum():
                low = value
            else:
                high = value
        return value


def renewed_weights(light: Map, error: Map, weights: Map) -> Map:
    """Return the weights that the errors of a drawing ask for, halfway from those that it had.

    Parameters
    ----------
    light, error : ndarray, (H, W), float32
        Luma of the picture, and of the drawing less the picture.
    weights : ndarray, (H, W), float32
        The weights so far.

    Returns
    -------
    ndarray, (H, W), float32
        Their mean is 1.
    """
    means = _mean_emphasis(light, error)

    def part(light: Map, error: Map) -> Map:
        total = _emphasis(light, error) / means[0]
        coarse = _emphasis(_block_means(light), _block_means(error)) / means[1]
        total += _enlarged(coarse, light.shape)
        total += np.float32(1e-6)  # for a drawing without any error
        return _blur(total ** np.float32(DAMPING))

    wanted = _normalized(_by_rows(part, light, error), RANGE)
    wanted *= weights
    np.sqrt(wanted, out=wanted)
    wanted /= wanted.mean(dtype=np.float64)
    return wanted


def on_channels(weights: Map, picture: Picture) -> NDArray[np.float32]:
    """Return weights (H, W) for each channel, times those that a picture has already, (H, W, C)."""
    result = np.repeat(weights[..., None], picture.channels, axis=2)
    if picture.weights is not None:
        result *= picture.weights
    return result


def _emphasis(light: Map, error: Map) -> Map:
    """Return (e / s) / s; see `NOISE`."""
    spread = _variance(light)
    spread += _variance(light + error)
    spread += np.float32(NOISE)
    result = _blur(error * error)
    result /= spread
    result /= spread
    return result


def _mean_emphasis(light: Map, error: Map) -> tuple[np.float32, np.float32]:
    """Return the mean of `_emphasis` over the picture at both scales."""
    fine = _by_rows(_emphasis, light, error)
    coarse = _emphasis(_block_means(light), _block_means(error))
    tiny = np.float32(1e-30)
    return fine.mean(dtype=np.float64) + tiny, coarse.mean(dtype=np.float64) + tiny


def _variance(values: Map) -> Map:
    """Return the variance around each pixel, with a σ of 1.4 px."""
    mean = _blur(values)
    result: Map = np.maximum(_blur(values * values) - mean * mean, 0)
    return result


def _blur(values: Map) -> Map:
    return box_blur(values, 1, 3)


def _block_means(values: Map) -> Map:
    """Return the means over blocks of SCALE × SCALE pixels; a last row or column is repeated."""
    height, width = values.shape
    padded = np.pad(values, ((0, -height % SCALE), (0, -width % SCALE)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // SCALE, SCALE, padded.shape[1] // SCALE, SCALE)
    result: Map = blocks.mean(axis=(1, 3), dtype=np.float32)
    return result


def _enlarged(blocks: Map, shape: tuple[int, ...]) -> Map:
    """Return a map of blocks with SCALE × SCALE equal pixels for each, cut to a shape."""
    pixels = np.repeat(np.repeat(blocks, SCALE, axis=0), SCALE, axis=1)
    result: Map = pixels[: shape[0], : shape[1]]
    return result


def _by_rows(part: Callable[..., Map], *maps: Map) -> Map:
    """Apply a function to maps a block of rows at a time, so that temporary arrays stay small.

    A row of the result depends on `MARGIN` rows on each side at most.
    """
    height, width = maps[0].shape
    result = np.empty((height, width), np.float32)
    for rows in row_blocks(-(-height // SCALE), SCALE * width):
        begin, end = SCALE * rows.start, min(SCALE * rows.stop, height)
        first, last = max(0, begin - MARGIN), min(height, end + MARGIN)
        found = part(*(values[first:last] for values in maps))
        result[begin:end] = found[begin - first : end - first]
    return result


def _normalized(weights: Map, bounds: tuple[float, float]) -> Map:
    """Bring weights to a mean of 1, and between bounds; three times, so that both hold nearly."""
    for _ in range(3):
        weights /= weights.mean(dtype=np.float64)
        np.clip(weights, *bounds, out=weights)
    weights /= weights.mean(dtype=np.float64)
    return weights
