"""One step of Adan on a whole tensor in one kernel; `gaussianimage.torch.Adan` has the formulas."""

import math
from dataclasses import dataclass

from gaussianimage.torch.cuda import require_triton  # noqa: F401  # isort: skip
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 256


@dataclass(frozen=True)
class AdanState:
    """The tensors that a step reads and changes besides the parameter, in the parameter's shape."""

    mean: Tensor  # mean of the gradients
    difference: Tensor  # mean of the gradients' differences
    square: Tensor  # mean of squares
    previous: Tensor  # the gradient of the step before
    step: Tensor  # () float64: steps so far, with this one


@triton.jit(do_not_specialize=["count"])
def _adan(
    parameter,
    gradient,
    mean,
    difference,
    square,
    previous,
    step,
    rates,
    rate,
    beta1,
    beta2,
    beta3,
    log1,
    log2,
    log3,
    epsilon,
    count,
    rate_is_stored: tl.constexpr,
    block: tl.constexpr,
):
    i = tl.program_id(0) * block + tl.arange(0, block)
    inside = i < count
    if rate_is_stored:
        rate = tl.load(rates).to(tl.float32)
    steps = tl.load(step).to(tl.float32)
    g = tl.load(gradient + i, inside, 0.0)
    change = g - tl.load(previous + i, inside, 0.0)
    ahead = g + beta2 * change
    m = beta1 * tl.load(mean + i, inside, 0.0) + (1 - beta1) * g
    v = beta2 * tl.load(difference + i, inside, 0.0) + (1 - beta2) * change
    n = beta3 * tl.load(square + i, inside, 0.0) + (1 - beta3) * ahead * ahead
    tl.store(previous + i, g, inside)
    tl.store(mean + i, m, inside)
    tl.store(difference + i, v, inside)
    tl.store(square + i, n, inside)
    # βᵏ as exp(k ln β).
    m = m / (1 - tl.exp(steps * log1))
    v = v / (1 - tl.exp(steps * log2))
    n = n / (1 - tl.exp(steps * log3))
    p = tl.load(parameter + i, inside, 0.0)
    tl.store(parameter + i, p - rate * (m + beta2 * v) / (tl.sqrt(n) + epsilon), inside)


def adan(
    parameter: Tensor,
    gradient: Tensor,
    state: AdanState,
    rate: float | Tensor,
    betas: tuple[float, float, float],
    epsilon: float,
) -> None:
    """Take one step, in place; all tensors contiguous and, but for the counter, float32."""
    count = parameter.numel()
    if count == 0:
        return
    stored = isinstance(rate, Tensor)
    logs = (math.log(beta) if beta > 0 else -math.inf for beta in betas)
    _adan[(triton.cdiv(count, BLOCK),)](
        parameter,
        gradient.contiguous(),
        state.mean,
        state.difference,
        state.square,
        state.previous,
        state.step,
        rate if stored else state.step,
        0.0 if stored else rate,
        *betas,
        *logs,
        epsilon,
        count,
        rate_is_stored=stored,
        block=BLOCK,
    )
