"""The rendering equation and its gradient in float64 NumPy, slow and short.

Tests compare every kernel with these two functions. The exponent q is computed from the Cholesky
factor of the covariance, Σ = L Lᵀ: with L z = p − μ, q is ½ zᵀ z, a sum of squares, which is
accurate for Gaussians of any aspect ratio.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gaussianimage.gaussians import Gaussians

Floats = NDArray[np.float64]


def render(gaussians: Gaussians) -> Floats:
    """Evaluate the sum of Gaussians at every pixel center.

    Parameters
    ----------
    gaussians : Gaussians
        N Gaussians of C channels. Gaussians that aren't `drawable` draw nothing.

    Returns
    -------
    ndarray, (height, width, C), float64
        I(p) = Σᵢ cᵢ exp(−qᵢ(p)) over all i with qᵢ(p) ≤ q_max, not clamped.
    """
    image = np.zeros((gaussians.height, gaussians.width, gaussians.channels))
    for i, weight, _, _ in _footprints(gaussians):
        image += weight[..., None] * gaussians.colors[i]
    return image


def gradient(gaussians: Gaussians, residual: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return the gradient of L = ½ Σ (I − T)² with respect to every parameter.

    Parameters
    ----------
    gaussians : Gaussians
        N Gaussians of C channels; I is their picture.
    residual : array_like, (height, width, C)
        I − T, where T is the target.

    Returns
    -------
    means : ndarray, (N, 2), float64
        ∂L/∂μ. All three gradients of a Gaussian that isn't `drawable` are zero.
    covariance : ndarray, (N, 3), float64
        ∂L/∂(xx, xy, yy), where xy is one parameter for both corners of the matrix.
    colors : ndarray, (N, C), float64
        ∂L/∂c.

    Notes
    -----
    With e = Σ⁻¹ (p − μ) and w = exp(−q), ∂w/∂μ = w e and ∂w/∂Σ = ½ w e eᵀ. The cut-off is not
    differentiated: the derivative is exact wherever no pixel lies on the cut-off.
    """
    R = np.asarray(residual, dtype=np.float64)
    expected = (gaussians.height, gaussians.width, gaussians.channels)
    if R.shape != expected:
        raise ValueError(f"residual: expected shape {expected}, got {R.shape}")
    d_means, d_covariance, d_colors = (
        np.zeros_like(array) for array in (gaussians.means, gaussians.covariance, gaussians.colors)
    )
    for i, weight, ex, ey in _footprints(gaussians):
        d_colors[i] = np.einsum("hw,hwc->c", weight, R)
        g = weight * (R @ gaussians.colors[i])
        d_means[i] = np.sum(g * ex), np.sum(g * ey)
        d_covariance[i] = np.sum(g * ex * ex) / 2, np.sum(g * ex * ey), np.sum(g * ey * ey) / 2
    return d_means, d_covariance, d_colors


def exponents(gaussians: Gaussians) -> Iterator[tuple[int, Floats, Floats, Floats]]:
    """Yield the index of every drawable Gaussian, and q and e = Σ⁻¹ (p − μ) of each pixel.

    Yields
    ------
    index : int
    q, ex, ey : ndarray, (height, width), float64
    """
    x = np.arange(gaussians.width) + 0.5
    y = np.arange(gaussians.height)[:, None] + 0.5
    cholesky = gaussians.cholesky()
    for i in np.flatnonzero(gaussians.drawable()):
        l11, l21, l22 = cholesky[i]
        zx = (x - gaussians.means[i, 0]) / l11
        zy = (y - gaussians.means[i, 1] - l21 * zx) / l22
        ey = zy / l22
        yield int(i), (zx * zx + zy * zy) / 2, (zx - l21 * ey) / l11, ey


def _footprints(gaussians: Gaussians) -> Iterator[tuple[int, Floats, Floats, Floats]]:
    """Yield what `exponents` yields, with the weight exp(−q), cut off, in place of q."""
    for i, q, ex, ey in exponents(gaussians):
        yield i, np.where(q <= gaussians.q_max, np.exp(-q), 0.0), ex, ey
