"""Which Gaussians touch which tiles of a picture, in drawing order and in batches of tiles."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

TILE = 8  # pixels a side
PIXELS = TILE * TILE

# A Gaussian is not drawn if a diagonal entry of its Cholesky factor is below the first, in pixels,
# or any of its lengths is beyond the second.
_SHORTEST, _FARTHEST = 1e-6, 1e6

# Numbers in one buffer of [Gaussian][tile][pixel]: few enough for the caches, and enough that the
# overhead of PyTorch's calls is small.
_BUFFER = 2**18

# Pairs of tile and Gaussian that are sorted at once.
_PAIRS = 2**21

# The logarithm of an opacity whose exponential is zero; an infinity would give NaN in products.
_NOTHING = -1e4


class VisibleGaussians(NamedTuple):
    """The Gaussians that may be seen, in drawing order, and last one that draws nothing."""

    source: Tensor  # (M,), the index of each in the input
    means: Tensor  # (M + 1, 2), px
    factors: Tensor  # (M + 1, 3): 1 / l₁₁, 1 / l₂₂ and l₂₁ / l₂₂
    log_opacities: Tensor  # (M + 1,)
    reach: Tensor  # (M,), the largest exponent q that is drawn
    first: Tensor  # (M, 2), the first column and row of tiles that a Gaussian may touch
    last: Tensor  # (M, 2), the last of them


class Whitening(NamedTuple):
    """z = L⁻¹ (p − μ) at the distance (X, Y) from a tile's center: (a + b X, e + f Y + g X)."""

    a: Tensor
    b: Tensor
    e: Tensor
    f: Tensor
    g: Tensor


class TileBatch(NamedTuple):
    """T tiles with lists of K Gaussians each, front to back; the last ones may draw nothing."""

    tiles: Tensor  # (T,), numbered row by row
    rows: Tensor  # (K, T), of `VisibleGaussians`
    whitening: Whitening  # five tensors (K, T)
    log_opacities: Tensor  # (K, T)


def select_visible(
    means: Tensor,
    cholesky: Tensor,
    opacities: Tensor,
    depths: Tensor | None,
    size: tuple[int, int],
    least_alpha: float,
) -> VisibleGaussians:
    """Select and sort the Gaussians that may be seen.

    Parameters
    ----------
    means : Tensor, (N, 2)
    cholesky : Tensor, (N, 3)
        Factors of any sign.
    opacities : Tensor, (N,)
    depths : Tensor, (N,), optional
        The smallest comes first; Gaussians of equal depth stay in order.
    size : (int, int)
        Height and width of the picture in pixels.
    least_alpha : float
        The opacity times falloff at which each Gaussian is cut off.
    """
    l11, l21, l22 = cholesky.unbind(1)
    reach = opacities.log() - torch.log(opacities.new_tensor(least_alpha))
    extent = torch.stack([l11.abs(), torch.hypot(l21, l22)], 1) * (2 * reach)[:, None].sqrt()
    limit = means.new_tensor([size[1], size[0]])
    # Pixel centers lie at +½. The interval has half a pixel to spare, for rounding.
    low, high = (means - extent - 1).clamp_min(0), torch.minimum(means + extent, limit - 0.5)
    seen = (low < limit) & (high >= 0) & (means.abs() < _FARTHEST)
    # NaN fails all of these comparisons.
    seen = seen.all(1) & (reach > 0) & reach.isfinite() & (cholesky.abs() < _FARTHEST).all(1)
    seen &= (l11.abs() > _SHORTEST) & (l22.abs() > _SHORTEST)
    if depths is None:
        source = seen.nonzero()[:, 0]
    else:
        seen &= depths.isfinite()
        source = seen.nonzero()[:, 0]
        source = source[depths[source].argsort(stable=True)]
    l11, l21, l22 = cholesky[source].unbind(1)
    return VisibleGaussians(
        source=source,
        means=pad(means[source], [0, 0, 0, 1]),
        factors=pad(torch.stack([1 / l11, 1 / l22, l21 / l22], 1), [0, 0, 0, 1]),
        log_opacities=pad(opacities[source].log(), [0, 1], value=_NOTHING),
        reach=reach[source],
        first=low[source].long() // TILE,
        last=high[source].long() // TILE,
    )


