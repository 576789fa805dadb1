"""The plainest way to draw on a GPU, to measure against: every pixel looks at every Gaussian.

One kernel and one thread a pixel; no tiles, no lists, nothing prepared.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 128


@triton.jit(do_not_specialize=["count", "height", "width"])
def _draw_all(means, cholesky, colors, image, count, height, width, q_max, block: tl.constexpr):
    """Draw a block of pixels in three channels; all Gaussians must be drawable."""
    pixel = tl.program_id(0) * block + tl.arange(0, block)
    x = (pixel % width).to(tl.float32) + 0.5
    y = (pixel // width).to(tl.float32) + 0.5
    red = tl.zeros((block,), tl.float32)
    green = tl.zeros((block,), tl.float32)
    blue = tl.zeros((block,), tl.float32)
    for i in range(count):
        z1 = (x - tl.load(means + 2 * i)) / tl.load(cholesky + 3 * i)
        z2 = y - tl.load(means + 2 * i + 1) - tl.load(cholesky + 3 * i + 1) * z1
        z2 = z2 / tl.load(cholesky + 3 * i + 2)
        q = 0.5 * (z1 * z1 + z2 * z2)
        weight = tl.where(q <= q_max, tl.exp(-q), 0.0)
        red += weight * tl.load(colors + 3 * i)
        green += weight * tl.load(colors + 3 * i + 1)
        blue += weight * tl.load(colors + 3 * i + 2)
    inside = pixel < height * width
    tl.store(image + 3 * pixel, red, inside)
    tl.store(image + 3 * pixel + 1, green, inside)
    tl.store(image + 3 * pixel + 2, blue, inside)


def draw_plainly(
    means: Tensor, cholesky: Tensor, colors: Tensor, size: tuple[int, int], q_max: float
) -> Tensor:
    """Draw (N, 2), (N, 3) and (N, 3) as (H, W, 3), as `rasterize` does."""
    height, width = size
    image = torch.empty((height, width, 3), device=means.device)
    inputs = (tensor.detach().contiguous() for tensor in (means, cholesky, colors))
    with torch.cuda.device_of(means):
        _draw_all[(triton.cdiv(height * width, BLOCK),)](
            *inputs, image, len(means), height, width, q_max, block=BLOCK
        )
    return image
