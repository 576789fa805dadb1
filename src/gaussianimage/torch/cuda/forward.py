"""Drawing: every tile adds up the Gaussians of its list.

Cost per pixel-Gaussian pair: one exponential, a dozen multiplications and additions, and one of
each per channel. Entries are taken several at a time, so that their loads overlap.
"""

import triton
import triton.language as tl
from torch import Tensor

from gaussianimage.torch.cuda.batch import TILE, Lists, Scene
from gaussianimage.torch.cuda.tile_lists import lists_of

# Entries that a tile looks at together, and warps that share its pixels.
STEP = 8
WARPS = 4
# Channels that are drawn together, in registers; more take several programs.
GROUP = 4


@triton.jit
def footprints(corners, cholesky, entry, owner, some, q_max, tile: tl.constexpr):
    """Return z₁, z₂ and the weights of a tile's P pixels for some entries, (E, P).

    With d = p − μ, z = L⁻¹ d is (dx / l₁₁, u / l₂₂), u = dy − dx l₂₁ / l₁₁, and q = ½ zᵀ z: a sum
    of squares, so nothing cancels however thin the ellipse is. `some` masks the entries.
    """
    pixel = tl.arange(0, tile * tile)
    column = (pixel % tile).to(tl.float32)[None, :]
    row = (pixel // tile).to(tl.float32)[None, :]
    dx = tl.load(corners + 2 * entry, some, 0.0)[:, None]
    u = tl.load(corners + 2 * entry + 1, some, 0.0)[:, None]
    l11 = tl.load(cholesky + 3 * owner, some, 1.0)
    l21 = tl.load(cholesky + 3 * owner + 1, some, 0.0)
    l22 = tl.load(cholesky + 3 * owner + 2, some, 1.0)
    z1 = (dx + column) * (1.0 / l11)[:, None]
    z2 = (u + row - column * (l21 / l11)[:, None]) * (1.0 / l22)[:, None]
    q = 0.5 * (z1 * z1 + z2 * z2)
    weight = tl.where((q <= q_max) & some[:, None], tl.exp(-q), 0.0)
    return z1, z2, weight


@triton.jit
def tile_pixels(index, height, width, tiles_x, tiles_y, tile: tl.constexpr):
    """Return a tile's pixels, as numbered through all pictures, and which of them exist."""
    pixel = tl.arange(0, tile * tile)
    column = index % tiles_x * tile + pixel % tile
    rows = index // tiles_x
    row = rows % tiles_y * tile + pixel // tile
    inside = (column < width) & (row < height)
    return (rows // tiles_y * height + row) * width + column, inside


@triton.jit(do_not_specialize=["channels", "height", "width", "tiles_x", "tiles_y"])
def _draw(
    corners,
    owners,
    order,
    starts,
    cholesky,
    colors,
    image,
    target,
    losses,
    channels,
    height,
    width,
    tiles_x,
    tiles_y,
    q_max,
    mode: tl.constexpr,
    group: tl.constexpr,
    tile: tl.constexpr,
    step: tl.constexpr,
):
    """Draw one tile in up to four channels.

    Mode 0 writes the picture I and mode 1 adds to it. Mode 2 writes I − T, and half the sum of its
    squares into `losses`.
    """
    index = tl.program_id(0)
    channel = tl.program_id(1) * group
    a0 = tl.zeros((tile * tile,), tl.float32)
    a1 = tl.zeros((tile * tile,), tl.float32)
    a2 = tl.zeros((tile * tile,), tl.float32)
    a3 = tl.zeros((tile * tile,), tl.float32)
    end = tl.load(starts + index + 1)
    for begin in range(tl.load(starts + index), end, step):
        i = begin + tl.arange(0, step)
        some = i < end
        entry = tl.load(order + i, some, 0)
        owner = tl.load(owners + entry, some, 0)
        _, _, weight = footprints(corners, cholesky, entry, owner, some, q_max, tile)
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
    loss = _put(a0, image + at, target + at, inside, mode)
    if group > 1:
        loss += _put(a1, image + at + 1, target + at + 1, inside & (channel + 1 < channels), mode)
    if group > 2:
        loss += _put(a2, image + at + 2, target + at + 2, inside & (channel + 2 < channels), mode)
    if group > 3:
        loss += _put(a3, image + at + 3, target + at + 3, inside & (channel + 3 < channels), mode)
    if mode == 2:
        tl.store(losses + index * tl.num_programs(1) + tl.program_id(1), 0.5 * tl.sum(loss))


@triton.jit
def _put(value, image, target, inside, mode: tl.constexpr):
    """Write one channel of a tile; return the squares of what was written."""
    if mode == 1:
        value += tl.load(image, inside, 0.0)
    if mode == 2:
        value -= tl.load(target, inside, 0.0)
    tl.store(image, value, inside)
    return tl.where(inside, value * value, 0.0)


def draw(
    scene: Scene,
    lists: Lists,
    image: Tensor,  # (B, height, width, C)
    *,
    add: bool = False,
    target: Tensor | None = None,  # as image
    losses: Tensor | None = None,  # (tiles, groups of channels)
) -> None:
    """Write a picture, add to one, or write the difference to a target and the loss per tile."""
    groups = triton.cdiv(scene.channels, GROUP)
    if scene.tiles == 0:
        return
    _draw[(scene.tiles, groups)](
        lists.corners,
        lists.owners,
        lists.order,
        lists.starts,
        scene.cholesky[lists.first :],
        scene.colors[lists.first :],
        image,
        image if target is None else target,
        image if losses is None else losses,
        scene.channels,
        scene.height,
        scene.width,
        scene.tiles_x,
        scene.tiles_y,
        scene.q_max,
        mode=2 if target is not None else 1 if add else 0,
        group=min(scene.channels, GROUP),
        tile=TILE,
        step=STEP,
        num_warps=WARPS,
    )


def render(
    means: Tensor, cholesky: Tensor, colors: Tensor, height: int, width: int, q_max: float
) -> Tensor:
    """Draw (B, N, 2), (B, N, 3) and (B, N, C) as (B, height, width, C)."""
    scene = Scene.of(means, cholesky, colors, (height, width), q_max)
    image = colors.new_empty((scene.batch, height, width, scene.channels))
    for part, lists in enumerate(lists_of(scene)):
        draw(scene, lists, image, add=part > 0)
    return image