def tile_batches(visible: VisibleGaussians, size: tuple[int, int]) -> Iterator[TileBatch]:
    """Yield all tiles that Gaussians touch, in batches of bounded memory."""
    across = -(-size[1] // TILE)
    for top, bottom in _bands(visible, -(-size[0] // TILE)):
        rows, tiles = _pairs(visible, top, bottom, across)
        tiles, order = tiles.sort(stable=True)
        rows = rows[order]
        numbers, counts = torch.unique_consecutive(tiles, return_counts=True)
        starts = counts.cumsum(0) - counts
        # Tiles with about the same number of Gaussians go together, so that little is wasted.
        counts, order = counts.sort(descending=True, stable=True)
        numbers, starts = numbers[order], starts[order]
        lengths: list[int] = counts.tolist()
        begin = 0
        while begin < len(lengths):
            deep = lengths[begin]
            end = begin + max(1, _BUFFER // (deep * PIXELS))
            part = slice(begin, end)
            place = torch.arange(deep, device=rows.device)[:, None]
            there = place < counts[part]
            chosen = rows[(starts[part] + place).clamp_max(len(rows) - 1)]
            chosen = torch.where(there, chosen, len(visible.source))
            yield _batch(visible, chosen, numbers[part], across)
            begin = end


def tiled(picture: Tensor) -> Tensor:
    """Cut a picture, (H, W, C), into tiles, (tiles, C, TILE²), zero beyond its edges."""
    height, width, channels = picture.shape
    padded = pad(picture, [0, 0, 0, -width % TILE, 0, -height % TILE])
    blocks = padded.view(padded.shape[0] // TILE, TILE, padded.shape[1] // TILE, TILE, channels)
    return blocks.permute(0, 2, 4, 1, 3).reshape(-1, channels, PIXELS)


def untiled(tiles: Tensor, size: tuple[int, int]) -> Tensor:
    """Put a picture, (H, W, C), together from its tiles."""
    height, width = size
    down, across = -(-height // TILE), -(-width // TILE)
    blocks = tiles.view(down, across, -1, TILE, TILE).permute(0, 3, 1, 4, 2)
    return blocks.reshape(down * TILE, across * TILE, -1)[:height, :width]


def _bands(visible: VisibleGaussians, down: int) -> Iterator[tuple[int, int]]:
    """Cut the rows of tiles into bands of a bounded number of pairs; yield top and end of each."""
    wide = (visible.last - visible.first + 1)[:, 0]
    change = torch.zeros(down + 1, dtype=torch.long, device=wide.device)
    change.index_add_(0, visible.first[:, 1], wide)
    change.index_add_(0, visible.last[:, 1] + 1, -wide)
    top, pairs = 0, 0
    for row, more in enumerate(change.cumsum(0).tolist()[:down]):
        if pairs and pairs + more > _PAIRS:
            yield top, row
            top, pairs = row, 0
        pairs += more
    if pairs:
        yield top, down


def _pairs(visible: VisibleGaussians, top: int, bottom: int, across: int) -> tuple[Tensor, Tensor]:
    """Return the pairs of a Gaussian and a tile that touch in a band, in drawing order."""
    (left, up), (right, low) = visible.first.unbind(1), visible.last.unbind(1)
    up, low = up.clamp_min(top), low.clamp_max(bottom - 1)
    wide = right - left + 1
    counts = wide * (low - up + 1).clamp_min(0)
    rows = torch.repeat_interleave(counts)
    place = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    down = place // wide[rows]
    y = up[rows] + down
    x = left[rows] + place - down * wide[rows]
    touching = _touches(visible, rows, x, y)
    return rows[touching], (y * across + x)[touching]


def _touches(visible: VisibleGaussians, rows: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Tell whether a Gaussian's ellipse meets the pixel centers' square of a tile.

    With u = (x − μ₁) / l₁₁, v = (y − μ₂) / l₂₂ and k = l₂₁ / l₂₂ the exponent is
    ½ (u² + (v − k u)²). It is convex, so its least value over a rectangle in u and v is found first
    in v for a given u and then in u.
    """
    i11, i22, k = visible.factors[rows].unbind(1)
    mean_x, mean_y = visible.means[rows].unbind(1)
    u1 = (x * TILE + 0.5 - mean_x) * i11
    v1 = (y * TILE + 0.5 - mean_y) * i22
    u2, v2 = u1 + (TILE - 1) * i11, v1 + (TILE - 1) * i22
    u1, u2 = torch.minimum(u1, u2), torch.maximum(u1, u2)
    v1, v2 = torch.minimum(v1, v2), torch.maximum(v1, v2)
    nearest = v1.clamp_min(0) + v2.clamp_max(0)  # to v = 0; at most one of them is not zero
    u = (k * nearest / (1 + k * k)).clamp(u1, u2)
    v = (k * u).clamp(v1, v2)
    least = (u * u + (v - k * u) ** 2) / 2
    return least <= visible.reach[rows] * 1.001 + 1e-3


def _batch(visible: VisibleGaussians, rows: Tensor, tiles: Tensor, across: int) -> TileBatch:
    i11, i22, k = visible.factors[rows].unbind(-1)
    mean_x, mean_y = visible.means[rows].unbind(-1)
    a = (tiles % across * TILE + TILE / 2 - mean_x) * i11
    e = (tiles // across * TILE + TILE / 2 - mean_y) * i22 - k * a
    whitening = Whitening(a=a, b=i11, e=e, f=i22, g=-k * i11)
    return TileBatch(tiles, rows, whitening, visible.log_opacities[rows])
