"""The gradient kernels: sums over each entry's pixels, then over each Gaussian's entries.

With z = L⁻¹ d, the weight w, R the derivative of the loss by the picture and g = w Σ c R, the
kernel sums g z₁, g z₂, g z₁², g z₁ z₂, g z₂² and, per channel, w R. The derivative by the center is
L⁻ᵀ (Σ g z), and that by the Cholesky factor is the lower triangle of L⁻ᵀ (Σ g z zᵀ).
"""

import torch

from gaussianimage.torch.cuda import require_triton  # noqa: F401  # isort: skip
import triton
import triton.language as tl
from torch import Tensor

from gaussianimage.torch.cuda.batch import TILE, Batch, TileLists
from gaussianimage.torch.cuda.forward import footprints, tile_pixels
from gaussianimage.torch.cuda.tile_lists import prepare_lists

# Entries that a tile processes together. One warp has all of its pixels, because every entry's sums
# are reduced across the warps.
STEP = 4
WARPS = 1
# The most channels that the kernel is compiled for one by one.
KNOWN = 4
# Entries of a Gaussian that are added at a time.
ROWS = 64


@triton.jit(do_not_specialize=["channels", "height", "width", "tiles_x", "tiles_y"])
def _sum_entries(
    spans,
    owners,
    entries,
    forms,
    colors,
    gradient,
    sums,
    capacity,
    channels,
    height,
    width,
    tiles_x,
    tiles_y,
    q_max,
    known: tl.constexpr,
    tile: tl.constexpr,
    step: tl.constexpr,
):
    """Write the 5 + C sums of all entries of one tile into their rows.

    `known` is the number of channels if it is at most four, else 0.
    """
    index = tl.program_id(0)
    pixel, inside = tile_pixels(index, height, width, tiles_x, tiles_y, tile)
    # As long as the kernel knows how many there are, the derivatives stay in registers.
    at = gradient + pixel * known
    r0 = tl.load(at, inside, 0.0)
    r1 = tl.load(at + 1, inside & (known > 1), 0.0)
    r2 = tl.load(at + 2, inside & (known > 2), 0.0)
    r3 = tl.load(at + 3, inside & (known > 3), 0.0)
    end = tl.load(spans + 2 * index + 1)
    for begin in range(tl.load(spans + 2 * index), end, step):
        i = begin + tl.arange(0, step)
        some = i < end
        owner = tl.load(owners + i, some, 0)
        z1, z2, weight = footprints(forms, i, some, q_max, tile)
        entry = tl.load(entries + i, some, 0)
        some = some & (entry < capacity)
        to = sums + entry.to(tl.int64) * (5 + (known if known > 0 else channels))
        if known > 0:
            g = _weigh(weight, r0, colors + owner * known, to + 5, some)
            if known > 1:
                g += _weigh(weight, r1, colors + owner * known + 1, to + 6, some)
            if known > 2:
                g += _weigh(weight, r2, colors + owner * known + 2, to + 7, some)
            if known > 3:
                g += _weigh(weight, r3, colors + owner * known + 3, to + 8, some)
        else:
            g = tl.zeros((step, tile * tile), tl.float32)
            for channel in range(channels):
                r = tl.load(gradient + pixel * channels + channel, inside, 0.0)
                color = colors + owner * channels + channel
                g += _weigh(weight, r, color, to + 5 + channel, some)
        g1 = g * z1
        g2 = g * z2
        tl.store(to, tl.sum(g1, axis=1), some)
        tl.store(to + 1, tl.sum(g2, axis=1), some)
        tl.store(to + 2, tl.sum(g1 * z1, axis=1), some)
        tl.store(to + 3, tl.sum(g1 * z2, axis=1), some)
        tl.store(to + 4, tl.sum(g2 * z2, axis=1), some)


@triton.jit
def _weigh(weight, r, color, to, some):
    """Write Σ w R of one channel for each entry; return w c R."""
    weighted = weight * r[None, :]
    tl.store(to, tl.sum(weighted, axis=1), some)
    return weighted * tl.load(color, some, 0.0)[:, None]


@triton.jit
def rows_of(boxes, offsets, i, capacity):
    """Return where the rows of sums of a Gaussian begin and end."""
    begin = tl.load(offsets + i)
    count = tl.load(boxes + 4 * i + 2) * tl.load(boxes + 4 * i + 3)
    return begin, tl.minimum(begin + count, capacity)


@triton.jit
def gather(sums, begin, end, column, columns, rows: tl.constexpr):
    """Add up one column over the rows of one Gaussian, always in the same order."""
    total = tl.zeros((rows,), tl.float32)
    for row in range(begin, end, rows):
        i = row + tl.arange(0, rows)
        total += tl.load(sums + i * columns + column, i < end, 0.0)
    return tl.sum(total)


