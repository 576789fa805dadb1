"""The losses that the GaussianImage paper compares: L1, L2, SSIM and their mixtures."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss, pad

from gaussianimage.metrics import SSIM_C1, SSIM_C2, SSIM_SIGMA, SSIM_WINDOW

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]

# The weight of L1 or L2 in a mixture with 1 − SSIM, as in the released code.
PIXEL_WEIGHT = 0.7

_BLOCK = 32


def l1(image: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of two pictures, (H, W, C)."""
    _check(image, target)
    return l1_loss(image, target)


def l2(image: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference of two pictures, (H, W, C)."""
    _check(image, target)
    return mse_loss(image, target)


def ssim(image: Tensor, target: Tensor) -> Tensor:
    """Return one minus the structural similarity, the mean over channels and pixels.

    Parameters
    ----------
    image, target : Tensor, (H, W, C)
        Pictures with white at 1; H and W at least 11. All channels count alike.

    Returns
    -------
    Tensor, ()
        From 0 for equal pictures to 2; 1 − `gaussianimage.metrics.ssim`.

    Raises
    ------
    TypeError, ValueError
        If the pictures differ in shape, type or device, or are smaller than the window.
    """
    _check(image, target)
    if min(image.shape[:2]) < SSIM_WINDOW:
        raise ValueError(f"image: expected at least {SSIM_WINDOW} x {SSIM_WINDOW} pixels for SSIM")
    # A shift doesn't change the variances, and around zero they lose fewer digits.
    a, b = image.movedim(2, 0) - 0.5, target.movedim(2, 0) - 0.5
    blurred = _blur(torch.stack([a, b, a * a, b * b, a * b]))
    mean_a, mean_b = blurred[0], blurred[1]
    variance_a = blurred[2] - mean_a * mean_a
    variance_b = blurred[3] - mean_b * mean_b
    covariance = blurred[4] - mean_a * mean_b
    contrast = (2 * covariance + SSIM_C2) / (variance_a + variance_b + SSIM_C2)
    mean_a, mean_b = mean_a + 0.5, mean_b + 0.5
    luminance = (2 * mean_a * mean_b + SSIM_C1) / (mean_a * mean_a + mean_b * mean_b + SSIM_C1)
    similarity: Tensor = contrast * luminance
    return 1 - similarity.mean()


def l1_ssim(image: Tensor, target: Tensor) -> Tensor:
    """Return 0.7 of the loss `l1` and 0.3 of the loss `ssim`."""
    return PIXEL_WEIGHT * l1(image, target) + (1 - PIXEL_WEIGHT) * ssim(image, target)


def l2_ssim(image: Tensor, target: Tensor) -> Tensor:
    """Return 0.7 of the loss `l2` and 0.3 of the loss `ssim`."""
    return PIXEL_WEIGHT * l2(image, target) + (1 - PIXEL_WEIGHT) * ssim(image, target)


LOSSES: Final[dict[str, Loss]] = {
    "l1": l1,
    "l2": l2,
    "ssim": ssim,
    "l1+ssim": l1_ssim,
    "l2+ssim": l2_ssim,
}


def get_loss(name: str) -> Loss:
    """Return a loss by its name.

    Parameters
    ----------
    name : {"l1", "l2", "ssim", "l1+ssim", "l2+ssim"}

    Returns
    -------
    callable
        Takes a picture and its target, both (H, W, C), and returns a tensor of no dimensions.

    Raises
    ------
    ValueError
        If there is no such loss.
    """
    if name not in LOSSES:
        raise ValueError(f"loss: expected one of {', '.join(LOSSES)}, got {name!r}")
    return LOSSES[name]


def _check(image: Tensor, target: Tensor) -> None:
    if image.ndim != 3 or image.numel() == 0:
        raise ValueError(f"image: expected shape (H, W, C), got {tuple(image.shape)}")
    # PyTorch would broadcast two shapes, and the loss would be that of other pictures.
    if target.shape != image.shape:
        raise ValueError(f"target: expected shape {tuple(image.shape)}, got {tuple(target.shape)}")
    if target.dtype != image.dtype:
        raise TypeError(f"target: expected {image.dtype}, got {target.dtype}")
    if target.device != image.device:
        raise ValueError(f"target: expected a tensor on {image.device}, got one on {target.device}")


class _Blur(torch.autograd.Function):
    """Blur by the window where it is inside the planes: (..., H, W) to (..., H − 10, W − 10)."""

    @staticmethod
    def forward(ctx: Any, planes: Tensor) -> Tensor:  # noqa: ARG004 - the signature is PyTorch's
        return _blurred_lines(_blurred_lines(planes).mT).mT

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004
        # The window is symmetric: the transposed blur is that of planes with margins of zeros.
        margins = [SSIM_WINDOW - 1] * 4
        return _blur(pad(gradient, margins))


def _blur(planes: Tensor) -> Tensor:
    blurred: Tensor = _Blur.apply(planes)  # type: ignore[no-untyped-call]  # as PyTorch has it
    return blurred


def _blurred_lines(planes: Tensor) -> Tensor:
    """Blur along the lines: (..., H, W) to (..., H, W − 10)."""
    # One matrix product over blocks of all lines. On a CPU that is much faster than a convolution,
    # which passes over memory for each tap.
    length = planes.shape[-1] - SSIM_WINDOW + 1
    blocks = pad(planes, [0, -length % _BLOCK]).unfold(-1, _BLOCK + SSIM_WINDOW - 1, _BLOCK)
    blurred = blocks.reshape(-1, blocks.shape[-1]) @ _band(planes)
    return blurred.view(*planes.shape[:-1], -1)[..., :length]


def _band(like: Tensor) -> Tensor:
    """Return the matrix that takes a block of a line to its blur, (block + 10, block)."""
    # Computed on the device, because a CUDA graph may copy nothing from the host.
    window = torch.arange(SSIM_WINDOW, dtype=torch.float64, device=like.device)
    rows = torch.arange(_BLOCK + SSIM_WINDOW - 1, device=like.device)
    offsets = rows[:, None] - rows[:_BLOCK]
    taps = torch.exp(-0.5 * ((window - SSIM_WINDOW // 2) / SSIM_SIGMA) ** 2)
    inside = (offsets >= 0) & (offsets < SSIM_WINDOW)
    matrix = torch.where(inside, taps[offsets.clamp(0, SSIM_WINDOW - 1)] / taps.sum(), 0.0)
    return matrix.to(like.dtype)
