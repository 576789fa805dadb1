"""Every pair of a pixel and a Gaussian that reaches it, for what the kernels do not compute.

It is plain PyTorch on any device, in float32 or float64: directional and second derivatives of the
picture, and sums of absolute gradients. It costs some twenty operations and 200 bytes a pair, and
takes a bounded number of pairs at a time.

With L z = p − μ, q = ½ zᵀ z, the weight w = exp(−q) and v = L⁻ᵀ z, the derivatives of a weight are
∂w/∂μ = w v and ∂w/∂L = w v zᵀ, of which the lower triangle counts.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gaussianimage.torch.reference import drawable

# Pairs that are held in memory at once, unless a single Gaussian has more.
CHUNK = 2**20


class Boxes(NamedTuple):
    """The pixels whose centers are within each ellipse's bounding box: columns and rows."""

    left: Tensor  # (M,), int64
    top: Tensor
    across: Tensor  # number of columns; 0 if the Gaussian is not seen
    down: Tensor


class Pairs(NamedTuple):
    """P pairs of some consecutive Gaussians."""

    rows: Tensor  # (P,), int64: the Gaussian
    pixels: Tensor  # (P,), int64: the pixel in the batch of pictures
    x: Tensor  # (P,), of the pixel's center, px
    y: Tensor


def boxes(
    means: Tensor, cholesky: Tensor, colors: Tensor, size: tuple[int, int], q_max: float
) -> Boxes:
    """Return the boxes of (M, 2), (M, 3) and (M, C) in a picture of a size."""
    reach = (2 * q_max) ** 0.5
    seen = drawable(means, cholesky, colors)
    # In float64 the borders are exact to 10⁻¹⁰ px; a margin covers the rounding of the weights.
    centers = torch.where(seen[:, None], means, 0.0).double()
    l11, l21, l22 = torch.where(seen[:, None], cholesky, 0.0).double().unbind(1)
    extent = torch.stack((l11.abs(), torch.hypot(l21, l22)), 1) * reach
    extent += 1e-3 + 1e-6 * (centers.abs() + extent)
    limit = centers.new_tensor([size[1], size[0]])
    first = torch.minimum((centers - extent - 0.5).ceil().clamp_min(0), limit)
    last = torch.minimum((centers + extent - 0.5).floor() + 1, limit)
    counts = (last - first).clamp_min(0).long() * seen[:, None]
    empty = (counts == 0).any(1)
    counts[empty] = 0
    first = first.long()
    return Boxes(first[:, 0], first[:, 1], counts[:, 0], counts[:, 1])


def each_chunk(
    found: Boxes, size: tuple[int, int], per_picture: int, like: Tensor
) -> Iterator[Pairs]:
    """Yield the pairs of the boxes, for some Gaussians at a time.

    Parameters
    ----------
    found : Boxes
        Of all pictures of the batch, one after the other.
    size : (int, int)
        Height and width of each picture.
    per_picture : int
        Gaussians of each picture.
    like : Tensor
        Type and device of the coordinates.
    """
    height, width = size
    ends = (found.across * found.down).cumsum(0)
    first, begin, total = 0, 0, int(ends[-1]) if len(ends) else 0
    while begin < total:
        last = int(torch.searchsorted(ends, begin + CHUNK, right=True))
        last = max(last, int(torch.searchsorted(ends, begin, right=True)) + 1)
        part = slice(first, last)
        counts = ends[part] - torch.cat((ends.new_tensor([begin]), ends[first : last - 1]))
        rows = torch.repeat_interleave(torch.arange(first, last, device=like.device), counts)
        starts = counts.cumsum(0) - counts
        place = torch.arange(len(rows), device=like.device) - starts[rows - first]
        across = found.across[rows]
        column, row = found.left[rows] + place % across, found.top[rows] + place // across
        picture = rows // max(per_picture, 1)
        pixels = (picture * height + row) * width + column
        yield Pairs(rows, pixels, column.to(like.dtype) + 0.5, row.to(like.dtype) + 0.5)
        first, begin = last, int(ends[last - 1])


def weights(pairs: Pairs, means: Tensor, cholesky: Tensor, q_max: float) -> tuple[Tensor, ...]:
    """Return w, z₁ and z₂ of each pair, (P,), differentiable in (M, 2) and (M, 3)."""
    mean_x, mean_y = means[pairs.rows].unbind(1)
    l11, l21, l22 = cholesky[pairs.rows].unbind(1)
    z1 = (pairs.x - mean_x) / l11
    z2 = (pairs.y - mean_y - l21 * z1) / l22
    q = (z1 * z1 + z2 * z2) / 2
    return torch.where(q <= q_max, (-q).exp(), 0.0), z1, z2


