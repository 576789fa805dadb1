"""The derivative of the mean squared error of a clamped picture, in one kernel."""

import torch

from gaussianimage.torch.cuda import require_triton  # noqa: F401  # isort: skip
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024


@triton.jit(do_not_specialize=["count"])
def _clamped_l2(image, target, shown, gradient, count, scale, block: tl.constexpr):
    i = tl.program_id(0) * block + tl.arange(0, block)
    some = i < count
    value = tl.load(image + i, some, 0.0)
    # A NaN stays one, so that a training that diverges shows it.
    clamped = tl.where(value < 0.0, 0.0, tl.where(value > 1.0, 1.0, value))
    difference = scale * (clamped - tl.load(target + i, some, 0.0))
    tl.store(shown + i, clamped, some)
    tl.store(gradient + i, tl.where((value >= 0.0) & (value <= 1.0), difference, 0.0), some)


def clamped_l2(image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return a picture clamped to 0..1, and the derivative of its mean squared error.

    Parameters
    ----------
    image, target : Tensor
        Of one shape, in float32, on one GPU.

    Returns
    -------
    tuple of Tensor
        J = min(max(I, 0), 1), and 2 (J − T) / n by I, which is 0 where I is outside of 0..1.
    """
    image, target = image.detach().contiguous(), target.contiguous()
    shown, gradient = torch.empty_like(image), torch.empty_like(image)
    count = image.numel()
    with torch.cuda.device_of(image):
        _clamped_l2[(triton.cdiv(count, BLOCK),)](
            image, target, shown, gradient, count, 2 / count, block=BLOCK
        )
    return shown, gradient
