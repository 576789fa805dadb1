"""Alpha blending of 2D Gaussians, front to back, as 3D Gaussian splatting draws them.

It is pure PyTorch, for any device, in float32 or float64. The gradient is written by hand: it draws
every batch of tiles again, so that the memory is that of one batch and not of all pairs of pixels
and Gaussians.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from gaussianimage._util.arguments import side
from gaussianimage.torch.arguments import check_like_means, check_shape, check_tensor
from gaussianimage.torch.models.blending_tiles import (
    TILE,
    TileBatch,
    VisibleGaussians,
    select_visible,
    tile_batches,
    tiled,
    untiled,
)

MAX_ALPHA = 0.999
MIN_ALPHA = 1 / 255


def alpha_blend(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    opacities: Tensor,
    height: int,
    width: int,
    *,
    depths: Tensor | None = None,
    background: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw Gaussians over one another, differentiably in all tensors but the depths.

    Parameters
    ----------
    means : Tensor, (N, 2)
        Centers μ, x then y, in pixels; pixel centers are at +½.
    cholesky : Tensor, (N, 3)
        l₁₁, l₂₁, l₂₂ in pixels, of any sign: the covariance is L Lᵀ.
    colors : Tensor, (N, C)
        Colors c, unbounded.
    opacities : Tensor, (N,)
        Opacities o; a Gaussian of 1/255 or less is not drawn.
    height, width : int
        Size of the picture in pixels, 1 to 65536.
    depths : Tensor, (N,), optional
        The smallest is in front; equal ones, and all by default, are in the order of their indices.
    background : Tensor, (C,), optional
        The color b behind all Gaussians; zero by default.

    Returns
    -------
    image : Tensor, (height, width, C)
        Σᵢ cᵢ αᵢ Tᵢ + b T with αᵢ = min(0.999, oᵢ exp(−qᵢ)) where that is above 1/255 and 0
        elsewhere, Tᵢ the product of 1 − αⱼ over all j in front of i, and T the transmittance.
    transmittance : Tensor, (height, width)
        The product of all 1 − αᵢ: how much of a background is seen.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or shape. The values in the tensors are not checked: a
        Gaussian that isn't finite, or is thinner than 10⁻⁶ px, draws nothing and has no gradient.

    Notes
    -----
    Cut-off and limit of α are not differentiated, nor is the order. On a CPU the same input gives
    the same bits.

    References
    ----------
    B. Kerbl, G. Kopanas, T. Leimkühler, G. Drettakis: 3D Gaussian splatting for real-time radiance
    field rendering. ACM Transactions on Graphics 42(4), 2023. Unlike there, blending does not stop
    where the transmittance falls below 10⁻⁴.
    """
    _check(means, cholesky, colors, opacities, depths)
    size = side("height", height), side("width", width)
    if background is not None:
        check_tensor("background", background)
        check_shape("background", background, (colors.shape[1],))
        check_like_means("background", background, means)
    image, transmittance = _Blend.apply(  # type: ignore[no-untyped-call]  # as PyTorch has it
        means, cholesky, colors, opacities, depths, size
    )
    if background is not None:
        image = image + transmittance[..., None] * background
    return image, transmittance


def _check(
    means: Tensor, cholesky: Tensor, colors: Tensor, opacities: Tensor, depths: Tensor | None
) -> None:
    given = {"means": means, "cholesky": cholesky, "colors": colors, "opacities": opacities}
    if depths is not None:
        given["depths"] = depths
    for name, tensor in given.items():
        check_tensor(name, tensor)
        check_like_means(name, tensor, means)
    count = len(means) if means.ndim else 0
    channels = colors.shape[1] if colors.ndim == 2 else 0
    shapes = {"means": (count, 2), "cholesky": (count, 3), "colors": (count, max(channels, 1))}
    for name, tensor in given.items():
        check_shape(name, tensor, shapes.get(name, (count,)))


class _Blend(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        means: Tensor,
        cholesky: Tensor,
        colors: Tensor,
        opacities: Tensor,
        depths: Tensor | None,
        size: tuple[int, int],
    ) -> tuple[Tensor, Tensor]:
        visible, paint = _prepared(means, cholesky, colors, opacities, depths, size)
        image = tiled(means.new_zeros(*size, colors.shape[1]))
        transmittance = tiled(means.new_ones(*size, 1))
        basis = _basis(means)
        for batch in tile_batches(visible, size):
            alphas = _alphas(batch, basis)
            passing = _passing(alphas)
            transmittance[batch.tiles, 0] = passing[-1]
            weights = alphas.mul_(passing[:-1])
            image[batch.tiles] = paint[batch.rows].permute(1, 2, 0) @ weights.transpose(0, 1)
        ctx.save_for_backward(means, cholesky, colors, opacities, depths)
        ctx.size = size
        return untiled(image, size).contiguous(), untiled(transmittance, size)[..., 0].contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_image: Tensor, d_transmittance: Tensor) -> tuple[Tensor | None, ...]:
        means, cholesky, colors, opacities, depths = ctx.saved_tensors
        visible, paint = _prepared(means, cholesky, colors, opacities, depths, ctx.size)
        d_image, d_transmittance = tiled(d_image), tiled(d_transmittance[..., None])[:, 0]
        basis = _basis(means)
        moments = means.new_zeros(6, len(paint))
        d_paint = torch.zeros_like(paint)
        for batch in tile_batches(visible, ctx.size):
            given = d_image[batch.tiles]
            alphas = _alphas(batch, basis)
            passing = _passing(alphas)
            gains = _gains(paint[batch.rows], given, alphas, d_transmittance[batch.tiles])
            limited = alphas >= MAX_ALPHA
            weights = alphas.mul_(passing[:-1])
            rows = batch.rows.flatten()
            d_colors = weights.transpose(0, 1) @ given.mT
            d_paint.index_add_(0, rows, d_colors.transpose(0, 1).flatten(0, 1))
            # −∂L/∂q = α ∂L/∂α, and α ∂L/∂α = o ∂L/∂o.
            gains.mul_(weights).masked_fill_(limited, 0)
            moments.index_add_(1, rows, _moments(batch, basis, gains).flatten(1))
        i11, i22, k = visible.factors.unbind(1)
        total, u, v, uu, uv, vv = moments
        d_means = torch.stack([(u - k * v) * i11, v * i22], 1)
        d_cholesky = torch.stack([(uu - k * uv) * i11, uv * i22, vv * i22], 1)
        results = (d_means, d_cholesky, d_paint, total * (-visible.log_opacities).exp())
        inputs = (means, cholesky, colors, opacities)
        return (
            *(
                torch.zeros_like(like).index_copy_(0, visible.source, result[:-1])
                for like, result in zip(inputs, results, strict=True)
            ),
            None,
            None,
        )


