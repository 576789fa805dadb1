"""What each Gaussian does to a picture: sums of weights, top contributors, extents, gradients."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gaussianimage._util.arguments import cutoff, positive, side
from gaussianimage.torch import pairs
from gaussianimage.torch.arguments import check_dense, check_like_means, full_precision
from gaussianimage.torch.models.blending_tiles import (
    PIXELS,
    TileBatch,
    select_visible,
    tile_batches,
    tiled,
    untiled,
)
from gaussianimage.torch.rasterize import check_background, rasterize
from gaussianimage.torch.reference import drawable


class Footprints(NamedTuple):
    """Where Gaussians are seen in a picture."""

    visible: Tensor  # (..., N), bool: whether a pixel's center is within the ellipse's box
    extents: Tensor  # (..., N, 2): half the width and height of the ellipse's box, px
    radii: Tensor  # (..., N): half the longest axis of the ellipse, px


class Contributors(NamedTuple):
    """The Gaussians with the largest weights of each pixel, the largest first."""

    indices: Tensor  # (H, W, K), int64; −1 where fewer than K Gaussians reach the pixel
    weights: Tensor  # (H, W, K), exp(−q), differentiable; 0 where there is none


def footprints(
    means: Tensor, cholesky: Tensor, height: int, width: int, *, q_max: float = 4.5
) -> Footprints:
    """Tell which Gaussians are seen and how far they reach.

    Parameters
    ----------
    means, cholesky : Tensor, (..., N, 2) and (..., N, 3)
        As for `rasterize`.
    height, width : int
        Size of the picture in pixels.
    q_max : float, default 4.5
        The cut-off; the ellipse is where q = q_max.

    Returns
    -------
    Footprints
        Not differentiable; zeros for a Gaussian that can't be drawn.
    """
    _check(means, cholesky)
    size, q = (side("height", height), side("width", width)), cutoff("q_max", q_max)
    with torch.no_grad():
        means, cholesky = full_precision(means), full_precision(cholesky)
        fine = drawable(means, cholesky, means.new_zeros(*means.shape[:-1], 1))
        l11, l21, l22 = torch.where(fine[..., None], cholesky, 0.0).unbind(-1)
        extents = torch.stack([l11.abs(), torch.hypot(l21, l22)], -1) * math.sqrt(2 * q)
        # The larger eigenvalue of L Lᵀ.
        middle = (l11**2 + l21**2 + l22**2) / 2
        spread = torch.hypot((l11**2 - l21**2 - l22**2) / 2, l11 * l21)
        flat = (means.reshape(-1, 2), cholesky.reshape(-1, 3))
        found = pairs.boxes(*flat, flat[0][:, :1] * 0, size, q)
        visible = (found.across > 0).view(fine.shape)
        return Footprints(visible, extents, (2 * q * (middle + spread)).sqrt())


def sum_weights(
    means: Tensor, cholesky: Tensor, height: int, width: int, *, q_max: float = 4.5
) -> Tensor:
    """Return Σᵢ exp(−qᵢ) of each pixel, (..., height, width), differentiably.

    The arguments are those of `rasterize`, of which this is the picture in white.
    """
    _check(means, cholesky)
    white = full_precision(means).new_ones(*means.shape[:-1], 1)
    return rasterize(means, cholesky, white, height, width, q_max=q_max)[..., 0]


def top_contributors(
    means: Tensor, cholesky: Tensor, height: int, width: int, count: int, *, q_max: float = 4.5
) -> Contributors:
    """Find the Gaussians with the largest weights of every pixel.

    Parameters
    ----------
    means, cholesky : Tensor, (N, 2) and (N, 3)
        As for `rasterize`.
    height, width : int
        Size of the picture in pixels, 1 to 65536.
    count : int
        Number of contributors K of each pixel, from 1.
    q_max : float, default 4.5
        The cut-off; beyond it a Gaussian does not contribute.

    Returns
    -------
    Contributors
        The choice is not differentiated, the weights are.
    """
    _check(means, cholesky)
    if means.dim() != 2:
        raise ValueError(f"means: expected shape (N, 2), got {tuple(means.shape)}")
    size, q = (side("height", height), side("width", width)), cutoff("q_max", q_max)
    count = positive("count", count)
    means, cholesky = full_precision(means), full_precision(cholesky)
    with torch.no_grad():
        opaque = means.new_ones(len(means))
        visible = select_visible(means, cholesky, opaque, None, size, math.exp(-q))
        best = tiled(torch.full((*size, count), -1, device=means.device))
        for batch in tile_batches(visible, size):
            squares = _squares(batch)
            there = min(count, len(squares))
            nearest = squares.topk(there, dim=0, largest=False)
            rows = batch.rows.T[:, :, None].expand(-1, -1, PIXELS).movedim(1, 0)
            source = torch.cat((visible.source, visible.source.new_tensor([-1])))
            chosen = source[rows.gather(0, nearest.indices)]
            chosen = torch.where(nearest.values <= q, chosen, -1).movedim(0, 1)
            best[batch.tiles, :there] = chosen
        indices = untiled(best, size)
    return Contributors(indices, _weights(means, cholesky, indices, q))


def top_k_blend(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    height: int,
    width: int,
    count: int,
    *,
    background: Tensor | None = None,
    q_max: float = 4.5,
) -> Tensor:
    """Draw each pixel as the weighted mean of its top contributors' colors.

    Parameters
    ----------
    means, cholesky, colors : Tensor, (N, 2), (N, 3), (N, C)
        As for `rasterize`.
    height, width : int
        Size of the picture in pixels, 1 to 65536.
    count : int
        Number of contributors K of each pixel, from 1.
    background : Tensor, (C,), optional
        The color of pixels that no Gaussian reaches; zero by default.
    q_max : float, default 4.5
        The cut-off.

    Returns
    -------
    Tensor, (height, width, C)
        Σ wₖ cₖ / Σ wₖ over the K largest weights wₖ = exp(−qₖ); differentiable, except that the
        choice of contributors is not.

    References
    ----------
    Y. Zhang et al.: Image-GS: content-adaptive image representation via 2D Gaussians. SIGGRAPH
    2025, arXiv 2407.01866, equation 5.
    """
    check_dense("colors", colors)
    check_like_means("colors", colors, means)
    if colors.dim() != 2 or len(colors) != len(means):
        raise ValueError(f"colors: expected shape ({len(means)}, C), got {tuple(colors.shape)}")
    found = top_contributors(means, cholesky, height, width, count, q_max=q_max)
    if not len(means):
        # There is nothing to choose from, which indexing refuses.
        means, colors = means.new_zeros(1, 2), colors.new_zeros(1, colors.shape[1])
    total = found.weights.sum(-1, keepdim=True)
    # At the cut-off the weight is still exp(−q_max), so that only an empty sum is zero.
    shares = found.weights / torch.where(total > 0, total, 1.0)
    chosen = full_precision(colors)[found.indices.clamp_min(0)]
    image = (shares[..., None] * chosen).sum(-2)
    if background is None:
        return image
    check_background(background, colors)
    return torch.where(total > 0, image, full_precision(background))


def absolute_gradient(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    image_gradient: Tensor,
    *,
    q_max: float = 4.5,
) -> Tensor:
    """Return each center's gradient with the absolute values of all pixels added up.

    Where a Gaussian covers detail, the gradients of its pixels cancel; their absolute values tell
    that it should be split.

    Parameters
    ----------
    means, cholesky, colors : Tensor, (..., N, 2), (..., N, 3), (..., N, C)
        As for `rasterize`.
    image_gradient : Tensor, (..., H, W, C)
        The derivative of the loss by the picture: its `grad` after `image.retain_grad()`.
    q_max : float, default 4.5
        The cut-off.

    Returns
    -------
    Tensor, (..., N, 2)
        Σₚ |∂loss/∂I(p) · ∂I(p)/∂μ|, with the channels added up before the absolute value. Not
        differentiable.

    References
    ----------
    Z. Ye et al.: AbsGS: recovering fine details for 3D Gaussian splatting. arXiv 2404.10484.
    """
    _check(means, cholesky)
    for name, tensor in (("colors", colors), ("image_gradient", image_gradient)):
        check_dense(name, tensor)
        check_like_means(name, tensor, means)
    leading = means.shape[:-2]
    if colors.shape[:-1] != means.shape[:-1]:
        raise ValueError(f"colors: expected shape {(*means.shape[:-1], 'C')}")
    shape = image_gradient.shape
    if len(shape) != len(leading) + 3 or shape[:-3] != leading or shape[-1] != colors.shape[-1]:
        raise ValueError(
            f"image_gradient: expected shape {(*leading, 'H', 'W', colors.shape[-1])}, "
            f"got {tuple(shape)}"
        )
    cutoff("q_max", q_max)
    count = math.prod(leading)
    first, second, third = (
        full_precision(t.detach()).reshape(count, *t.shape[-2:]) for t in (means, cholesky, colors)
    )
    gradient = full_precision(image_gradient.detach()).reshape(count, *shape[-3:])
    return pairs.absolute_gradient(first, second, third, gradient, float(q_max)).view(means.shape)


def _check(means: Tensor, cholesky: Tensor) -> None:
    for name, tensor in (("means", means), ("cholesky", cholesky)):
        check_dense(name, tensor)
        check_like_means(name, tensor, means)
    if means.dim() < 2 or means.shape[-1] != 2:
        raise ValueError(f"means: expected shape (..., N, 2), got {tuple(means.shape)}")
    if cholesky.shape != (*means.shape[:-1], 3):
        expected = (*means.shape[:-1], 3)
        raise ValueError(f"cholesky: expected shape {expected}, got {tuple(cholesky.shape)}")


def _squares(batch: TileBatch) -> Tensor:
    """Return q of all pairs of a batch of tiles, (K, T, PIXELS); infinite for no Gaussian."""
    side_length = math.isqrt(PIXELS)
    a, b, e, f, g = (t[..., None] for t in batch.whitening)
    place = torch.arange(side_length, dtype=a.dtype, device=a.device) - (side_length - 1) / 2
    x, y = place.repeat(side_length), place.repeat_interleave(side_length)
    z1, z2 = a + b * x, e + f * y + g * x
    # The logarithm of the opacity is 0, or very negative where a list has ended.
    return (z1 * z1 + z2 * z2) / 2 - batch.log_opacities[..., None]


def _weights(means: Tensor, cholesky: Tensor, indices: Tensor, q_max: float) -> Tensor:
    """Return the weights of chosen Gaussians at their pixels, (H, W, K)."""
    height, width, count = indices.shape
    flat = indices.flatten()
    place = torch.arange(height * width, device=indices.device).repeat_interleave(count)
    chosen = pairs.Pairs(
        rows=flat.clamp_min(0),
        pixels=place,
        x=(place % width).to(means.dtype) + 0.5,
        y=torch.div(place, width, rounding_mode="floor").to(means.dtype) + 0.5,
    )
    if not len(means):
        return means.new_zeros(indices.shape)
    # A choice at the cut-off keeps its weight although its q may be rounded up.
    weight, _, _ = pairs.weights(chosen, means, cholesky, q_max * (1 + 1e-5))
    return torch.where(flat >= 0, weight, 0.0).view(indices.shape)
