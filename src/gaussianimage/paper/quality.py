"""The quality of a model's picture, in numbers for a `Record`."""

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gaussianimage.metrics import MS_SSIM_SIDE, ms_ssim, psnr

__all__ = ["draw", "finite_decibels", "measure_quality"]

_MOST_DECIBELS = 200.0  # PSNR of a picture without error; JSON has no infinity


@torch.no_grad()
def draw(model: nn.Module) -> NDArray[np.float32]:
    """Return a model's picture, limited to 0..1, (H, W, C)."""
    image: NDArray[np.float32] = model().clamp(0, 1).float().cpu().numpy()
    return image


def measure_quality(
    pixels: NDArray[np.float32] | NDArray[np.uint8],
    shown: NDArray[np.float32] | NDArray[np.uint8],
) -> dict[str, float | None]:
    """Measure a picture against its original.

    Parameters
    ----------
    pixels, shown : ndarray, (H, W, C)
        The original and the picture: floats of 0 to 1, or bytes.

    Returns
    -------
    dict
        ``psnr`` in dB, at most 200; ``ms_ssim``, None if a side is below 161 px.
    """
    enough = min(pixels.shape[:2]) >= MS_SSIM_SIDE
    similarity = ms_ssim(pixels, shown) if enough else None
    return {"psnr": finite_decibels(psnr(pixels, shown)), "ms_ssim": similarity}


def finite_decibels(value: float) -> float:
    """Return a PSNR in dB, at most 200 for a picture without any error."""
    return min(value, _MOST_DECIBELS)
