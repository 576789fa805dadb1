"""The entries, one for each Gaussian and tile that it touches, and each tile's list of them."""

from collections.abc import Iterator

import torch

from gaussianimage.torch.cuda import require_triton  # noqa: F401  # isort: skip
import triton
import triton.language as tl
from torch import Tensor

from gaussianimage.torch.cuda.batch import TILE, Batch, TileLists
from gaussianimage.torch.cuda.workspace import find_workspace

BLOCK = 128
# Bytes that the tables of entries may take; more entries are drawn in several parts.
MOST_BYTES = 2**30


# `do_not_specialize`: compiled once, not again for each number that is 1 or a multiple of 16.
@triton.jit(do_not_specialize=["count", "channels", "tiles_x", "tiles_y"])
def _measure(
    means,
    cholesky,
    colors,
    boxes,
    counts,
    count,
    channels,
    tiles_x,
    tiles_y,
    reach,
    tile: tl.constexpr,
    block: tl.constexpr,
):
    """Write each Gaussian's box of tiles (left, top, width) and their number to counts[1 + i].

    A Gaussian that isn't drawable has no tiles. The box is a little larger than the ellipse's,
    because drawing tests every pixel anyway.
    """
    i = tl.program_id(0) * block + tl.arange(0, block)
    inside = i < count
    x = tl.load(means + 2 * i, inside, 0.0)
    y = tl.load(means + 2 * i + 1, inside, 0.0)
    l11 = tl.load(cholesky + 3 * i, inside, 0.0)
    l21 = tl.load(cholesky + 3 * i + 1, inside, 0.0)
    l22 = tl.load(cholesky + 3 * i + 2, inside, 0.0)
    total = tl.zeros((block,), tl.float32)
    for channel in range(channels):
        total += tl.abs(tl.load(colors + i * channels + channel, inside, 0.0))
    # The bounds of `Gaussians.drawable`; every comparison with a NaN is false.
    fine = (tl.abs(x) < 1e12) & (tl.abs(y) < 1e12) & (tl.abs(l21) < 1e12) & (total < 1e30)
    fine &= (tl.abs(l11) > 1e-6) & (tl.abs(l11) < 1e12)
    fine &= (tl.abs(l22) > 1e-6) & (tl.abs(l22) < 1e12)
    x = tl.where(fine, x, 0.0)
    y = tl.where(fine, y, 0.0)
    l11 = tl.where(fine, l11, 0.0)
    l21 = tl.where(fine, l21, 0.0)
    l22 = tl.where(fine, l22, 0.0)
    across = reach * tl.abs(l11)
    down = reach * tl.sqrt(l21 * l21 + l22 * l22)
    left, right = _touched(x, across, tiles_x, tile)
    top, bottom = _touched(y, down, tiles_y, tile)
    tl.store(boxes + 3 * i, left, inside)
    tl.store(boxes + 3 * i + 1, top, inside)
    tl.store(boxes + 3 * i + 2, right - left, inside)
    tl.store(counts + 1 + i, tl.where(fine, (right - left) * (bottom - top), 0), inside)
    tl.store(counts + i, tl.zeros((block,), tl.int32), i == 0)


@triton.jit
def _touched(center, extent, tiles, tile: tl.constexpr):
    """Return the tiles from the first to before the last with a pixel center in the interval."""
    slack = 1e-3 + 1e-6 * (tl.abs(center) + extent)
    most = tiles * 1.0
    low = tl.floor((center - extent - slack - 0.5) / tile)
    high = tl.floor((center + extent + slack - 0.5) / tile) + 1.0
    low = tl.minimum(tl.maximum(low, 0.0), most)
    high = tl.maximum(tl.minimum(high, most), low)
    return low.to(tl.int32), high.to(tl.int32)


@triton.jit(
    do_not_specialize=[
        "first",
        "count",
        "per_picture",
        "tiles_x",
        "tiles_y",
        "sentinel",
        "capacity",
        "steps",
    ]
)
def _spread(
    offsets,
    boxes,
    means,
    cholesky,
    keys,
    owners,
    corners,
    first,
    count,
    per_picture,
    tiles_x,
    tiles_y,
    sentinel,
    capacity,
    steps,
    tile: tl.constexpr,
    block: tl.constexpr,
):
    """Write each entry's tile, its Gaussian, and dx and u of the tile's first pixel.

    Here u = dy − dx l₂₁ / l₁₁. Both are small differences of possibly large numbers, so they are
    computed in float64; within a tile float32 is precise enough.
    """
    entry = tl.program_id(0) * block + tl.arange(0, block)
    start = tl.load(offsets)
    valid = (entry < tl.load(offsets + count) - start) & (entry < capacity)
    # The last Gaussian that begins at or before the entry.
    low = tl.zeros((block,), tl.int32)
    high = low + count
    for _ in range(steps):
        middle = (low + high) // 2
        before = tl.load(offsets + middle) - start <= entry
        low = tl.where(before, middle, low)
        high = tl.where(before, high, middle)
    place = (entry - (tl.load(offsets + low) - start)).to(tl.int32)
    across = tl.maximum(tl.load(boxes + 3 * low + 2), 1)
    column = tl.load(boxes + 3 * low) + place % across
    row = tl.load(boxes + 3 * low + 1) + place // across
    picture = (low + first) // per_picture
    key = tl.where(valid, (picture * tiles_y + row) * tiles_x + column, sentinel)
    tl.store(keys + entry, key.to(keys.dtype.element_ty), entry < capacity)
    tl.store(owners + entry, low, valid)
    l11 = tl.load(cholesky + 3 * low, valid, 1.0).to(tl.float64)
    l21 = tl.load(cholesky + 3 * low + 1, valid, 0.0).to(tl.float64)
    dx = column * tile + 0.5 - tl.load(means + 2 * low, valid, 0.0).to(tl.float64)
    dy = row * tile + 0.5 - tl.load(means + 2 * low + 1, valid, 0.0).to(tl.float64)
    tl.store(corners + 2 * entry, dx.to(tl.float32), valid)
    tl.store(corners + 2 * entry + 1, (dy - dx * (l21 / l11)).to(tl.float32), valid)


