"""The entries, one for each Gaussian and tile that it touches, and each tile's list of them.

Lists are made in three kernels, without sorting. The first measures each Gaussian's box of tiles
and reserves numbers for its entries. The second lists the Gaussians that touch a cell of 8 x 8
tiles, and the third picks each tile's from its cell's, always in the order of the Gaussians. Each
program counts what it is going to write and reserves memory by one atomic addition.
"""

from collections.abc import Iterator

import torch

from gaussianimage.torch.cuda import require_triton  # noqa: F401  # isort: skip
import triton
import triton.language as tl
from torch import Tensor

from gaussianimage.torch.cuda.batch import TILE, Batch, TileLists
from gaussianimage.torch.cuda.workspace import find_workspace

BLOCK = 128
# Tiles a side of a cell.
CELL = 8
# Gaussians that a program looks through for one cell, and how many at a time.
CHUNK = 8192
CHUNK_BLOCK = 2048
CHUNK_WARPS = 8
# Gaussians of a cell that a row of its tiles looks at together.
LIST_BLOCK = 64
LIST_WARPS = 4
# Bytes that the tables of entries may take; more entries are drawn in several parts.
MOST_BYTES = 2**30
# Bytes of an entry but for its sums: forms, owner, number, and its share of the cells' lists.
ENTRY_BYTES = 32


# `do_not_specialize`: compiled once, not again for each number that is 1 or a multiple of 16.
@triton.jit(do_not_specialize=["count", "channels", "tiles_x", "tiles_y"])
def _measure(
    means,
    cholesky,
    colors,
    boxes,
    offsets,
    used,
    peak,
    count,
    channels,
    tiles_x,
    tiles_y,
    reach,
    raw_means,
    raw_shape,
    middle,
    half,
    added,
    has_peak: tl.constexpr,
    learned: tl.constexpr,
    tile: tl.constexpr,
    block: tl.constexpr,
):
    """Write each Gaussian's box of tiles, and where its entries start.

    A Gaussian that isn't drawable has an empty box. The box is a little larger than the ellipse's,
    because drawing tests every pixel anyway. Where the Gaussians are learned ones, their centers
    and Cholesky factors are computed first, and written too.
    """
    i = tl.program_id(0) * block + tl.arange(0, block)
    inside = i < count
    if learned:
        x = tl.load(middle) + tl.load(half) * _tanh(tl.load(raw_means + 2 * i, inside, 0.0))
        y = _tanh(tl.load(raw_means + 2 * i + 1, inside, 0.0))
        y = tl.load(middle + 1) + tl.load(half + 1) * y
        l11 = tl.load(raw_shape + 3 * i, inside, 0.0) + tl.load(added)
        l21 = tl.load(raw_shape + 3 * i + 1, inside, 0.0) + tl.load(added + 1)
        l22 = tl.load(raw_shape + 3 * i + 2, inside, 0.0) + tl.load(added + 2)
        tl.store(means + 2 * i, x, inside)
        tl.store(means + 2 * i + 1, y, inside)
        tl.store(cholesky + 3 * i, l11, inside)
        tl.store(cholesky + 3 * i + 1, l21, inside)
        tl.store(cholesky + 3 * i + 2, l22, inside)
    else:
        x = tl.load(means + 2 * i, inside, 0.0)
        y = tl.load(means + 2 * i + 1, inside, 0.0)
        l11 = tl.load(cholesky + 3 * i, inside, 0.0)
        l21 = tl.load(cholesky + 3 * i + 1, inside, 0.0)
        l22 = tl.load(cholesky + 3 * i + 2, inside, 0.0)
    strength = tl.zeros((block,), tl.float32)
    for channel in range(channels):
        strength += tl.abs(tl.load(colors + i * channels + channel, inside, 0.0))
    # The bounds of `Gaussians.drawable`; every comparison with a NaN is false.
    fine = (tl.abs(x) < 1e12) & (tl.abs(y) < 1e12) & (tl.abs(l21) < 1e12) & (strength < 1e30)
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
    wide = tl.where(fine, right - left, 0)
    high = tl.where(fine, bottom - top, 0)
    tl.store(boxes + 4 * i, left, inside)
    tl.store(boxes + 4 * i + 1, top, inside)
    tl.store(boxes + 4 * i + 2, wide, inside)
    tl.store(boxes + 4 * i + 3, high, inside)
    entries = tl.where(inside, wide * high, 0).to(tl.int64)
    total = tl.sum(entries)
    start = tl.atomic_add(used, total)
    if has_peak:  # the last of these additions ends at the number of all entries
        tl.atomic_max(peak, start + total)
    tl.store(offsets + i, start + tl.cumsum(entries, 0) - entries, inside)


