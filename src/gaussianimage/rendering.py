"""`render` and `gradient`: they check their arguments and call a backend."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from gaussianimage import _native
from gaussianimage._util.arguments import Size, crop_box, full_size, thread_count
from gaussianimage.backends import select_backend
from gaussianimage.gaussians import Gaussians, resized, to_float32

Floats = NDArray[np.float64]


class Gradient(NamedTuple):
    """The derivatives of a loss with respect to N Gaussians of C channels, all float64."""

    means: Floats  # (N, 2)
    covariance: Floats  # (N, 3), the xy entry as one parameter
    colors: Floats  # (N, C)

    def __repr__(self) -> str:
        return f"Gradient({len(self.means)} Gaussians of {self.colors.shape[1]} channels)"


def render(
    gaussians: Gaussians,
    *,
    size: Size | None = None,
    crop: tuple[int, int, int, int] | None = None,
    dtype: DTypeLike = np.float32,
    threads: int | None = None,
    device: str = "cpu",
) -> NDArray[Any]:
    """Draw Gaussians at any size, whole or in part.

    Parameters
    ----------
    gaussians : Gaussians
        N Gaussians of C channels; those that aren't `drawable` draw nothing.
    size : (int, int), optional
        Height and width to draw at, in pixels; the nominal size by default. One of them may be
        None: (480, None) keeps the shape. A smaller size is anti-aliased: each Gaussian is
        averaged over the pixels' area.
    crop : (int, int, int, int), optional
        Top, left, height and width of the part to draw, in pixels of the picture at `size`. Only
        this part is computed, and it has the same bits as in the whole picture.
    dtype : float32 or uint8, default float32
        Floats are the plain sum, unclamped. Bytes are the sum clamped to [0, 1], times 255,
        rounded to nearest; each Gaussian's share has an error of some hundredths of a level, so a
        few bytes in a hundred are one level off. Floats don't have that error.
    threads : int, optional
        Threads to use, 1 to 256; all CPUs that this process may run on by default.
    device : str, default "cpu"
        "cuda" or "cuda:1" to draw on a GPU; needs `pip install gaussianimage[torch]`.

    Returns
    -------
    ndarray, (height, width, C)
        The same bytes for every number of threads and every CPU; those of a GPU differ from them
        by rounding.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range.
    ImportError
        If a GPU is asked for and PyTorch or Triton is not installed.
    GaussianImageError
        If there is no such GPU.

    Notes
    -----
    A picture that is scaled by s < 1 is blurred first: (1 − s²)/6 px² is added to the scaled
    variance on that axis, and the color is multiplied so as to keep the integral. This blur is
    wider than the pixel's own box, whose variance of 1/12 px² lets patterns of one cycle per pixel
    through, and narrower than the blur that would remove such patterns.
    """
    drawn = _checked(gaussians)
    if size is not None:
        drawn = resized(drawn, full_size("size", size, (drawn.height, drawn.width)))
    if crop is not None:
        crop = crop_box("crop", crop, (drawn.height, drawn.width))
    kind = np.dtype(dtype)
    if kind not in (np.dtype(np.float32), np.dtype(np.uint8)):
        raise TypeError(f"dtype: expected float32 or uint8, got {kind}")
    return select_backend(device, thread_count(threads)).render(drawn, crop, kind)


def gradient(gaussians: Gaussians, residual: ArrayLike, *, threads: int | None = None) -> Gradient:
    """Return the gradient of L = ½ Σ (I − T)² with respect to every parameter.

    Parameters
    ----------
    gaussians : Gaussians
        N Gaussians of C channels, whose picture is I.
    residual : array_like, (height, width, C)
        I − T, with T the target; finite.
    threads : int, optional
        Threads to use, 1 to 256; all CPUs that this process may run on by default.

    Returns
    -------
    Gradient
        Zero for a Gaussian that isn't `drawable`. The same bits for every number of threads.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or shape.
    """
    _checked(gaussians)
    values = np.asarray(residual)
    if values.dtype.kind not in "iuf":
        raise TypeError(f"residual: expected real numbers, got dtype {values.dtype}")
    expected = (gaussians.height, gaussians.width, gaussians.channels)
    if values.shape != expected:
        raise ValueError(f"residual: expected shape {expected}, got {values.shape}")
    return Gradient(
        *_native.gradient(
            gaussians.means,
            gaussians.cholesky(),
            to_float32(gaussians.colors),
            gaussians.q_max,
            to_float32(values),
            thread_count(threads),
        )
    )


def _checked(gaussians: Gaussians) -> Gaussians:
    if not isinstance(gaussians, Gaussians):
        raise TypeError(f"gaussians: expected Gaussians, got {type(gaussians).__name__}")
    return gaussians
