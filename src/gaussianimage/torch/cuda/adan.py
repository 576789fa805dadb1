"""One step of Adan on several tensors in one kernel; `gaussianimage.torch.Adan` has the formulas.

The kernel also counts the steps. Every program reads the counters, and whichever program is the
last to have read them counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gaussianimage.torch.cuda import require_triton  # noqa: F401  # isort: skip
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 256
# Tensors of one launch. The code has a part for each, and a launch takes 4 KiB of arguments.
MOST_TENSORS = 16


@dataclass(frozen=True)
class AdanState:
    """The tensors that a step reads and changes besides the parameter, in the parameter's shape."""

    mean: Tensor  # mean of the gradients
    difference: Tensor  # mean of the gradients' differences
    square: Tensor  # mean of squares
    previous: Tensor  # the gradient of the step before
    step: Tensor  # () float64: steps so far


@dataclass(frozen=True)
class Moving:
    """A parameter that a step changes, contiguous and float32."""

    parameter: Tensor
    gradient: Tensor
    state: AdanState


@triton.jit(do_not_specialize=["counts"])
def _adan(
    parameters,
    gradients,
    means,
    differences,
    squares,
    previous,
    steps,
    counts,
    rates,
    waiting,
    rate,
    beta1,
    beta2,
    beta3,
    log1,
    log2,
    log3,
    epsilon,
    tensors: tl.constexpr,
    rate_is_stored: tl.constexpr,
    block: tl.constexpr,
):
    """Change a block of one tensor. Blocks are counted through all tensors."""
    if rate_is_stored:
        rate = tl.load(rates).to(tl.float32)
    at = tl.program_id(0)
    for k in tl.static_range(tensors):
        blocks = tl.cdiv(counts[k], block)
        if (at >= 0) & (at < blocks):
            taken = (tl.load(steps[k]) + 1).to(tl.float32)
            i = at * block + tl.arange(0, block)
            inside = i < counts[k]
            g = tl.load(gradients[k] + i, inside, 0.0)
            change = g - tl.load(previous[k] + i, inside, 0.0)
            ahead = g + beta2 * change
            m = beta1 * tl.load(means[k] + i, inside, 0.0) + (1 - beta1) * g
            v = beta2 * tl.load(differences[k] + i, inside, 0.0) + (1 - beta2) * change
            n = beta3 * tl.load(squares[k] + i, inside, 0.0) + (1 - beta3) * ahead * ahead
            tl.store(previous[k] + i, g, inside)
            tl.store(means[k] + i, m, inside)
            tl.store(differences[k] + i, v, inside)
            tl.store(squares[k] + i, n, inside)
            # βᵏ as exp(k ln β).
            m = m / (1 - tl.exp(taken * log1))
            v = v / (1 - tl.exp(taken * log2))
            n = n / (1 - tl.exp(taken * log3))
            p = tl.load(parameters[k] + i, inside, 0.0)
            p = p - rate * (m + beta2 * v) / (tl.sqrt(n) + epsilon)
            tl.store(parameters[k] + i, p, inside)
        at -= blocks
    # All threads of this program have read the counter before one of them says so.
    tl.debug_barrier()
    if tl.atomic_add(waiting, 1) == tl.num_programs(0) - 1:
        for k in tl.static_range(tensors):
            tl.store(steps[k], tl.load(steps[k]) + 1)
        tl.store(waiting, 0)


def adan(
    moving: Sequence[Moving],
    waiting: Tensor,
    rate: float | Tensor,
    betas: tuple[float, float, float],
    epsilon: float,
) -> None:
    """Take one step of all parameters, in place, and count it.

    Parameters
    ----------
    moving : sequence of Moving
        Any number of parameters, on one GPU.
    waiting : Tensor, (), int32
        Zero before and after; no other launch may use it at the same time.
    rate : float or Tensor
        Step size.
    betas : (float, float, float)
    epsilon : float
    """
    for first in range(0, len(moving), MOST_TENSORS):
        _launch(moving[first : first + MOST_TENSORS], waiting, rate, betas, epsilon)


def _launch(
    moving: Sequence[Moving],
    waiting: Tensor,
    rate: float | Tensor,
    betas: tuple[float, float, float],
    epsilon: float,
) -> None:
    states = [one.state for one in moving]
    counts = tuple(one.parameter.numel() for one in moving)
    stored = isinstance(rate, Tensor)
    logs = (math.log(beta) if beta > 0 else -math.inf for beta in betas)
    # One program at least, which counts.
    _adan[(max(1, sum(triton.cdiv(count, BLOCK) for count in counts)),)](
        tuple(one.parameter for one in moving),
        tuple(one.gradient.contiguous() for one in moving),
        tuple(state.mean for state in states),
        tuple(state.difference for state in states),
        tuple(state.square for state in states),
        tuple(state.previous for state in states),
        tuple(state.step for state in states),
        counts,
        rate if stored else waiting,
        waiting,
        0.0 if stored else rate,
        *betas,
        *logs,
        epsilon,
        tensors=len(moving),
        rate_is_stored=stored,
        block=BLOCK,
    )