def prepare_lists(batch: Batch) -> Iterator[TileLists]:
    """Return the lists of all Gaussians, in this thread's workspace or one that has kept them."""
    workspace = find_workspace(batch)
    return make_lists(batch) if workspace is None else iter(workspace.lists(batch, make_lists))


def make_lists(batch: Batch, capacity: int | None = None) -> Iterator[TileLists]:
    """Make the lists of all Gaussians, in several parts if there are very many entries.

    Parameters
    ----------
    batch : Batch
    capacity : int, optional
        Entries to allocate memory for. There is then one part and nothing waits for the device,
        as a CUDA graph requires; where `offsets` ends above it, entries have been left out.
    """
    count = batch.count
    boxes, offsets = _measured(batch)
    if capacity is not None:
        yield _sorted(batch, boxes, offsets, (0, count), capacity)
        return
    total = int(offsets[-1])
    most = MOST_BYTES // (48 + 4 * (5 + batch.channels))
    parts = [(0, count, total)] if total <= most else _parts(offsets.tolist(), most)
    for first, last, entries in parts:
        yield _sorted(batch, boxes, offsets, (first, last), entries)


def count_entries(batch: Batch) -> Tensor:
    """Return how many tiles each Gaussian touches, (B N,); 0 where it draws nothing."""
    _, offsets = _measured(batch)
    return offsets.diff()


def _measured(batch: Batch) -> tuple[Tensor, Tensor]:
    count = batch.count
    device = batch.means.device
    boxes = torch.empty((count, 3), dtype=torch.int32, device=device)
    counts = torch.empty(count + 1, dtype=torch.int32, device=device)
    if count:
        _measure[(triton.cdiv(count, BLOCK),)](
            batch.means,
            batch.cholesky,
            batch.colors,
            boxes,
            counts,
            count,
            batch.channels,
            batch.tiles_x,
            batch.tiles_y,
            batch.reach,
            TILE,
            BLOCK,
        )
    else:
        counts.zero_()
    offsets = torch.cumsum(counts, 0)
    return boxes, offsets


def _parts(offsets: list[int], most: int) -> Iterator[tuple[int, int, int]]:
    """Cut the Gaussians into parts of at most `most` entries, or of a single Gaussian."""
    first = 0
    for last in range(1, len(offsets)):
        if last == len(offsets) - 1 or offsets[last + 1] - offsets[first] > most:
            yield first, last, offsets[last] - offsets[first]
            first = last


def _sorted(
    batch: Batch, boxes: Tensor, offsets: Tensor, part: tuple[int, int], capacity: int
) -> TileLists:
    first, last = part
    device = offsets.device
    offsets = offsets[first : last + 1]
    # Sorting takes time in proportion to the bytes of a key.
    kind = torch.int16 if batch.tiles < 2**15 - 1 else torch.int32
    keys = torch.empty(capacity, dtype=kind, device=device)
    owners = torch.empty(capacity, dtype=torch.int32, device=device)
    corners = torch.empty((capacity, 2), dtype=torch.float32, device=device)
    if capacity and last > first:
        _spread[(triton.cdiv(capacity, BLOCK),)](
            offsets,
            boxes[first:],
            batch.means[first:],
            batch.cholesky[first:],
            keys,
            owners,
            corners,
            first,
            last - first,
            batch.per_picture,
            batch.tiles_x,
            batch.tiles_y,
            batch.tiles,
            capacity,
            (last - first - 1).bit_length(),
            TILE,
            BLOCK,
        )
    else:
        keys.fill_(batch.tiles)
    sorted_keys, order = torch.sort(keys, stable=True)
    tiles = torch.arange(batch.tiles + 1, dtype=kind, device=device)
    starts = torch.searchsorted(sorted_keys, tiles, out_int32=True)
    return TileLists(first, last - first, offsets, owners, corners, order, starts)
