"""Drawing a part of the plane on a GPU, as floats or bytes."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gaussianimage.gaussians import Gaussians
from gaussianimage.torch.cuda import forward


def render_window(
    gaussians: Gaussians,
    window: tuple[int, int, int, int],
    dtype: np.dtype[Any],
    device: str,
) -> NDArray[Any]:
    """Draw the rectangle (top, left, height, width), in pixels, as float32 or uint8.

    Returns
    -------
    ndarray, (height, width, C)
        In the host's memory; the same bytes every time. It differs from the CPU's by rounding.
    """
    top, left, height, width = window
    # A number that float32 can't hold becomes infinite, and its Gaussian draws nothing.
    arrays = gaussians.means - (left, top), gaussians.cholesky(), gaussians.colors
    means, cholesky, colors = (
        torch.tensor(array, device=device).to(torch.float32)[None] for array in arrays
    )
    # Triton launches on the current GPU, not on that of the tensors.
    with torch.cuda.device_of(means):
        image = forward.render(means, cholesky, colors, height, width, gaussians.q_max)[0]
    if dtype == np.uint8:
        image = (image.clamp(0, 1) * 255 + 0.5).to(torch.uint8)
    pixels: NDArray[Any] = image.cpu().numpy()
    return pixels
