"""One Gauss–Newton step with momentum of all Gaussians of a fit, in one kernel.

It takes the same steps as the CPU's optimizer (native/fit/gauss_newton.cpp, which derives them):
b = c √(π l₁₁ l₂₂) stays constant, not the color c, when the shape changes, so that the Gauss–Newton
matrix of a Gaussian with itself is diagonal, and a step is divided by how much the Gaussian
overlaps others.
"""

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

MOMENTUM = tl.constexpr(0.93)
MOST_MOVE = tl.constexpr(0.15)  # in units of the Gaussian's own size and color
DAMPING = tl.constexpr(2.0)


@triton.jit(do_not_specialize=["capacity", "channels"])
def _step(
    boxes,
    offsets,
    sums,
    means,
    cholesky,
    colors,
    velocities,
    overlaps,
    age,
    trainable,
    rates,
    iteration,
    capacity,
    channels,
    energy,
    faint,
    columns: tl.constexpr,
    rows: tl.constexpr,
):
    """Move one Gaussian."""
    i = tl.program_id(0)
    begin, end = rows_of(boxes, offsets, i, capacity)
    if end > begin:
        tl.store(age + i, tl.load(age + i) + 1)
        width = 5 + channels
        column = tl.arange(0, columns)
        inside = column < width
        gradient = sum_rows(sums, begin, end, column, width, columns, rows)

        is_color = inside & (column >= 5)
        color = tl.load(colors + i * channels + column - 5, is_color, 0.0)
        before = tl.load(cholesky + 3 * i) * tl.load(cholesky + 3 * i + 2)
        area = PI * before
        own = area * tl.sum(color * color)
        least = faint * faint
        # What both logarithms of the diagonal of L change: the color, while b is constant.
        along = 0.5 * tl.sum(tl.where(is_color, gradient * color, 0.0))
        diagonal = (column == 2) | (column == 4)
        moved = gradient - tl.where(diagonal, along, 0.0)
        part = tl.where(column == 3, 4.0, 2.0) / (own + DAMPING * least)
        full = tl.where(is_color, (gradient / area + energy * color) / (1 + energy), moved * part)
        share = 1 / tl.maximum(1.0, tl.load(overlaps + i * width))
        rate = tl.load(rates + 3 * tl.load(iteration)) * share
        velocity = tl.load(velocities + i * width + column, inside, 0.0)
        step = tl.where(inside, MOMENTUM * velocity - rate * full, 0.0)
        if tl.sum(tl.abs(step)) < MOST_GRADIENT:
            color_way = tl.sum(tl.where(is_color, step * step, 0.0)) * area / (least + own)
            way = tl.max(tl.where(is_color, 0.0, tl.abs(step)))
            way = tl.maximum(way, tl.sqrt(color_way))
            step = step * MOST_MOVE / tl.maximum(way, MOST_MOVE)
            tl.store(velocities + i * width + column, step, inside)
            may = tl.load(trainable + i).to(tl.int32)
            after = move(means, cholesky, i, may, step, column)
            if (may & 4) != 0:
                kept = tl.where((may & 2) != 0, tl.sqrt(before / after), 1.0)
                tl.store(colors + i * channels + column - 5, kept * color + step, is_color)


def step(
    batch: Batch,
    lists: TileLists,
    sums: Tensor,  # (E, 5 + C)
    tile_losses: Tensor,
    tensors: FitTensors,
    energy: float,
    faint: float,
) -> None:
    """Move all Gaussians, in place, and count the iteration.

    `tensors.first` has the velocities and each column of `tensors.second` the overlaps; the rate is
    in the first column of `tensors.rates`. A Gaussian of the amplitude `faint` hardly moves.
    """
    move_all(_step, batch, lists, sums, tile_losses, tensors, energy, faint)
