"""The rendering equation and its derivatives pixel by pixel, for float64 on any device.

With L z = p − μ, q = ½ zᵀ z and the weight w = exp(−q), so with v = L⁻ᵀ z: ∂w/∂μ = w v and
∂w/∂L = w v zᵀ, of which the lower triangle counts. Sums of g = w (∂loss/∂I · c) times 1, z and z zᵀ
over the pixels therefore give every derivative, for any signs on the diagonal of L.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from gaussianimage.gaussians import MAX_COLOR, MAX_LENGTH, MIN_LENGTH

# Pairs of a pixel and a Gaussian that are held in memory at once.
CHUNK = 2**20


def drawable(means: Tensor, cholesky: Tensor, colors: Tensor) -> Tensor:
    """Tell which of (..., N) Gaussians are drawn; see `Gaussians.drawable`."""
    lengths = torch.cat((means, cholesky), dim=-1).abs().double()
    return (
        (lengths < MAX_LENGTH).all(dim=-1)
        & (lengths[..., 2] > MIN_LENGTH)
        & (lengths[..., 4] > MIN_LENGTH)
        & (colors.abs().sum(dim=-1) < MAX_COLOR)
    )


def render(
    means: Tensor, cholesky: Tensor, colors: Tensor, height: int, width: int, q_max: float
) -> Tensor:
    """Draw (B, N, 2), (B, N, 3) and (B, N, C) as (B, height, width, C)."""
    image = colors.new_zeros((len(colors), height, width, colors.shape[2]))
    for b, rows, weight, _, _ in _footprints(means, cholesky, colors, (height, width), q_max):
        image[b] += torch.einsum("nhw,nc->hwc", weight, colors[b, rows])
    return image


def gradient(
    means: Tensor, cholesky: Tensor, colors: Tensor, image_gradient: Tensor, q_max: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the derivatives of (B, N, 2), (B, N, 3) and (B, N, C), given those of the picture."""
    results = torch.zeros_like(means), torch.zeros_like(cholesky), torch.zeros_like(colors)
    d_means, d_cholesky, d_colors = results
    size = (image_gradient.shape[1], image_gradient.shape[2])
    for b, rows, weight, z1, z2 in _footprints(means, cholesky, colors, size, q_max):
        d_colors[b, rows] = torch.einsum("nhw,hwc->nc", weight, image_gradient[b])
        g = weight * torch.einsum("hwc,nc->nhw", image_gradient[b], colors[b, rows])
        l11, l21, l22 = cholesky[b, rows, :, None, None].unbind(1)
        v2 = z2 / l22
        v1 = (z1 - l21 * v2) / l11
        d_means[b, rows] = torch.stack([(g * v).sum((1, 2)) for v in (v1, v2)], dim=1)
        products = (v1 * z1, v2 * z1, v2 * z2)
        d_cholesky[b, rows] = torch.stack([(g * p).sum((1, 2)) for p in products], dim=1)
    return results


def _footprints(
    means: Tensor, cholesky: Tensor, colors: Tensor, size: tuple[int, int], q_max: float
) -> Iterator[tuple[int, Tensor, Tensor, Tensor, Tensor]]:
    """Yield for some Gaussians at a time: picture, rows, and per pixel the weight, z₁ and z₂."""
    height, width = size
    x = torch.arange(width, dtype=means.dtype, device=means.device) + 0.5
    y = torch.arange(height, dtype=means.dtype, device=means.device)[:, None] + 0.5
    seen = drawable(means, cholesky, colors)
    for b in range(len(means)):
        for rows in torch.split(seen[b].nonzero()[:, 0], max(1, CHUNK // (height * width))):
            mean = means[b, rows, :, None, None]
            l11, l21, l22 = cholesky[b, rows, :, None, None].unbind(1)
            z1 = ((x - mean[:, 0]) / l11).expand(-1, height, -1)
            z2 = (y - mean[:, 1] - l21 * z1) / l22
            q = (z1 * z1 + z2 * z2) / 2
            yield b, rows, torch.where(q <= q_max, torch.exp(-q), 0.0), z1, z2
