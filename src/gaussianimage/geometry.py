"""Conversions between representations of the shape of a 2D Gaussian, exact for thin ones too.

Every function works on float64 arrays whose last axis holds the parameters of one Gaussian. A row
that is not positive definite, or not finite, gives a row of NaN, without an error or a warning.

The covariance itself limits the precision of a thin Gaussian's shape: its entries have 53 bits. At
45° and σ₁ / σ₂ = 2ᵏ they determine the small axis to about 52 − 2k bits. The conversions lose no
more than that.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# 2²⁷ + 1 splits a float64 in two halves of 26 bits, whose products are exact (Veltkamp).
_SPLITTER = 134217729.0


def determinant(covariance: ArrayLike) -> Floats:
    """Return the determinant of symmetric 2x2 matrices to nearly full float64 precision.

    Parameters
    ----------
    covariance : array_like, (..., 3)
        Entries xx, xy, yy.

    Returns
    -------
    ndarray, (...), float64
        xx · yy − xy², NaN where an entry exceeds about 1e300 or is not finite.

    Notes
    -----
    The rounding error of each product is computed exactly (Dekker 1971) and added back. The plain
    expression has no correct digit at aspect ratios above about 10⁸.
    """
    xx, xy, yy = _columns(covariance, 3)
    with np.errstate(all="ignore"):
        diagonal, diagonal_error = _exact_product(xx, yy)
        square, square_error = _exact_product(xy, xy)
        return (diagonal - square) + (diagonal_error - square_error)


def inverse(covariance: ArrayLike) -> Floats:
    """Invert symmetric 2x2 matrices, from covariance to conic or from conic to covariance.

    Parameters
    ----------
    covariance : array_like, (..., 3)
        Entries xx, xy, yy of covariances in px², or a, b, c of conics in px⁻².

    Returns
    -------
    ndarray, (..., 3), float64
        The same entries of the inverse. A conic is q = ½ (a dx² + 2 b dx dy + c dy²).
    """
    xx, xy, yy = _columns(covariance, 3)
    det = _positive_determinant(xx, xy, yy)
    with np.errstate(all="ignore"):
        return np.stack((yy / det, -xy / det, xx / det), axis=-1)


def cholesky_from_covariance(covariance: ArrayLike) -> Floats:
    """Return the lower Cholesky factors of covariances.

    Parameters
    ----------
    covariance : array_like, (..., 3)
        Entries xx, xy, yy in px².

    Returns
    -------
    ndarray, (..., 3), float64
        l₁₁ > 0, l₂₁, l₂₂ > 0 in px, with Σ = L Lᵀ.
    """
    xx, xy, yy = _columns(covariance, 3)
    det = _positive_determinant(xx, xy, yy)
    with np.errstate(all="ignore"):
        l11 = np.sqrt(np.where(np.isnan(det), np.nan, xx))
        return np.stack((l11, xy / l11, np.sqrt(det / xx)), axis=-1)


def covariance_from_cholesky(cholesky: ArrayLike) -> Floats:
    """Return the covariances L Lᵀ of lower Cholesky factors.

    Parameters
    ----------
    cholesky : array_like, (..., 3)
        l₁₁, l₂₁, l₂₂ in px, of any sign; a zero on the diagonal gives a singular covariance.

    Returns
    -------
    ndarray, (..., 3), float64
        Entries xx, xy, yy in px².
    """
    l11, l21, l22 = _columns(cholesky, 3)
    with np.errstate(all="ignore"):
        return np.stack((l11 * l11, l11 * l21, l21 * l21 + l22 * l22), axis=-1)


def scale_rotation_from_covariance(covariance: ArrayLike) -> tuple[Floats, Floats]:
    """Return the principal axes of covariances.

    Parameters
    ----------
    covariance : array_like, (..., 3)
        Entries xx, xy, yy in px².

    Returns
    -------
    scales : ndarray, (..., 2), float64
        Standard deviations σ₁ ≥ σ₂ > 0 along the major and the minor axis, in px.
    rotation : ndarray, (...), float64
        Angle of the major axis in radians, from +x towards +y, in (−π/2, π/2]; 0 for a circle.
    """
    xx, xy, yy = _columns(covariance, 3)
    det = _positive_determinant(xx, xy, yy)
    with np.errstate(all="ignore"):
        half_difference = (xx - yy) / 2
        major = (xx + yy) / 2 + np.hypot(half_difference, xy)
        # Rounding must not put the minor axis before the major one.
        scales = np.sqrt(np.stack((major, np.minimum(major, det / major)), axis=-1))
        rotation = np.arctan2(xy, half_difference) / 2
        # arctan2(−0, −1) is −π, but an axis and its opposite are the same; both give π/2.
        rotation = np.where(rotation <= -np.pi / 2, np.pi / 2, rotation)
    undefined = np.isnan(det)
    return np.where(undefined[..., None], np.nan, scales), np.where(undefined, np.nan, rotation)


def covariance_from_scale_rotation(scales: ArrayLike, rotation: ArrayLike) -> Floats:
    """Return the covariances with the given principal axes.

    Parameters
    ----------
    scales : array_like, (..., 2)
        Standard deviations in px along two axes at right angles, in any order.
    rotation : array_like, (...)
        Angle of the first axis in radians, from +x towards +y.

    Returns
    -------
    ndarray, (..., 3), float64
        Entries xx, xy, yy in px².
    """
    first, second = _columns(scales, 2)
    angle = np.asarray(rotation, dtype=np.float64)
    with np.errstate(all="ignore"):
        cos, sin = np.cos(angle), np.sin(angle)
        xx = (first * cos) ** 2 + (second * sin) ** 2
        yy = (first * sin) ** 2 + (second * cos) ** 2
        xy = (first - second) * (first + second) * (sin * cos)
        return np.stack((xx, xy, yy), axis=-1)


def log_euclidean_from_covariance(covariance: ArrayLike) -> Floats:
    """Return the matrix logarithm of covariances, as mean log scale and deviator.

    Parameters
    ----------
    covariance : array_like, (..., 3)
        Entries xx, xy, yy in px².

    Returns
    -------
    ndarray, (..., 3), float64
        s = (ln σ₁ + ln σ₂) / 2, r cos 2θ, r sin 2θ, with r = (ln σ₁ − ln σ₂) / 2 ≥ 0 and θ the
        angle of the major axis; ½ log Σ = [[s + r cos 2θ, r sin 2θ], [r sin 2θ, s − r cos 2θ]].

    References
    ----------
    Arsigny, Fillard, Pennec, Ayache, "Log-Euclidean metrics for fast and simple calculus on
    diffusion tensors", Magnetic Resonance in Medicine 56 (2006).
    """
    xx, xy, yy = _columns(covariance, 3)
    det = _positive_determinant(xx, xy, yy)
    with np.errstate(all="ignore"):
        half_difference = (xx - yy) / 2
        radius = np.hypot(half_difference, xy)
        # λ₁ / λ₂ − 1 without the cancellation that λ₁ / λ₂ has near a circle.
        excess = 2 * radius * ((xx + yy) / 2 + radius) / det
        # The smallest normal number keeps 0 / 0 out of a circle and changes no other value.
        factor = np.log1p(excess) / 4 / np.maximum(radius, np.finfo(np.float64).tiny)
        return np.stack((np.log(det) / 4, factor * half_difference, factor * xy), axis=-1)


def covariance_from_log_euclidean(log_euclidean: ArrayLike) -> Floats:
    """Return the covariances with the given matrix logarithm.

    Parameters
    ----------
    log_euclidean : array_like, (..., 3)
        s, r cos 2θ, r sin 2θ as `log_euclidean_from_covariance` gives them; any finite numbers.

    Returns
    -------
    ndarray, (..., 3), float64
        Entries xx, xy, yy in px²; not finite where the exponential overflows.
    """
    s, cosine, sine = _columns(log_euclidean, 3)
    with np.errstate(all="ignore"):
        r = np.hypot(cosine, sine)
        major, minor = np.exp(2 * (s + r)), np.exp(2 * (s - r))
        # 2r cos² θ and 2r sin² θ: r ± r cos 2θ, the smaller one free of cancellation.
        larger = r + np.abs(cosine)
        smaller = sine * (sine / larger)
        along_x = np.where(cosine >= 0, larger, smaller) / (2 * r)
        along_y = np.where(cosine >= 0, smaller, larger) / (2 * r)
        xx = major * along_x + minor * along_y
        yy = major * along_y + minor * along_x
        # λ₁ − λ₂ = λ₁ (1 − e^(−4r)), which keeps its digits near a circle.
        xy = -major * np.expm1(-4 * r) * (sine / (2 * r))
        circle = r == 0
        return np.stack(
            (np.where(circle, major, xx), np.where(circle, 0.0, xy), np.where(circle, major, yy)),
            axis=-1,
        )


def _columns(values: ArrayLike, count: int) -> tuple[Floats, ...]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != count:
        raise ValueError(f"expected {count} values along the last axis, got shape {array.shape}")
    return tuple(array[..., column] for column in range(count))


def _positive_determinant(xx: Floats, xy: Floats, yy: Floats) -> Floats:
    """Return the determinant, NaN where the matrix is not finite and positive definite."""
    det = determinant(np.stack((xx, xy, yy), axis=-1))
    positive = (xx > 0) & (yy > 0) & (det > 0) & np.isfinite(det)
    return np.where(positive, det, np.nan)


def _exact_product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return a · b rounded, and the rounding error, both exact (Dekker, without FMA)."""
    a_high = _SPLITTER * a - (_SPLITTER * a - a)
    b_high = _SPLITTER * b - (_SPLITTER * b - b)
    a_low, b_low = a - a_high, b - b_high
    product = a * b
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, error
