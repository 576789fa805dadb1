"""One step of Adam on all Gaussians of a fit, in one kernel.

It takes the same steps as the CPU's optimizer (native/fit/adam.cpp).
"""

import math

from gaussianimage.torch.cuda import require_triton  # noqa: F401  # isort: skip
import triton
import triton.language as tl
from torch import Tensor

from gaussianimage.torch.cuda.backward import rows_of
from gaussianimage.torch.cuda.batch import Batch, TileLists
from gaussianimage.torch.cuda.fit_step import (
    MOST_GRADIENT,
    PI,
    FitTensors,
    move,
    move_all,
    sum_rows,
)

DECAY1 = tl.constexpr(0.85)
DECAY2 = tl.constexpr(0.96)
LOG_DECAY1 = tl.constexpr(math.log(0.85))
LOG_DECAY2 = tl.constexpr(math.log(0.96))
EPSILON = tl.constexpr(1e-8)


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
    """Move one Gaussian."""
    i = tl.program_id(0)
    begin, end = rows_of(boxes, offsets, i, capacity)
    # A Gaussian that draws nothing has no gradient, and the bounds of its shape must not make it
    # drawable.
    if end > begin:
        width = 5 + channels
        column = tl.arange(0, columns)
        inside = column < width
        gradient = sum_rows(sums, begin, end, column, width, columns, rows)

        is_color = inside & (column >= 5)
        color = tl.load(colors + i * channels + column - 5, is_color, 0.0)
        area = energy * PI * tl.load(cholesky + 3 * i) * tl.load(cholesky + 3 * i + 2)
        gradient += area * color
        diagonal = (column == 2) | (column == 4)
        gradient += tl.where(diagonal, 0.5 * area * tl.sum(color * color), 0.0)

        if tl.sum(tl.abs(gradient)) < MOST_GRADIENT:
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
                move(means, cholesky, i, may, step, column)
                if (may & 4) != 0:
                    tl.store(colors + i * channels + column - 5, color + step, is_color)


def step(
    batch: Batch,
    lists: TileLists,
    sums: Tensor,  # (E, 5 + C)
    tile_losses: Tensor,
    tensors: FitTensors,
    energy: float,
) -> None:
    """Move all Gaussians, in place, and count the iteration."""
    move_all(_step, batch, lists, sums, tile_losses, tensors, energy)
