"""`gaussianimage.render` on a GPU: a part of the plane, as floats or bytes."""

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
        On the host. Within rounding of the engine's picture, and the same bytes every time.
    """
    top, left, height, width = window
    # What float32 can't hold becomes infinite, and draws nothing.
    arrays = gaussians.means - (left, top), gaussians.cholesky(), gaussians.colors
    means, cholesky, colors = (
        torch.tensor(array, device=device).to(torch.float32)[None] for array in arrays
    )
    # Triton launches on the current GPU, whatever it is given.
    with torch.cuda.device_of(means):
        image = forward.render(means, cholesky, colors, height, width, gaussians.q_max)[0]
    if dtype == np.uint8:
        image = (image.clamp(0, 1) * 255 + 0.5).to(torch.uint8)
    pixels: NDArray[Any] = image.cpu().numpy()
    return pixels
