"""What the steps of a fit on a GPU share: the tensors they change, and the parts of their kernels.

A gradient is taken with respect to a change of the Gaussian in its own frame, μ + L m and L (I + Δ)
with Δ lower triangular. The derivatives are therefore the sums of its entries themselves, and every
step is relative to the Gaussian's size and shape. Columns are x, y, the three of Δ, and the
channels.
"""

from dataclasses import dataclass
from typing import Any

from gaussianimage.torch.cuda import require_triton  # noqa: F401  # isort: skip
import triton
import triton.language as tl
from torch import Tensor

from gaussianimage.torch.cuda.batch import Batch, TileLists

PI = tl.constexpr(3.141592653589793)
# Standard deviations stay between a fraction of a pixel and many pictures.
LEAST_SIGMA = tl.constexpr(0.2)
MOST_SIGMA = tl.constexpr(1e5)
# A gradient's square must fit a float.
MOST_GRADIENT = tl.constexpr(1e15)

ROWS = 32
TOTAL_BLOCK = 1024


@dataclass(frozen=True)
class FitTensors:
    """The tensors that a step reads and changes besides the Gaussians."""

    first: Tensor  # (N, 5 + C) float32: Adam's first moments, or velocities
    second: Tensor  # (N, 5 + C) float32: Adam's second moments, or overlaps
    age: Tensor  # (N,) int32: steps taken
    trainable: Tensor  # (N,) uint8: 1 position, 2 shape, 4 color
    rates: Tensor  # (K, 3) float32: step sizes of each iteration
    losses: Tensor  # (K,) float64: the loss before each iteration
    iteration: Tensor  # (1,) int32: the row of `rates` and `losses` to use
    peak: Tensor  # (1,) int64: the most entries that an iteration has had


@triton.jit
def sum_rows(sums, begin, end, column, width, columns: tl.constexpr, rows: tl.constexpr):
    """Return the gradient of a Gaussian: the sum of its entries' rows."""
    lane = tl.arange(0, rows)
    total = tl.zeros((rows, columns), tl.float32)
    for row in range(begin, end, rows):
        at = (row + lane)[:, None] * width + column[None, :]
        mask = ((row + lane) < end)[:, None] & (column < width)[None, :]
        total += tl.load(sums + at, mask, 0.0)
    return tl.sum(total, axis=0)


@triton.jit
def move(means, cholesky, i, may, step, column):
    """Move the position and the shape of Gaussian i, as far as they may; return l₁₁ l₂₂."""
    l11 = tl.load(cholesky + 3 * i)
    l21 = tl.load(cholesky + 3 * i + 1)
    l22 = tl.load(cholesky + 3 * i + 2)
    s0 = tl.sum(tl.where(column == 0, step, 0.0))
    s1 = tl.sum(tl.where(column == 1, step, 0.0))
    s2 = tl.sum(tl.where(column == 2, step, 0.0))
    s3 = tl.sum(tl.where(column == 3, step, 0.0))
    s4 = tl.sum(tl.where(column == 4, step, 0.0))
    if (may & 1) != 0:
        y = tl.load(means + 2 * i + 1) + l21 * s0 + l22 * s1
        tl.store(means + 2 * i, tl.load(means + 2 * i) + l11 * s0)
        tl.store(means + 2 * i + 1, y)
    if (may & 2) != 0:
        low = _between(l21 + l21 * s2 + l22 * s3, -MOST_SIGMA, MOST_SIGMA)
        l11 = _between(l11 * tl.exp(s2), LEAST_SIGMA, MOST_SIGMA)
        l22 = _between(l22 * tl.exp(s4), LEAST_SIGMA, MOST_SIGMA)
        tl.store(cholesky + 3 * i, l11)
        tl.store(cholesky + 3 * i + 1, low)
        tl.store(cholesky + 3 * i + 2, l22)
    return l11 * l22


@triton.jit
def _between(value, least, most):
    return tl.minimum(tl.maximum(value, least), most)


@triton.jit(do_not_specialize=["tiles"])
def _finish(used, tile_losses, losses, iteration, peak, tiles, block: tl.constexpr):
    """Record the loss of the iteration and the number of its entries, and count it."""
    total = tl.zeros((block,), tl.float64)
    for first in range(0, tiles, block):
        i = first + tl.arange(0, block)
        total += tl.load(tile_losses + i, i < tiles, 0.0).to(tl.float64)
    now = tl.load(iteration)
    tl.store(losses + now, tl.sum(total))
    tl.store(iteration, now + 1)
    tl.store(peak, tl.maximum(tl.load(peak), tl.load(used)))


def move_all(
    step: Any,
    batch: Batch,
    lists: TileLists,
    sums: Tensor,
    tile_losses: Tensor,
    tensors: FitTensors,
    *numbers: float,
) -> None:
    """Launch a kernel that moves one Gaussian for each of them, and count the iteration.

    `numbers` are what the kernel takes after its tensors, the capacity and the channels.
    """
    if batch.count:
        step[(batch.count,)](
            lists.boxes,
            lists.offsets,
            sums,
            batch.means,
            batch.cholesky,
            batch.colors,
            tensors.first,
            tensors.second,
            tensors.age,
            tensors.trainable,
            tensors.rates,
            tensors.iteration,
            len(sums),
            batch.channels,
            *numbers,
            columns=triton.next_power_of_2(5 + batch.channels),
            rows=ROWS,
            num_warps=1,
        )
    _finish[(1,)](
        lists.used,
        tile_losses,
        tensors.losses,
        tensors.iteration,
        tensors.peak,
        tile_losses.numel(),
        block=TOTAL_BLOCK,
    )