@triton.jit(do_not_specialize=["capacity", "channels"])
def _differentiate(
    boxes,
    offsets,
    used,
    sums,
    cholesky,
    d_means,
    d_cholesky,
    d_colors,
    raw_means,
    half,
    capacity,
    channels,
    learned: tl.constexpr,
    rows: tl.constexpr,
):
    """Turn the sums of one Gaussian's entries into its derivatives.

    Where the Gaussians are learned ones, the derivatives are by what centers are computed from.
    """
    i = tl.program_id(0)
    begin, end = rows_of(boxes, offsets, i, capacity)
    # Of lists that outgrow their memory not every row of sums is written.
    end = tl.where(tl.load(used) <= capacity, end, begin)
    columns = 5 + channels
    g1 = gather(sums, begin, end, 0, columns, rows)
    g2 = gather(sums, begin, end, 1, columns, rows)
    g11 = gather(sums, begin, end, 2, columns, rows)
    g12 = gather(sums, begin, end, 3, columns, rows)
    g22 = gather(sums, begin, end, 4, columns, rows)
    # A Gaussian that isn't drawn has no entries, and its factors may be any numbers.
    some = end > begin
    l11 = tl.load(cholesky + 3 * i, some, 1.0)
    l21 = tl.load(cholesky + 3 * i + 1, some, 0.0)
    l22 = tl.load(cholesky + 3 * i + 2, some, 1.0)
    # L⁻¹ = [[1 / l₁₁, 0], [low, 1 / l₂₂]].
    low = -(l21 / l11) / l22
    d_x = g1 / l11 + low * g2
    d_y = g2 / l22
    if learned:
        d_x *= tl.load(half) * _tanh_slope(tl.load(raw_means + 2 * i, some, 0.0))
        d_y *= tl.load(half + 1) * _tanh_slope(tl.load(raw_means + 2 * i + 1, some, 0.0))
    tl.store(d_means + 2 * i, d_x)
    tl.store(d_means + 2 * i + 1, d_y)
    tl.store(d_cholesky + 3 * i, g11 / l11 + low * g12)
    tl.store(d_cholesky + 3 * i + 1, g12 / l22)
    tl.store(d_cholesky + 3 * i + 2, g22 / l22)
    for channel in range(channels):
        value = gather(sums, begin, end, 5 + channel, columns, rows)
        tl.store(d_colors + i * channels + channel, value)


@triton.jit
def _tanh_slope(x):
    """Return 1 − tanh²(x), without the difference that has no digits left for large x."""
    small = tl.exp(-2 * tl.abs(x))
    return 4 * small / ((1 + small) * (1 + small))


def sum_entries(batch: Batch, lists: TileLists, image_gradient: Tensor, sums: Tensor) -> None:
    """Write the sums of every entry, (E, 5 + C), given the derivatives by the picture."""
    if batch.tiles == 0:
        return
    _sum_entries[(batch.tiles,)](
        lists.spans,
        lists.owners,
        lists.entries,
        lists.forms,
        batch.colors[lists.first :],
        image_gradient,
        sums,
        lists.capacity,
        batch.channels,
        batch.height,
        batch.width,
        batch.tiles_x,
        batch.tiles_y,
        batch.q_max,
        known=batch.channels if batch.channels <= KNOWN else 0,
        tile=TILE,
        step=STEP,
        num_warps=WARPS,
    )


def differentiate(
    batch: Batch,
    lists: TileLists,
    sums: Tensor,
    results: tuple[Tensor, Tensor, Tensor],  # as the Gaussians: means, Cholesky factors, colors
) -> None:
    """Turn the sums of entries into the derivatives by their Gaussians."""
    if lists.count == 0:
        return
    first, learned = lists.first, batch.learned
    _differentiate[(lists.count,)](
        lists.boxes,
        lists.offsets,
        lists.used,
        sums,
        batch.cholesky[first:],
        *(t[first:] for t in results),
        sums if learned is None else learned.means[first:],
        sums if learned is None else learned.reach,
        len(sums),
        batch.channels,
        learned=learned is not None,
        rows=ROWS,
        num_warps=1,
    )


def gradient(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    image_gradient: Tensor,
    q_max: float,
    kept: TileLists | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the derivatives of (B, N, 2), (B, N, 3) and (B, N, C), given those of the picture.

    `kept` are the lists that the same picture was drawn from; by default they are made.
    """
    _, height, width, _ = image_gradient.shape
    batch = Batch.flatten(means, cholesky, colors, (height, width), q_max)
    d_means, d_cholesky, d_colors = batch_gradient(batch, image_gradient, kept)
    return d_means.view(means.shape), d_cholesky.view(cholesky.shape), d_colors.view(colors.shape)


def batch_gradient(
    batch: Batch, image_gradient: Tensor, kept: TileLists | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the derivatives by a batch's Gaussians, (B N, …); by what is learned, if that is so.

    `kept` are the lists that the batch was drawn from; by default they are made.
    """
    image_gradient = image_gradient.contiguous()
    d_means, d_cholesky, d_colors = (
        torch.empty_like(t) for t in (batch.means, batch.cholesky, batch.colors)
    )
    for lists in prepare_lists(batch) if kept is None else [kept]:
        sums = batch.colors.new_empty((lists.capacity, 5 + batch.channels))
        sum_entries(batch, lists, image_gradient, sums)
        differentiate(batch, lists, sums, (d_means, d_cholesky, d_colors))
    return d_means, d_cholesky, d_colors
