"""What counts as error for a person's eye: weights of pixels, and of means over small blocks.

An error on a plain ground is seen, and an error in a busy texture is hidden, so the squared error
of a pixel is divided by the variance around it. An error that is wider than a few pixels is seen
more than noise of the same energy, so the means over blocks of 4 × 4 pixels count once more. And a
person looks where a picture is worst, so the weights are found anew as the Gaussians come closer.
docs/experiments/as-the-eye-sees.md has the figures.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage._util.arguments import thread_count
from gaussianimage._util.row_blocks import row_blocks
from gaussianimage.fitting.density import Map
from gaussianimage.picture import Picture

# Weight of the squared means over blocks of 4 × 4 pixels, beside the squared error of the pixels.
BLOCK_WEIGHT: Final = 2.0

# The parts of red, green and blue in the luma that the weights depend on.
LUMA: Final = (0.3, 0.6, 0.1)

# Before there is an error, a pixel weighs (v + MASKED)^−MASKING, v being the variance around it.
MASKED: Final = 0.0008
MASKING: Final = 0.4
FIRST_RANGE: Final = (0.3, 3.0)  # of the weights, whose mean is 1

# Later it weighs the root of (e / s) / s, summed over two scales: the pixels and the means of
# 4 × 4. e is the squared error around it; s is the variance of the picture and of the drawing, and
# of NOISE, below which an eye sees nothing. It moves there halfway each time.
NOISE: Final = 0.0009
RANGE: Final = (0.2, 5.0)
SCALE: Final = 4  # pixels of a side of a block


def luma(values: NDArray[np.float32], *, threads: int | None = None) -> Map:
    """Return the luma of colors or of their errors.

    Parameters
    ----------
    values : ndarray, (H, W, C), float32
        Gray, gray and alpha, RGB or RGBA.
    threads : int, optional
        Threads to use; all CPUs of this process by default.

    Returns
    -------
    ndarray, (H, W), float32
    """
    return _native.luma(np.ascontiguousarray(values), LUMA, thread_count(threads))


def luma_parts(channels: int) -> NDArray[np.float32]:
    """Return the part of each channel of a picture in its luma, (C,)."""
    parts = (*LUMA, 0.0) if channels >= len(LUMA) else (1.0, 0.0)
    return np.array(parts[:channels], np.float32)


def first_weights(
    pixels: NDArray[np.float32], usual: float | None = None, *, threads: int | None = None
) -> Map:
    """Return the weights of a picture's pixels as long as there is no drawing of it.

    Parameters
    ----------
    pixels : ndarray, (H, W, C), float32
    usual : float, optional
        For a part of a picture, `UsualMasking.value` of the whole picture.
    threads : int, optional
        Threads to use; all CPUs of this process by default.

    Returns
    -------
    ndarray, (H, W), float32
        Their mean is 1 over the whole picture.
    """
    weights = masking(pixels, threads=threads)
    if usual is None:
        _normalize(weights, FIRST_RANGE, threads)
        return weights
    weights /= np.float32(usual)
    np.clip(weights, *FIRST_RANGE, out=weights)
    return weights


def masking(pixels: NDArray[np.float32], *, threads: int | None = None) -> Map:
    """Return what `first_weights` brings to a mean of 1, (H, W); see `MASKED`."""
    result = _native.local_variance(luma(pixels, threads=threads), thread_count(threads))
    for rows in row_blocks(*result.shape):
        part = result[rows]
        part += np.float32(MASKED)
        np.power(part, np.float32(-MASKING), out=part)
    return result


class UsualMasking:
    """The value by which `masking` is divided, so that `first_weights` have a mean of 1.

    It is found from a histogram, to which the parts of a picture are added one by one.

    Parameters
    ----------
    threads : int, optional
        Threads to use; all CPUs of this process by default.
    """

    def __init__(self, *, threads: int | None = None) -> None:
        self._threads = threads
        # The variance of values of 0 to 1 is 0.25 at most.
        least, most = np.log2([(0.25 + MASKED) ** -MASKING, MASKED**-MASKING])
        self._edges = np.linspace(least - 0.01, most + 0.01, 257)
        self._counts = np.zeros(256, np.int64)

    def add(self, pixels: NDArray[np.float32]) -> None:
        """Add a part of the picture, (H, W, C)."""
        values = np.log2(masking(pixels, threads=self._threads)).ravel()
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


def renewed_weights(light: Map, error: Map, weights: Map, *, threads: int | None = None) -> Map:
    """Return the weights that the errors of a drawing ask for, halfway from those that it had.

    Parameters
    ----------
    light, error : ndarray, (H, W), float32
        Luma of the picture, and of the drawing less the picture.
    weights : ndarray, (H, W), float32
        The weights so far.
    threads : int, optional
        Threads to use; all CPUs of this process by default.

    Returns
    -------
    ndarray, (H, W), float32
        Their mean is 1.
    """
    count = thread_count(threads)
    fine = _native.emphasis(light, error, NOISE, count)
    coarse = _native.emphasis(_block_means(light), _block_means(error), NOISE, count)
    tiny = 1e-30
    means = [float(map_.mean(dtype=np.float64)) + tiny for map_ in (fine, coarse)]
    wanted = _native.combine_scales(fine, means[0], coarse, means[1], SCALE, count)
    _normalize(wanted, RANGE, threads)
    wanted *= weights
    np.sqrt(wanted, out=wanted)
    wanted /= wanted.mean(dtype=np.float64)
    return wanted


def on_channels(weights: Map, picture: Picture) -> NDArray[np.float32]:
    """Return weights (H, W) for each channel, times those that a picture has already, (H, W, C).

    If it has none, the result takes no memory of its own: it is `weights`, repeated.
    """
    if picture.weights is None:
        return np.broadcast_to(weights[..., None], picture.pixels.shape)
    result = np.empty(picture.pixels.shape, np.float32)
    for rows in row_blocks(*weights.shape):
        np.multiply(weights[rows, :, None], picture.weights[rows], out=result[rows])
    return result


def _block_means(values: Map) -> Map:
    """Return the means over blocks of SCALE × SCALE pixels; a last row or column is repeated."""
    height, width = values.shape
    result = np.empty((-(-height // SCALE), -(-width // SCALE)), np.float32)
    for rows in row_blocks(len(result), SCALE * width):
        part = values[SCALE * rows.start : SCALE * rows.stop]
        padded = np.pad(part, ((0, -len(part) % SCALE), (0, -width % SCALE)), mode="edge")
        blocks = padded.reshape(padded.shape[0] // SCALE, SCALE, padded.shape[1] // SCALE, SCALE)
        blocks.mean(axis=(1, 3), dtype=np.float32, out=result[rows])
    return result


def _normalize(weights: Map, bounds: tuple[float, float], threads: int | None) -> None:
    """Bring weights to a mean of 1 and between bounds, so that both hold nearly."""
    _native.normalize_weights(weights, *bounds, 3, thread_count(threads))