def _prepared(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    opacities: Tensor,
    depths: Tensor | None,
    size: tuple[int, int],
) -> tuple[VisibleGaussians, Tensor]:
    """Return the visible Gaussians and their colors, (M + 1, C)."""
    opacities = torch.where(colors.isfinite().all(1), opacities, 0.0)
    visible = select_visible(means, cholesky, opacities, depths, size, MIN_ALPHA)
    return visible, pad(colors[visible.source], [0, 0, 0, 1])


def _basis(like: Tensor) -> Tensor:
    """Return 1, X, Y, X², XY, Y² of a tile's pixels relative to its center, (6, TILE²)."""
    place = torch.arange(TILE, dtype=like.dtype, device=like.device) - (TILE - 1) / 2
    x, y = place.repeat(TILE), place.repeat_interleave(TILE)
    return torch.stack([torch.ones_like(x), x, y, x * x, x * y, y * y])


def _alphas(batch: TileBatch, basis: Tensor) -> Tensor:
    """Return α of all pairs, (K, T, TILE²)."""
    a, b, e, f, g = batch.whitening
    # One matrix product for all exponents, as polynomials around the tiles' centers. In float32 its
    # error is some 1e-5 / σ² for the narrower σ in pixels.
    polynomial = torch.stack(
        [
            batch.log_opacities - (a * a + e * e) / 2,
            -(a * b + e * g),
            -e * f,
            -(b * b + g * g) / 2,
            -f * g,
            -f * f / 2,
        ],
        2,
    )
    alphas = (polynomial.flatten(0, 1) @ basis).exp_().clamp_max_(MAX_ALPHA)
    return torch.threshold_(alphas, MIN_ALPHA, 0).view(*a.shape, -1)


def _passing(alphas: Tensor) -> Tensor:
    """Return the transmittance in front of each Gaussian and behind all, (K + 1, T, TILE²)."""
    passing = alphas.new_empty(len(alphas) + 1, *alphas.shape[1:])
    passing[0] = 1
    # The loop is several times as fast as `cumprod`, which handles every pixel by itself.
    steps = passing.unbind(0)
    for before, alpha, after in zip(steps, alphas.unbind(0), steps[1:], strict=False):
        torch.addcmul(before, alpha, before, value=-1, out=after)
    return passing


def _gains(colors: Tensor, given: Tensor, alphas: Tensor, behind: Tensor) -> Tensor:
    """Return ∂L/∂α divided by the transmittance in front of each Gaussian.

    Parameters
    ----------
    colors : Tensor, (K, T, C)
    given : Tensor, (T, C, TILE²)
        ∂L/∂I.
    alphas : Tensor, (K, T, TILE²)
    behind : Tensor, (T, TILE²)
        ∂L/∂ the transmittance behind all Gaussians.
    """
    gains = torch.zeros_like(alphas)
    for channel in range(colors.shape[2]):
        gains.addcmul_(colors[..., channel, None], given[:, channel])
    hidden = behind.clone()
    for gain, alpha in zip(reversed(gains.unbind(0)), reversed(alphas.unbind(0)), strict=True):
        gain.sub_(hidden)
        hidden.addcmul_(alpha, gain)
    return gains


def _moments(batch: TileBatch, basis: Tensor, weights: Tensor) -> Tensor:
    """Return Σ w (1, u, v, u², uv, v²) over each tile, where (u, v) = L⁻¹ (p − μ), (6, K, T)."""
    plain = (basis @ weights.flatten(0, 1).mT).view(6, *weights.shape[:2])
    s, x, y, xx, xy, yy = plain
    a, b, e, f, g = batch.whitening
    u, v = a * s + b * x, e * s + g * x + f * y
    ux, uy = a * x + b * xx, a * y + b * xy
    vx, vy = e * x + g * xx + f * xy, e * y + g * xy + f * yy
    return torch.stack([s, u, v, a * u + b * ux, e * u + g * ux + f * uy, e * v + g * vx + f * vy])
