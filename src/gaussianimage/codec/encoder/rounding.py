"""Rounding of Gaussians to the nearest integers of a file.

One number, the color step Δ, sets all precisions. A color normalized to unit energy,
b = c √(π σ₁ σ₂), is rounded to multiples of Δ in an orthonormal luma-chroma basis. An error in the
log-covariance of a Gaussian weighs as much as an error |b| times as large in the color, and an
error in its position as much as one |b| / (√2 σ) times as large. So the step of the log-covariance
is about Δ / |b|, and a position has a cell of about √2 σ Δ / |b|, with σ = √(σ₁ σ₂): strong
Gaussians get fine positions and shapes, weak Gaussians coarse ones. The class of a cell is an
octave; a cell is at most 2 σ Δ / |b| wide.
"""

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native, geometry
from gaussianimage.codec.format.levels import Integers, QuantizedGaussians

Floats = NDArray[np.float64]

PRECISIONS = 16
FINEST_CELL = 1 / 16  # side of a cell of precision class 0, in px
MAX_AMPLITUDE_CLASS = 15
MAX_SHAPE_STEP = 0.7
MAX_COLOR_LEVEL = 2**20

# After rounding, a file holds log-sizes ½ ln(σ₁ σ₂) of −7 to 14 and elongations ½ ln(σ₁ / σ₂) of at
# most 7. Before it, the bounds are tighter by ½.
LEAST_LOG_SIZE, MOST_LOG_SIZE = -6.5, 13.5
MOST_ELONGATION = 6.5

_RGB_BASIS = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 2.0, -1.0]])
_RGB_BASIS /= np.linalg.norm(_RGB_BASIS, axis=1, keepdims=True)


def shown(levels: QuantizedGaussians) -> NDArray[np.bool_]:
    """Return for each Gaussian whether its color is not zero, (N,)."""
    result: NDArray[np.bool_] = np.any(levels.color != 0, axis=1)
    return result


def strongest_first(colors: NDArray[np.float64] | Integers) -> NDArray[np.intp]:
    """Return the indices (N,) that sort normalized colors or levels (N, C) by falling norm."""
    return np.argsort(-np.square(colors.astype(np.float64)).sum(axis=1), kind="stable")


def normalized_colors(log_size: Floats, colors: NDArray[np.float32]) -> Floats:
    """Return b = c √(π σ₁ σ₂) of colors c in the luma-chroma basis, (N, C)."""
    energy = np.sqrt(np.pi) * np.exp(log_size)
    # Not by a product of matrices: its threads would go on spinning beside the encoder's own.
    normalized: Floats = np.einsum("nc,kc->nk", colors, color_basis(colors.shape[1]))
    normalized *= energy[:, None]
    return normalized


def color_basis(channels: int) -> Floats:
    """Return the orthonormal basis of the coded colors, (C, C), one vector in each row."""
    basis = np.eye(channels)
    if channels >= 3:
        basis[:3, :3] = _RGB_BASIS
    return basis


def round_to_nearest(
    means: Floats,
    cholesky: Floats,
    colors: NDArray[np.float32],
    *,
    height: int,
    width: int,
    color_step: float,
    shape_step: float,
) -> QuantizedGaussians:
    """Round Gaussians to the nearest integers that a file can hold.

    Parameters
    ----------
    means, cholesky, colors : ndarray, (N, 2), (N, 3), (N, C)
        Finite Gaussians with positive definite covariances; means and Cholesky factors in px.
    height, width : int
        Size of the picture in pixels.
    color_step, shape_step : float
        The color step Δ, and the step of the log-covariance at amplitude Δ.

    Returns
    -------
    QuantizedGaussians
    """
    shape = geometry.log_euclidean_from_covariance(geometry.covariance_from_cholesky(cholesky))
    shape[:, 0] = np.clip(shape[:, 0], LEAST_LOG_SIZE, MOST_LOG_SIZE)
    elongation = np.hypot(shape[:, 1], shape[:, 2])
    shape[:, 1:] *= (MOST_ELONGATION / np.maximum(elongation, MOST_ELONGATION))[:, None]
    color = np.rint(normalized_colors(shape[:, 0], colors) / color_step)
    color = np.clip(color, -MAX_COLOR_LEVEL, MAX_COLOR_LEVEL)
    square = np.maximum((color * color).sum(axis=1), 1.0)
    amplitude = np.clip(np.floor(np.log2(square) + 0.5), 0, MAX_AMPLITUDE_CLASS)
    step = np.minimum(shape_step * 2.0 ** (-amplitude / 2), MAX_SHAPE_STEP)
    levels = np.rint(shape / step[:, None])
    size = np.exp(levels[:, 0] * step)
    cell = 2.0 * size / np.sqrt(square)
    precision = np.clip(np.floor(np.log2(cell / FINEST_CELL)), 0, PRECISIONS - 1).astype(np.uint8)
    color, levels = (np.ascontiguousarray(a, dtype=np.int32) for a in (color, levels))
    quantizer = _native.Quantizer(height, width, colors.shape[1], color_step, shape_step)
    # About one mean in a thousand lies outside of the picture; it moves to the border.
    position = quantizer.nearest_centers(means, precision, color, levels)
    return QuantizedGaussians(precision, position, color, levels)
