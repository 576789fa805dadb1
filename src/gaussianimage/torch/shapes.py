"""Cholesky factors from other forms of a Gaussian's shape, differentiably."""

import torch
from torch import Tensor

from gaussianimage.torch.arguments import check_dense, check_like_means, full_precision

# Squares of lengths below this, in px², have no usable derivative of their root.
_LEAST_SQUARE = 1e-12


def cholesky_from_covariance(covariance: Tensor) -> Tensor:
    """Factor covariances Σ = L Lᵀ, for `rasterize`.

    Parameters
    ----------
    covariance : Tensor, (..., 3)
        Σxx, Σxy, Σyy in px².

    Returns
    -------
    Tensor, (..., 3)
        l₁₁, l₂₁, l₂₂ in pixels. Zeros, which draw nothing and have no gradient, where Σ is not
        positive definite: Σxx or det Σ / Σxx is at most 10⁻¹² px².

    Raises
    ------
    TypeError, ValueError
        If the argument is of a wrong type or shape.
    """
    check_dense("covariance", covariance)
    if covariance.dim() < 1 or covariance.shape[-1] != 3:
        raise ValueError(f"covariance: expected shape (..., 3), got {tuple(covariance.shape)}")
    xx, xy, yy = full_precision(covariance).unbind(-1)
    # The inner `where` keeps the derivatives of refused Gaussians finite.
    safe = xx > _LEAST_SQUARE
    rest = yy - xy * xy / torch.where(safe, xx, 1.0)
    safe = safe & (rest > _LEAST_SQUARE)
    l11 = torch.where(safe, xx, 1.0).sqrt()
    parts = (l11, xy / l11, torch.where(safe, rest, 1.0).sqrt())
    return torch.stack([torch.where(safe, part, 0.0) for part in parts], -1)


def cholesky_from_scale_rotation(scales: Tensor, rotation: Tensor) -> Tensor:
    """Factor Σ = (R S)(R S)ᵀ, for `rasterize`.

    Parameters
    ----------
    scales : Tensor, (..., 2)
        Standard deviations along the two axes in pixels, of any sign.
    rotation : Tensor, (...,)
        Angle of the first axis in radians, from +x towards +y.

    Returns
    -------
    Tensor, (..., 3)
        l₁₁ > 0, l₂₁ and l₂₂ ≥ 0 in pixels.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or shape.
    """
    check_dense("scales", scales)
    check_dense("rotation", rotation)
    check_like_means("rotation", rotation, scales, "scales")
    if scales.dim() < 1 or scales.shape != (*rotation.shape, 2):
        raise ValueError(
            f"scales: expected shape {(*rotation.shape, 2)} for the rotation, "
            f"got {tuple(scales.shape)}"
        )
    s1, s2 = full_precision(scales).abs().unbind(-1)
    angle = full_precision(rotation)
    cosine, sine = angle.cos(), angle.sin()
    # Rotating RS to lower triangular form gives the factor without forming Σ, which would square
    # the condition.
    l11 = ((cosine * s1) ** 2 + (sine * s2) ** 2).clamp_min(_LEAST_SQUARE).sqrt()
    l21 = cosine * sine * (s1 + s2) * (s1 - s2) / l11
    return torch.stack([l11, l21, s1 * s2 / l11], -1)
