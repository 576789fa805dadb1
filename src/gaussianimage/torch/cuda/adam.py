"""One step of Adam on all Gaussians of a fit, from the sums of their entries, in one kernel.

It takes the same steps as the CPU's optimizer (native/fit/adam.cpp). The gradient is taken with
respect to a change of the Gaussian in its own frame, μ + L m and L (I + Δ) with Δ lower triangular.
The derivatives are therefore the sums themselves, and every rate is relative to the Gaussian's size
and shape.
"""

import math
from dataclasses import dataclass

from gaussianimage.torch.cuda import require_triton  # noqa: F401  # isort: skip
import triton
import triton.language as tl
from torch import Tensor

from gaussianimage.torch.cuda.backward import rows_of
from gaussianimage.torch.cuda.batch import Batch, TileLists

DECAY1 = tl.constexpr(0.85)
DECAY2 = tl.constexpr(0.96)
LOG_DECAY1 = tl.constexpr(math.log(0.85))
LOG_DECAY2 = tl.constexpr(math.log(0.96))
EPSILON = tl.constexpr(1e-8)
PI = tl.constexpr(3.141592653589793)
# Standard deviations stay between a fraction of a pixel and many pictures.
LEAST_SIGMA = tl.constexpr(0.2)
MOST_SIGMA = tl.constexpr(1e5)

ROWS = 32
TOTAL_BLOCK = 1024


@dataclass(frozen=True)
class AdamState:
    """The tensors that a step reads and changes besides the Gaussians."""

    first: Tensor  # (N, 5 + C) float32
    second: Tensor  # (N, 5 + C) float32
    age: Tensor  # (N,) int32: steps taken
    trainable: Tensor  # (N,) uint8: 1 position, 2 shape, 4 color
    rates: Tensor  # (K, 3) float32: step sizes of each iteration for positions, shapes and colors
    losses: Tensor  # (K,) float64: the loss before each iteration
    iteration: Tensor  # (1,) int32: the row of `rates` and `losses` to use
    peak: Tensor  # (1,) int64: the most entries that an iteration has had


@triton.jit(do_not_specialize=["capacity", "channels"])
def _step(
    boxes,
    offsets,
    sums,
    means,
    cholesky,
    colors,
    first,
    second,
    age,
    trainable,
    rates,
    iteration,
    capacity,
    channels,
    energy,
    columns: tl.constexpr,
    rows: tl.constexpr,
):
    """Move one Gaussian. Columns are x, y, the three of Δ, and the channels."""
    i = tl.program_id(0)
    begin, end = rows_of(boxes, offsets, i, capacity)
    # A Gaussian that draws nothing has no gradient, and the bounds below must not make it drawable.
    if end > begin:
        width = 5 + channels
        column = tl.arange(0, columns)
        inside = column < width
        lane = tl.arange(0, rows)
        total = tl.zeros((rows, columns), tl.float32)
        for row in range(begin, end, rows):
            at = (row + lane)[:, None] * width + column[None, :]
            total += tl.load(sums + at, ((row + lane) < end)[:, None] & inside[None, :], 0.0)
        gradient = tl.sum(total, axis=0)

        is_color = inside & (column >= 5)
        color = tl.load(colors + i * channels + column - 5, is_color, 0.0)
        l11 = tl.load(cholesky + 3 * i)
        l21 = tl.load(cholesky + 3 * i + 1)
        l22 = tl.load(cholesky + 3 * i + 2)
        area = energy * PI * l11 * l22
        gradient += area * color
        diagonal = (column == 2) | (column == 4)
        gradient += tl.where(diagonal, 0.5 * area * tl.sum(color * color), 0.0)

        if tl.sum(tl.abs(gradient)) < 1e15:  # its square must fit a float
            steps = tl.load(age + i) + 1
            m = tl.load(first + i * width + column, inside, 0.0)
            v = tl.load(second + i * width + column, inside, 0.0)
            m = DECAY1 * m + (1 - DECAY1) * gradient
            v = DECAY2 * v + (1 - DECAY2) * gradient * gradient
            tl.store(first + i * width + column, m, inside)
            tl.store(second + i * width + column, v, inside)
            tl.store(age + i, steps)
            taken = steps.to(tl.float32)
            m = m / (1 - tl.exp(taken * LOG_DECAY1))
            v = v / (1 - tl.exp(taken * LOG_DECAY2))
            kind = tl.where(column < 2, 0, tl.where(column < 5, 1, 2))
            rate = tl.load(rates + 3 * tl.load(iteration) + kind)
            step = tl.where(inside, -rate * m / (tl.sqrt(v) + EPSILON), 0.0)
            if tl.sum(tl.abs(step)) < 1e6:
                may = tl.load(trainable + i).to(tl.int32)
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
                if (may & 4) != 0:
                    tl.store(colors + i * channels + column - 5, color + step, is_color)


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


def step(
    batch: Batch,
    lists: TileLists,
    sums: Tensor,  # (E, 5 + C)
    tile_losses: Tensor,
    state: AdamState,
    energy: float,
) -> None:
    """Move all Gaussians, in place, and count the iteration."""
    if batch.count:
        _step[(batch.count,)](
            lists.boxes,
            lists.offsets,
            sums,
            batch.means,
            batch.cholesky,
            batch.colors,
            state.first,
            state.second,
            state.age,
            state.trainable,
            state.rates,
            state.iteration,
            len(sums),
            batch.channels,
            energy,
            columns=triton.next_power_of_2(5 + batch.channels),
            rows=ROWS,
            num_warps=1,
        )
    _finish[(1,)](
        lists.used,
        tile_losses,
        state.losses,
        state.iteration,
        state.peak,
        tile_losses.numel(),
        block=TOTAL_BLOCK,
    )