@triton.jit
def _tanh(x):
    """Return tanh(x); off by some 10⁻⁷, where a center's own digits end."""
    small = tl.exp(-2 * tl.abs(x))
    size = (1 - small) / (1 + small)
    return tl.where(x < 0, -size, size)


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


@triton.jit
def _touches(boxes, i, some, left, top, side: tl.constexpr):
    """Tell which boxes of the Gaussians i touch a square of tiles."""
    x = tl.load(boxes + 4 * i, some, 0)
    y = tl.load(boxes + 4 * i + 1, some, 0)
    wide = tl.load(boxes + 4 * i + 2, some, 0)
    high = tl.load(boxes + 4 * i + 3, some, 0)
    across = (x < left + side) & (x + wide > left) & (wide > 0)
    return some & across & (y < top + side) & (y + high > top) & (high > 0)


@triton.jit(do_not_specialize=["first", "count", "per_picture", "cells_x", "cells_y", "capacity"])
def _fill_cells(
    boxes,
    members,
    parts,
    used,
    first,
    count,
    per_picture,
    cells_x,
    cells_y,
    capacity,
    cell: tl.constexpr,
    chunk: tl.constexpr,
    block: tl.constexpr,
):
    """List those of some Gaussians of a picture that touch a cell; write where the list is."""
    index = tl.program_id(0)
    left = index % cells_x * cell
    top = index // cells_x % cells_y * cell
    picture = index // cells_x // cells_y
    begin = tl.maximum(picture * per_picture - first, 0) + tl.program_id(1) * chunk
    end = tl.minimum(tl.minimum((picture + 1) * per_picture - first, count), begin + chunk)
    total = tl.full((), 0, tl.int64)
    for at in range(begin, end, block):
        i = at + tl.arange(0, block)
        total += tl.sum(_touches(boxes, i, i < end, left, top, cell).to(tl.int64))
    start = tl.atomic_add(used + 1, total)
    part = parts + 2 * (index * tl.num_programs(1) + tl.program_id(1))
    tl.store(part, tl.minimum(start, capacity).to(tl.int32))
    tl.store(part + 1, tl.minimum(start + total, capacity).to(tl.int32))
    for at in range(begin, end, block):
        i = at + tl.arange(0, block)
        found = _touches(boxes, i, i < end, left, top, cell)
        place = start + tl.cumsum(found.to(tl.int32), 0) - 1
        tl.store(members + place, i, found & (place < capacity))
        start += tl.sum(found.to(tl.int32))


