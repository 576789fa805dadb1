"""A learned uniform quantizer; gradients pass straight through its rounding."""

import math

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor, nn

from gaussianimage.codec.paper_profile import quantizers as stored

# The least step; division by a smaller one could overflow.
_LEAST_SCALE = 1e-8


def straight_through(exact: Tensor, rounded: Tensor) -> Tensor:
    """Return `rounded`, with the gradient of `exact`."""
    return exact + (rounded - exact).detach()


def half_precision(values: Tensor) -> Tensor:
    """Round to float16 and back, with the gradient passed through."""
    return straight_through(values, values.half().to(values.dtype))


class LearnedUniformQuantizer(nn.Module):
    """Evenly spaced levels for each column, whose step and offset are learned.

    A value v becomes round(clip((v − β) / γ, 0, Q)) γ + β with Q = 2^bits − 1 (section 3.3 of
    the paper). Gradients pass through the rounding. A value within the range gives γ its rounding
    error as a factor; a value outside gives γ the factor 0 or Q, and β the factor 1.

    Parameters
    ----------
    values : Tensor, (N, D)
        The values to quantize, N ≥ 1. The initial range of a column is that of its values.
    bits : int
        Bits per number, 1 to 12.
    scaling : bool, default True
        Multiply the gradients of γ and β by 1 / √(N Q), as in LSQ. The released code computes the
        factor but does not use it. Adam and Adan divide by the size of the gradients, so the factor
        affects them only through their ε.

    Raises
    ------
    ValueError
        If `bits` is out of range or there are no values.

    References
    ----------
    S. K. Esser et al.: Learned step size quantization. ICLR 2020, arXiv 1902.08153, section 2.2.
    """

    scale: nn.Parameter
    beta: nn.Parameter

    def __init__(self, values: Tensor, bits: int, *, scaling: bool = True) -> None:
        super().__init__()
        stored.require("bits", bits, 1, stored.MAX_BITS)
        if values.ndim != 2 or not len(values):
            raise ValueError(
                f"values: expected shape (N, D) with N from 1, got {tuple(values.shape)}"
            )
        self.bits = bits
        self.most = 2**bits - 1
        self.factor = 1 / math.sqrt(len(values) * self.most) if scaling else 1.0
        low, high = values.detach().amin(0), values.detach().amax(0)
        # Equal values, such as those of a single Gaussian, need a step above 0.
        self.scale = nn.Parameter(((high - low) / self.most).clamp_min(1e-3 / self.most))
        self.beta = nn.Parameter(low.clone())

    def forward(self, values: Tensor) -> Tensor:
        """Return the nearest levels, (N, D)."""
        scale = self._scaled(self.positive_scale())
        beta = self._scaled(self.beta)
        exact = ((values - beta) / scale).clamp(0, self.most)
        return straight_through(exact, exact.round()) * scale + beta

    def positive_scale(self) -> Tensor:
        """Return γ, (D,), as a positive number for any learned parameter."""
        return self.scale.abs().clamp_min(_LEAST_SCALE)

    @torch.no_grad()
    def indices(self, values: Tensor) -> Tensor:
        """Return the indices of the nearest levels, (N, D), int64."""
        exact = ((values - self.beta) / self.positive_scale()).clamp(0, self.most)
        return exact.round().long()

    @torch.no_grad()
    def stored(self) -> stored.UniformQuantizer:
        """Return the quantizer for a file."""
        scale, beta = (t.float().cpu().numpy() for t in (self.positive_scale(), self.beta))
        return stored.UniformQuantizer(self.bits, scale, beta)

    def extra_repr(self) -> str:
        """Return the module's settings for its printed form."""
        return f"bits={self.bits}, columns={len(self.beta)}"

    def _scaled(self, parameter: Tensor) -> Tensor:
        """Return a parameter unchanged, with its gradient multiplied by LSQ's factor."""
        return straight_through(parameter * self.factor, parameter)