def tangent(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    directions: Sequence[Tensor],
    height: int,
    width: int,
    q_max: float,
) -> Tensor:
    """Return the derivative of the picture in a direction, (B, height, width, C).

    Parameters
    ----------
    means, cholesky, colors : Tensor, (B, N, 2), (B, N, 3), (B, N, C)
    directions : sequence of three Tensor
        Of the same shapes.
    height, width : int
    q_max : float
    """
    pictures, count, channels = colors.shape
    means, cholesky, colors = (t.flatten(0, 1) for t in (means, cholesky, colors))
    d_means, d_cholesky, d_colors = (t.flatten(0, 1) for t in directions)
    image = colors.new_zeros((pictures * height * width, channels))
    found = boxes(means, cholesky, colors, (height, width), q_max)
    for pairs in each_chunk(found, (height, width), count, means):
        rows = pairs.rows
        weight, z1, z2 = weights(pairs, means, cholesky, q_max)
        v1, v2 = _directions(cholesky[rows], z1, z2)
        x, y = d_means[rows].unbind(1)
        l11, l21, l22 = d_cholesky[rows].unbind(1)
        growth = v1 * (x + z1 * l11) + v2 * (y + z1 * l21 + z2 * l22)
        change = d_colors[rows] + growth[:, None] * colors[rows]
        image.index_add_(0, pairs.pixels, weight[:, None] * change)
    return image.view(pictures, height, width, channels)


def curvature(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    image_gradient: Tensor,
    directions: Sequence[Tensor],
    q_max: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the second derivatives of ⟨R, picture⟩ times a direction.

    Parameters
    ----------
    means, cholesky, colors : Tensor, (B, N, 2), (B, N, 3), (B, N, C)
    image_gradient : Tensor, (B, H, W, C)
        R.
    directions : sequence of three Tensor
        The direction, in the shapes of the Gaussians.
    q_max : float

    Returns
    -------
    three Tensor
        In the shapes of the Gaussians.
    """
    _, height, width, channels = image_gradient.shape
    shapes = means.shape, cholesky.shape, colors.shape
    inputs = [t.flatten(0, 1) for t in (means, cholesky, colors)]
    flat = [t.flatten(0, 1) for t in directions]
    results = [torch.zeros_like(t) for t in inputs]
    by_pixel = image_gradient.reshape(-1, channels)
    found = boxes(inputs[0], inputs[1], inputs[2], (height, width), q_max)
    for pairs in each_chunk(found, (height, width), means.shape[1], means):
        # One chunk has all pairs of its Gaussians, so that its products are complete.
        first, last = int(pairs.rows[0]), int(pairs.rows[-1]) + 1
        own = pairs._replace(rows=pairs.rows - first)
        with torch.enable_grad():
            leaves = [t[first:last].detach().requires_grad_() for t in inputs]
            weight, _, _ = weights(own, leaves[0], leaves[1], q_max)
            value = (leaves[2][own.rows] * by_pixel[pairs.pixels]).sum(1)
            parts = torch.autograd.grad((weight * value).sum(), leaves, create_graph=True)
            along = sum((a * b[first:last]).sum() for a, b in zip(parts, flat, strict=True))
            products = torch.autograd.grad(along, leaves)  # type: ignore[arg-type]  # not 0
        for result, product in zip(results, products, strict=True):
            result[first:last] = product
    first_part, second, third = (t.view(s) for t, s in zip(results, shapes, strict=True))
    return first_part, second, third


def absolute_gradient(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    image_gradient: Tensor,
    q_max: float,
) -> Tensor:
    """Return Σ |∂loss/∂I(p) ∂I(p)/∂μ| over the pixels p, (B, N, 2), from (B, …) tensors."""
    _, height, width, channels = image_gradient.shape
    shape = means.shape
    means, cholesky, colors = (t.flatten(0, 1) for t in (means, cholesky, colors))
    by_pixel = image_gradient.reshape(-1, channels)
    result = torch.zeros_like(means)
    found = boxes(means, cholesky, colors, (height, width), q_max)
    for pairs in each_chunk(found, (height, width), shape[1], means):
        weight, z1, z2 = weights(pairs, means, cholesky, q_max)
        value = weight * (colors[pairs.rows] * by_pixel[pairs.pixels]).sum(1)
        v1, v2 = _directions(cholesky[pairs.rows], z1, z2)
        result.index_add_(0, pairs.rows, (value[:, None] * torch.stack((v1, v2), 1)).abs())
    return result.view(shape)


def _directions(cholesky: Tensor, z1: Tensor, z2: Tensor) -> tuple[Tensor, Tensor]:
    """Return v = L⁻ᵀ z of each pair."""
    l11, l21, l22 = cholesky.unbind(1)
    v2 = z2 / l22
    return (z1 - l21 * v2) / l11, v2
