"""Which Gaussians touch which tiles of a picture, in drawing order and in batches of tiles."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

TILE = 8  # pixels a side
PIXELS = TILE * TILE

# A factor of the covariance below the first, or any length beyond the second, in pixels, and a
# Gaussian is not drawn.
_SHORTEST, _FARTHEST = 1e-6, 1e6

# Numbers in one buffer of [Gaussian][tile][pixel]: few enough for the caches, and enough to hide
# what a call of PyTorch costs.
_BUFFER = 2**18

# Pairs of tile and Gaussian that are sorted at once.
_PAIRS = 2**21

# The logarithm of an opacity whose exponential is zero, without the traps of an infinity.
_NOTHING = -1e4


class Table(NamedTuple):
    """The Gaussians that can be seen, in drawing order; one that draws nothing comes last."""

    source: Tensor  # (M,), where each of them came from
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
    """T tiles with up to K Gaussians each, front to back; missing ones draw nothing."""

    tiles: Tensor  # (T,), numbered row by row
    rows: Tensor  # (K, T), of the table
    whitening: Whitening  # five tensors (K, T)
    log_opacities: Tensor  # (K, T)


def make_table(
    means: Tensor,
    cholesky: Tensor,
    opacities: Tensor,
    depths: Tensor | None,
    size: tuple[int, int],
    least_alpha: float,
) -> Table:
    """Select and sort what can be seen of N Gaussians.

    Parameters
    ----------
    means : Tensor, (N, 2)
    cholesky : Tensor, (N, 3)
        Of any sign.
    opacities : Tensor, (N,)
    depths : Tensor, (N,), optional
        The smallest comes first; equal ones stay in order.
    size : (int, int)
        Height and width of the picture in pixels.
    least_alpha : float
        Where each Gaussian, opacity times falloff, is cut off.
    """
    l11, l21, l22 = cholesky.unbind(1)
    reach = opacities.log() - torch.log(opacities.new_tensor(least_alpha))
    extent = torch.stack([l11.abs(), torch.hypot(l21, l22)], 1) * (2 * reach)[:, None].sqrt()
    limit = means.new_tensor([size[1], size[0]])
    # Pixel centers lie at +½; half a pixel more than needed costs little and forgives rounding.
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
    return Table(
        source=source,
        means=pad(means[source], [0, 0, 0, 1]),
        factors=pad(torch.stack([1 / l11, 1 / l22, l21 / l22], 1), [0, 0, 0, 1]),
        log_opacities=pad(opacities[source].log(), [0, 1], value=_NOTHING),
        reach=reach[source],
        first=low[source].long() // TILE,
        last=high[source].long() // TILE,
    )


def tile_batches(table: Table, size: tuple[int, int]) -> Iterator[TileBatch]:
    """Yield all tiles that a Gaussian touches, in batches of bounded memory."""
    across = -(-size[1] // TILE)
    for top, bottom in _bands(table, -(-size[0] // TILE)):
        rows, tiles = _pairs(table, top, bottom, across)
        tiles, order = tiles.sort(stable=True)
        rows = rows[order]
        numbers, counts = torch.unique_consecutive(tiles, return_counts=True)
        starts = counts.cumsum(0) - counts
        # Tiles with about as many Gaussians each go together, so that little is missing.
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
            chosen = torch.where(there, chosen, len(table.source))
            yield _batch(table, chosen, numbers[part], across)
            begin = end


def tiled(picture: Tensor) -> Tensor:
    """Cut a picture, (H, W, C), into tiles, (tiles, C, TILE²), beyond its edges zero."""
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


def _bands(table: Table, down: int) -> Iterator[tuple[int, int]]:
    """Cut the rows of tiles into bands of few enough pairs: from `top` to before `bottom`."""
    wide = (table.last - table.first + 1)[:, 0]
    change = torch.zeros(down + 1, dtype=torch.long, device=wide.device)
    change.index_add_(0, table.first[:, 1], wide)
    change.index_add_(0, table.last[:, 1] + 1, -wide)
    top, pairs = 0, 0
    for row, more in enumerate(change.cumsum(0).tolist()[:down]):
        if pairs and pairs + more > _PAIRS:
            yield top, row
            top, pairs = row, 0
        pairs += more
    if pairs:
        yield top, down


def _pairs(table: Table, top: int, bottom: int, across: int) -> tuple[Tensor, Tensor]:
    """Return the rows of the table and the tiles that touch in a band, by rows of the table."""
    (left, up), (right, low) = table.first.unbind(1), table.last.unbind(1)
    up, low = up.clamp_min(top), low.clamp_max(bottom - 1)
    wide = right - left + 1
    counts = wide * (low - up + 1).clamp_min(0)
    rows = torch.repeat_interleave(counts)
    place = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    down = place // wide[rows]
    y = up[rows] + down
    x = left[rows] + place - down * wide[rows]
    touching = _touches(table, rows, x, y)
    return rows[touching], (y * across + x)[touching]


def _touches(table: Table, rows: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Tell whether a Gaussian's ellipse meets the pixel centers' square of a tile.

    With u = (x − μ₁) / l₁₁, v = (y − μ₂) / l₂₂ and k = l₂₁ / l₂₂ the exponent is
    ½ (u² + (v − k u)²), whose least value over a rectangle in u and v is found in turn: of v for
    given u, and of u, for the rest is convex.
    """
    i11, i22, k = table.factors[rows].unbind(1)
    mean_x, mean_y = table.means[rows].unbind(1)
    u1 = (x * TILE + 0.5 - mean_x) * i11
    v1 = (y * TILE + 0.5 - mean_y) * i22
    u2, v2 = u1 + (TILE - 1) * i11, v1 + (TILE - 1) * i22
    u1, u2 = torch.minimum(u1, u2), torch.maximum(u1, u2)
    v1, v2 = torch.minimum(v1, v2), torch.maximum(v1, v2)
    nearest = v1.clamp_min(0) + v2.clamp_max(0)  # to v = 0; at most one of them is not zero
    u = (k * nearest / (1 + k * k)).clamp(u1, u2)
    v = (k * u).clamp(v1, v2)
    least = (u * u + (v - k * u) ** 2) / 2
    return least <= table.reach[rows] * 1.001 + 1e-3


def _batch(table: Table, rows: Tensor, tiles: Tensor, across: int) -> TileBatch:
    i11, i22, k = table.factors[rows].unbind(-1)
    mean_x, mean_y = table.means[rows].unbind(-1)
    a = (tiles % across * TILE + TILE / 2 - mean_x) * i11
    e = (tiles // across * TILE + TILE / 2 - mean_y) * i22 - k * a
    whitening = Whitening(a=a, b=i11, e=e, f=i22, g=-k * i11)
    return TileBatch(tiles, rows, whitening, table.log_opacities[rows])