@triton.jit(
    do_not_specialize=["parts_each", "tiles_x", "tiles_y", "cells_x", "cells_y", "capacity"]
)
def _fill_tiles(
    boxes,
    offsets,
    means,
    cholesky,
    members,
    parts,
    used,
    spans,
    owners,
    entries,
    forms,
    parts_each,
    tiles_x,
    tiles_y,
    cells_x,
    cells_y,
    capacity,
    tile: tl.constexpr,
    cell: tl.constexpr,
    block: tl.constexpr,
):
    """Write the lists of a row of a cell: each entry's Gaussian, its number, and z on the tile.

    The first pixel's distance from the center is a small difference of possibly large numbers, so
    it is computed in float64; within a tile float32 is precise enough.
    """
    home = tl.program_id(0) // cell
    column = home % cells_x * cell + tl.arange(0, cell)[:, None]
    rows = home // cells_x
    row = rows % cells_y * cell + tl.program_id(0) % cell
    some_tiles = (column < tiles_x) & (row < tiles_y)
    index = (rows // cells_y * tiles_y + row) * tiles_x + column
    total = tl.zeros((cell, 1), tl.int64)
    for part in range(home * parts_each, (home + 1) * parts_each):
        end = tl.load(parts + 2 * part + 1)
        for at in range(tl.load(parts + 2 * part), end, block):
            at = (at + tl.arange(0, block))[None, :]
            i = tl.load(members + at, at < end, 0)
            found = _touches(boxes, i, at < end, column, row, 1)
            total += tl.sum(found.to(tl.int64), axis=1)[:, None]
    total = tl.where(some_tiles, total, 0)
    start = tl.atomic_add(used + 2 + tl.zeros((cell, 1), tl.int32), total, some_tiles)
    tl.store(spans + 2 * index, tl.minimum(start, capacity).to(tl.int32), some_tiles)
    tl.store(spans + 2 * index + 1, tl.minimum(start + total, capacity).to(tl.int32), some_tiles)
    for part in range(home * parts_each, (home + 1) * parts_each):
        end = tl.load(parts + 2 * part + 1)
        for at in range(tl.load(parts + 2 * part), end, block):
            at = (at + tl.arange(0, block))[None, :]
            some = at < end
            i = tl.load(members + at, some, 0)
            found = _touches(boxes, i, some, column, row, 1)
            place = start + tl.cumsum(found.to(tl.int32), 1) - 1
            start += tl.sum(found.to(tl.int64), axis=1)[:, None]
            found = found & some_tiles & (place < capacity)
            wide = tl.load(boxes + 4 * i + 2, some, 0)
            inner = (row - tl.load(boxes + 4 * i + 1, some, 0)) * wide
            inner = inner + column - tl.load(boxes + 4 * i, some, 0)
            entry = tl.minimum(tl.load(offsets + i, some, 0) + inner, capacity)
            tl.store(owners + place, tl.broadcast_to(i, (cell, block)), found)
            tl.store(entries + place, entry.to(tl.int32), found)
            inverse1 = 1.0 / tl.load(cholesky + 3 * i, some, 1.0).to(tl.float64)
            inverse2 = 1.0 / tl.load(cholesky + 3 * i + 2, some, 1.0).to(tl.float64)
            slope = tl.load(cholesky + 3 * i + 1, some, 0.0).to(tl.float64) * inverse1
            dx = column * tile + 0.5 - tl.load(means + 2 * i, some, 0.0).to(tl.float64)
            dy = row * tile + 0.5 - tl.load(means + 2 * i + 1, some, 0.0).to(tl.float64)
            form = forms + 5 * place
            tl.store(form, (dx * inverse1).to(tl.float32), found)
            tl.store(form + 1, tl.broadcast_to(inverse1.to(tl.float32), (cell, block)), found)
            tl.store(form + 2, ((dy - dx * slope) * inverse2).to(tl.float32), found)
            step = (-slope * inverse2).to(tl.float32)
            tl.store(form + 3, tl.broadcast_to(step, (cell, block)), found)
            tl.store(form + 4, tl.broadcast_to(inverse2.to(tl.float32), (cell, block)), found)


def prepare_lists(batch: Batch) -> Iterator[TileLists]:
    """Return the lists of all Gaussians, in this thread's workspace or one that has kept them."""
    workspace = find_workspace(batch)
    return make_lists(batch) if workspace is None else iter(workspace.lists(batch, make_lists))


def make_lists(
    batch: Batch, capacity: int | None = None, peak: Tensor | None = None
) -> Iterator[TileLists]:
    """Make the lists of all Gaussians, in several parts if there are very many entries.

    Parameters
    ----------
    batch : Batch
    capacity : int, optional
        Entries to allocate memory for. There is then one part and nothing waits for the device,
        as a CUDA graph requires; where `used` says more, entries have been left out.
    peak : Tensor, (1,), int64, optional
        Raised to the number of entries of all parts, if it is less.
    """
    whole = (0, batch.count)
    measured = _measured(batch, whole, peak)
    if capacity is not None:
        yield _filled(batch, measured, whole, capacity)
        return
    total = int(measured[2][0])
    most = MOST_BYTES // (ENTRY_BYTES + 4 * (5 + batch.channels))
    if total <= most:
        yield _filled(batch, measured, whole, total)
        return
    for first, last, entries in _parts(_counts(measured[0]).tolist(), most):
        yield _filled(batch, _measured(batch, (first, last)), (first, last), entries)


def count_entries(batch: Batch) -> Tensor:
    """Return how many tiles each Gaussian touches, (B N,); 0 where it draws nothing."""
    return _counts(_measured(batch, (0, batch.count))[0])


def _counts(boxes: Tensor) -> Tensor:
    return boxes[:, 2] * boxes[:, 3]


def _measured(
    batch: Batch, part: tuple[int, int], peak: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the boxes and offsets of some Gaussians, and the numbers of what was reserved."""
    first, last = part
    count, device = last - first, batch.means.device
    boxes = torch.empty((count, 4), dtype=torch.int32, device=device)
    offsets = torch.empty(count, dtype=torch.int64, device=device)
    used = torch.zeros(3, dtype=torch.int64, device=device)
    if count:
        _measure[(triton.cdiv(count, BLOCK),)](
            batch.means[first:],
            batch.cholesky[first:],
            batch.colors[first:],
            boxes,
            offsets,
            used,
            used if peak is None else peak,
            count,
            batch.channels,
            batch.tiles_x,
            batch.tiles_y,
            batch.reach,
            *_learned(batch, first),
            has_peak=peak is not None,
            learned=batch.learned is not None,
            tile=TILE,
            block=BLOCK,
        )
    return boxes, offsets, used


def _learned(batch: Batch, first: int) -> tuple[Tensor, ...]:
    """Return what centers and factors are computed from; any tensors where nothing is."""
    learned = batch.learned
    if learned is None:
        return (batch.means,) * 5
    numbers = learned.middle, learned.reach, learned.offsets
    return learned.means[first:], learned.shape[first:], *numbers


def _parts(counts: list[int], most: int) -> Iterator[tuple[int, int, int]]:
    """Cut the Gaussians into parts of at most `most` entries, or of a single Gaussian."""
    first, entries = 0, 0
    for last, count in enumerate(counts):
        if last > first and entries + count > most:
            yield first, last, entries
            first, entries = last, 0
        entries += count
    yield first, len(counts), entries


def _filled(
    batch: Batch, measured: tuple[Tensor, Tensor, Tensor], part: tuple[int, int], capacity: int
) -> TileLists:
    first, last = part
    boxes, offsets, used = measured
    device = used.device

    def numbers(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=torch.int32, device=device)

    owners, entries, members = (numbers(capacity) for _ in range(3))
    forms = torch.empty((capacity, 5), dtype=torch.float32, device=device)
    spans = numbers(batch.tiles, 2)
    lists = TileLists(first, last - first, boxes, offsets, used, spans, owners, entries, forms)
    if not (capacity and lists.count and batch.tiles):
        spans.zero_()
        return lists
    cells_x, cells_y = (triton.cdiv(tiles, CELL) for tiles in (batch.tiles_x, batch.tiles_y))
    cells = batch.pictures * cells_x * cells_y
    parts_each = triton.cdiv(min(lists.count, batch.per_picture), CHUNK)
    parts = numbers(cells, parts_each, 2)
    _fill_cells[(cells, parts_each)](
        boxes,
        members,
        parts,
        used,
        first,
        lists.count,
        batch.per_picture,
        cells_x,
        cells_y,
        capacity,
        cell=CELL,
        chunk=CHUNK,
        block=CHUNK_BLOCK,
        num_warps=CHUNK_WARPS,
    )
    _fill_tiles[(cells * CELL,)](
        boxes,
        offsets,
        batch.means[first:],
        batch.cholesky[first:],
        members,
        parts,
        used,
        spans,
        owners,
        entries,
        forms,
        parts_each,
        batch.tiles_x,
        batch.tiles_y,
        cells_x,
        cells_y,
        capacity,
        tile=TILE,
        cell=CELL,
        block=LIST_BLOCK,
        num_warps=LIST_WARPS,
    )
    return lists
