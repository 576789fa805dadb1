"""The drawing kernel: every tile adds up the Gaussians of its list.

Cost per pixel-Gaussian pair: one exponential, a dozen multiplications and additions, and one of
each per channel. A tile processes several entries at a time, so that their loads overlap.
"""

from gaussianimage.torch.cuda import require_triton  # noqa: F401  # isort: skip
import triton
import triton.language as tl
from torch import Tensor

from gaussianimage.torch.cuda.batch import TILE, Batch, TileLists
from gaussianimage.torch.cuda.tile_lists import prepare_lists

# Entries that a tile processes together, and warps that share its pixels.
STEP = 4
WARPS = 1
# Channels that one program draws, in registers; more channels take several programs.
GROUP = 4


@triton.jit
def footprints(forms, i, some, q_max, tile: tl.constexpr):
    """Return z₁, z₂ and the weights of a tile's P pixels for some entries, (E, P).

    With d = p − μ, z = L⁻¹ d is (dx / l₁₁, u / l₂₂), u = dy − dx l₂₁ / l₁₁, and q = ½ zᵀ z: a sum
    of squares, so that no digits cancel for thin ellipses. On a tile, z₁ = f₀ + f₁ x and
    z₂ = f₂ + f₃ x + f₄ y, with x and y counted from its first pixel. `some` masks the entries.
    """
    pixel = tl.arange(0, tile * tile)
    x = (pixel % tile).to(tl.float32)[None, :]
    y = (pixel // tile).to(tl.float32)[None, :]
    form = forms + 5 * i
    z1 = tl.load(form, some, 0.0)[:, None] + tl.load(form + 1, some, 0.0)[:, None] * x
    z2 = tl.load(form + 2, some, 0.0)[:, None] + tl.load(form + 3, some, 0.0)[:, None] * x
    z2 += tl.load(form + 4, some, 0.0)[:, None] * y
    q = 0.5 * (z1 * z1 + z2 * z2)
    weight = tl.where((q <= q_max) & some[:, None], tl.exp(-q), 0.0)
    return z1, z2, weight


@triton.jit
def tile_pixels(index, height, width, tiles_x, tiles_y, tile: tl.constexpr):
    """Return the indices of a tile's pixels in the batch, and which are inside the picture."""
    pixel = tl.arange(0, tile * tile)
    column = index % tiles_x * tile + pixel % tile
    rows = index // tiles_x
    row = rows % tiles_y * tile + pixel // tile
    inside = (column < width) & (row < height)
    return (rows // tiles_y * height + row) * width + column, inside


@triton.jit(do_not_specialize=["channels", "height", "width", "tiles_x", "tiles_y"])
def _draw(
    spans,
    owners,
    forms,
    colors,
    image,
    target,
    weights,
    sides,
    losses,
    channels,
    height,
    width,
    tiles_x,
    tiles_y,
    q_max,
    room,
    mode: tl.constexpr,
    beyond: tl.constexpr,
    group: tl.constexpr,
    tile: tl.constexpr,
    step: tl.constexpr,
):
    """Draw one tile in up to four channels.

    Mode 0 writes the picture I and mode 1 adds to it. Mode 2 writes I − T, and ½ Σ (I − T)² to
    `losses`; mode 3 writes w (I − T) and ½ Σ w (I − T)² with the weights w. With `beyond`, I may
    exceed T by up to `room` where `sides` is 1, and fall below it where that is −1.
    """
    index = tl.program_id(0)
    channel = tl.program_id(1) * group
    a0 = tl.zeros((tile * tile,), tl.float32)
    a1 = tl.zeros((tile * tile,), tl.float32)
    a2 = tl.zeros((tile * tile,), tl.float32)
    a3 = tl.zeros((tile * tile,), tl.float32)
    end = tl.load(spans + 2 * index + 1)
    for begin in range(tl.load(spans + 2 * index), end, step):
        i = begin + tl.arange(0, step)
        some = i < end
        owner = tl.load(owners + i, some, 0)
        _, _, weight = footprints(forms, i, some, q_max, tile)
        color = colors + owner * channels + channel
        a0 += tl.sum(weight * tl.load(color, some, 0.0)[:, None], axis=0)
        if group > 1:
            here = some & (channel + 1 < channels)
            a1 += tl.sum(weight * tl.load(color + 1, here, 0.0)[:, None], axis=0)
        if group > 2:
            here = some & (channel + 2 < channels)
            a2 += tl.sum(weight * tl.load(color + 2, here, 0.0)[:, None], axis=0)
        if group > 3:
            here = some & (channel + 3 < channels)
            a3 += tl.sum(weight * tl.load(color + 3, here, 0.0)[:, None], axis=0)
    pixel, inside = tile_pixels(index, height, width, tiles_x, tiles_y, tile)
    at = pixel * channels + channel
    loss = _put(a0, image, target, weights, sides, room, at, inside, mode, beyond)
    if group > 1:
        here = inside & (channel + 1 < channels)
        loss += _put(a1, image, target, weights, sides, room, at + 1, here, mode, beyond)
    if group > 2:
        here = inside & (channel + 2 < channels)
        loss += _put(a2, image, target, weights, sides, room, at + 2, here, mode, beyond)
    if group > 3:
        here = inside & (channel + 3 < channels)
        loss += _put(a3, image, target, weights, sides, room, at + 3, here, mode, beyond)
    if mode >= 2:
        tl.store(losses + index * tl.num_programs(1) + tl.program_id(1), 0.5 * tl.sum(loss))


@triton.jit
def _put(
    value,
    image,
    target,
    weights,
    sides,
    room,
    at,
    inside,
    mode: tl.constexpr,
    beyond: tl.constexpr,
):
    """Write one channel of a tile; return its terms of twice the loss."""
    if mode == 1:
        value += tl.load(image + at, inside, 0.0)
    if mode >= 2:
        value -= tl.load(target + at, inside, 0.0)
    if beyond:
        end = room * tl.load(sides + at, inside, 0).to(tl.float32)
        value -= tl.minimum(tl.maximum(value, tl.minimum(end, 0.0)), tl.maximum(end, 0.0))
    written = value
    if mode == 3:
        written *= tl.load(weights + at, inside, 0.0)
    tl.store(image + at, written, inside)
    return tl.where(inside, written * value, 0.0)


def draw(
    batch: Batch,
    lists: TileLists,
    image: Tensor,  # (B, height, width, C)
    *,
    add: bool = False,
    target: Tensor | None = None,  # as image
    weights: Tensor | None = None,  # as image; with a target only
    ends: tuple[Tensor, float] | None = None,  # int8 as image, and room; with a target only
    losses: Tensor | None = None,  # (tiles, groups of channels)
) -> None:
    """Write a picture, add to one, or write the weighted difference to a target and the losses.

    `ends` are the sides where the drawing may exceed the target, and by how much.
    """
    groups = triton.cdiv(batch.channels, GROUP)
    if batch.tiles == 0:
        return
    _draw[(batch.tiles, groups)](
        lists.spans,
        lists.owners,
        lists.forms,
        batch.colors[lists.first :],
        image,
        image if target is None else target,
        image if weights is None else weights,
        image if ends is None else ends[0],
        image if losses is None else losses,
        batch.channels,
        batch.height,
        batch.width,
        batch.tiles_x,
        batch.tiles_y,
        batch.q_max,
        0.0 if ends is None else ends[1],
        mode=int(add) if target is None else 2 if weights is None else 3,
        beyond=ends is not None,
        group=min(batch.channels, GROUP),
        tile=TILE,
        step=STEP,
        num_warps=WARPS,
    )


def render(
    means: Tensor, cholesky: Tensor, colors: Tensor, height: int, width: int, q_max: float
) -> Tensor:
    """Draw (B, N, 2), (B, N, 3) and (B, N, C) as (B, height, width, C)."""
    return render_keeping(means, cholesky, colors, height, width, q_max)[0]


def render_keeping(
    means: Tensor, cholesky: Tensor, colors: Tensor, height: int, width: int, q_max: float
) -> tuple[Tensor, TileLists | None]:
    """Draw like `render`; return also the lists of the entries, if they fit in one part.

    The gradient of the same picture takes them instead of sorting again.
    """
    return draw_keeping(Batch.flatten(means, cholesky, colors, (height, width), q_max))


def draw_keeping(batch: Batch) -> tuple[Tensor, TileLists | None]:
    """Draw a batch, (B, height, width, C); return also its lists, if they fit in one part."""
    image = batch.colors.new_empty((batch.pictures, batch.height, batch.width, batch.channels))
    parts, last = 0, None
    for lists in prepare_lists(batch):
        draw(batch, lists, image, add=parts > 0)
        parts, last = parts + 1, lists
    return image, last if parts == 1 else None
