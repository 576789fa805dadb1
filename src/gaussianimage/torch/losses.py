"""The losses that the GaussianImage paper and its code compare: L1, L2, SSIM, MS-SSIM, mixtures."""

import contextlib
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, l1_loss, mse_loss, pad

from gaussianimage.metrics import SCALE_WEIGHTS, SSIM_C1, SSIM_C2, SSIM_SIGMA, SSIM_WINDOW

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]

# The weight of L1 or L2 in a mixture with 1 − SSIM, as in the released code.
PIXEL_WEIGHT = 0.7

# The window of MS-SSIM in the released code's loss Fusion_hinerv, in pixels.
SMALL_WINDOW = 5

_BLOCK = 32


def l1(image: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of pictures, (..., H, W, C)."""
    _check(image, target)
    return l1_loss(image, target)


def l2(image: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference of pictures, (..., H, W, C)."""
    _check(image, target)
    return mse_loss(image, target)


def ssim(image: Tensor, target: Tensor) -> Tensor:
    """Return one minus the structural similarity, the mean over pictures, channels and pixels.

    Parameters
    ----------
    image, target : Tensor, (..., H, W, C)
        Pictures with white at 1; H and W at least 11. All channels count alike.

    Returns
    -------
    Tensor, ()
        From 0 for equal pictures to 2; 1 − `gaussianimage.metrics.ssim`. It is computed in float32
        within `torch.autocast` too.

    Raises
    ------
    TypeError, ValueError
        If the pictures differ in shape, type or device, or are smaller than the window.
    """
    _check(image, target)
    if min(image.shape[-3:-1]) < SSIM_WINDOW:
        raise ValueError(f"image: expected at least {SSIM_WINDOW} x {SSIM_WINDOW} pixels for SSIM")
    similarity, _ = _similarity(_planes(image), _planes(target), SSIM_WINDOW)
    return 1 - similarity.mean()


def ms_ssim(image: Tensor, target: Tensor, *, window: int = SSIM_WINDOW) -> Tensor:
    """Return one minus the multi-scale structural similarity, the mean over pictures and channels.

    Parameters
    ----------
    image, target : Tensor, (..., H, W, C)
        Pictures with white at 1; H and W above 16 (window − 1), so that the window fits into the
        smallest of the five scales.
    window : int, default 11
        Side of the window in pixels, odd; its standard deviation is 1.5 pixels.

    Returns
    -------
    Tensor, ()
        With the default window, 1 − `gaussianimage.metrics.ms_ssim`.

    Raises
    ------
    TypeError, ValueError
        In the same cases as for `ssim`.
    """
    _check(image, target)
    least = (window - 1) * 2 ** (len(SCALE_WEIGHTS) - 1) + 1
    if min(image.shape[-3:-1]) < least:
        raise ValueError(f"image: expected at least {least} x {least} pixels for MS-SSIM")
    a, b = _planes(image), _planes(target)
    result = torch.ones_like(a[:, 0, 0])
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            a, b = _halved(a), _halved(b)
        last = scale == len(SCALE_WEIGHTS) - 1
        factor = _similarity(a, b, window)[0 if last else 1].mean((1, 2))
        # Zero has no usable derivative of a power below one.
        positive = factor > 0
        powered = torch.where(positive, factor, 1.0) ** weight
        result = result * torch.where(positive, powered, 0.0)
    return 1 - result.mean()


def l1_ssim(image: Tensor, target: Tensor) -> Tensor:
    """Return 0.7 of the loss `l1` and 0.3 of the loss `ssim`; Fusion2 in the authors' code."""
    return PIXEL_WEIGHT * l1(image, target) + (1 - PIXEL_WEIGHT) * ssim(image, target)


def l2_ssim(image: Tensor, target: Tensor) -> Tensor:
    """Return 0.7 of the loss `l2` and 0.3 of the loss `ssim`; Fusion1 in the authors' code."""
    return PIXEL_WEIGHT * l2(image, target) + (1 - PIXEL_WEIGHT) * ssim(image, target)


def l2_l1(image: Tensor, target: Tensor) -> Tensor:
    """Return 0.7 of the loss `l2` and 0.3 of the loss `l1`; Fusion3 in the authors' code."""
    return PIXEL_WEIGHT * l2(image, target) + (1 - PIXEL_WEIGHT) * l1(image, target)


def l1_ms_ssim(image: Tensor, target: Tensor) -> Tensor:
    """Return 0.7 of the loss `l1` and 0.3 of `ms_ssim`; Fusion4 in the authors' code."""
    return PIXEL_WEIGHT * l1(image, target) + (1 - PIXEL_WEIGHT) * ms_ssim(image, target)


def l1_ms_ssim_5(image: Tensor, target: Tensor) -> Tensor:
    """Return `l1_ms_ssim` with a window of 5 pixels; Fusion_hinerv in the authors' code."""
    similarity = ms_ssim(image, target, window=SMALL_WINDOW)
    return PIXEL_WEIGHT * l1(image, target) + (1 - PIXEL_WEIGHT) * similarity


LOSSES: Final[dict[str, Loss]] = {
    "l1": l1,
    "l2": l2,
    "ssim": ssim,
    "l1+ssim": l1_ssim,
    "l2+ssim": l2_ssim,
    "l2+l1": l2_l1,
    "l1+ms-ssim": l1_ms_ssim,
    "l1+ms-ssim-5": l1_ms_ssim_5,
}


def get_loss(name: str, *, channels: str = "last") -> Loss:
    """Return a loss by its name.

    Parameters
    ----------
    name : str
        "l1", "l2", "ssim", "l1+ssim", "l2+ssim", "l2+l1", "l1+ms-ssim" or "l1+ms-ssim-5". The
        mixtures are the authors' Fusion2, 1, 3, 4 and Fusion_hinerv.
    channels : {"last", "first"}, default "last"
        Whether pictures are (..., H, W, C), as `rasterize` returns them, or (..., C, H, W).

    Returns
    -------
    callable
        Takes pictures and their targets of the same shape, and returns a tensor of no dimensions:
        the mean over all pictures. Pictures of half precision are compared in float32.

    Raises
    ------
    ValueError
        If there is no such loss or layout.
    """
    if name not in LOSSES:
        raise ValueError(f"loss: expected one of {', '.join(LOSSES)}, got {name!r}")
    if channels not in ("last", "first"):
        raise ValueError(f"channels: expected last or first, got {channels!r}")
    loss = LOSSES[name]
    if channels == "last":
        return loss

    def channels_first(image: Tensor, target: Tensor) -> Tensor:
        if image.ndim < 3:
            raise ValueError(f"image: expected shape (..., C, H, W), got {tuple(image.shape)}")
        _check_alike(image, target)
        return loss(image.movedim(-3, -1), target.movedim(-3, -1))

    return channels_first


def _check(image: Tensor, target: Tensor) -> None:
    if image.ndim < 3 or image.numel() == 0:
        raise ValueError(f"image: expected shape (..., H, W, C), got {tuple(image.shape)}")
    _check_alike(image, target)


def _check_alike(image: Tensor, target: Tensor) -> None:
    # PyTorch would broadcast two shapes, and the loss would be that of other pictures.
    if target.shape != image.shape:
        raise ValueError(f"target: expected shape {tuple(image.shape)}, got {tuple(target.shape)}")
    if target.dtype != image.dtype:
        raise TypeError(f"target: expected {image.dtype}, got {target.dtype}")
    if target.device != image.device:
        raise ValueError(f"target: expected a tensor on {image.device}, got one on {target.device}")


def _planes(picture: Tensor) -> Tensor:
    """Return the channels of all pictures, (planes, H, W), around zero."""
    if picture.dtype in (torch.float16, torch.bfloat16):
        picture = picture.float()
    # A shift doesn't change the variances, and around zero they lose fewer digits.
    return picture.movedim(-1, -3).flatten(0, -3) - 0.5


def _similarity(a: Tensor, b: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Return SSIM and its contrast-structure factor of planes around zero, (planes, H', W')."""
    blurred = _blur(torch.stack([a, b, a * a, b * b, a * b]), window)
    mean_a, mean_b = blurred[0], blurred[1]
    variance_a = blurred[2] - mean_a * mean_a
    variance_b = blurred[3] - mean_b * mean_b
    covariance = blurred[4] - mean_a * mean_b
    contrast = (2 * covariance + SSIM_C2) / (variance_a + variance_b + SSIM_C2)
    mean_a, mean_b = mean_a + 0.5, mean_b + 0.5
    luminance = (2 * mean_a * mean_b + SSIM_C1) / (mean_a * mean_a + mean_b * mean_b + SSIM_C1)
    return contrast * luminance, contrast


def _halved(planes: Tensor) -> Tensor:
    """Average blocks of 2 x 2 pixels; a line of zeros, which is black, precedes an odd side."""
    odd = [planes.shape[-1] % 2, 0, planes.shape[-2] % 2, 0]
    return avg_pool2d(pad(planes, odd, value=-0.5), 2)


class _Blur(torch.autograd.Function):
    """Blur by the window where it is inside the planes: (..., H, W) to (..., H', W')."""

    generate_vmap_rule = True

    @staticmethod
    def forward(planes: Tensor, window: int) -> Tensor:
        # Variances are small differences: half precision would leave no digit of them.
        with _full_precision(planes):
            return _blurred_lines(_blurred_lines(planes, window).mT, window).mT

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.window = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        # The window is symmetric: the transposed blur is that of planes with margins of zeros.
        margins = [ctx.window - 1] * 4
        return _blur(pad(gradient, margins), ctx.window), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        return _blur(tangent, ctx.window)


def _full_precision(like: Tensor) -> contextlib.AbstractContextManager[object]:
    """Return a block in which matrix products are not computed in half precision."""
    kind = like.device.type
    if kind not in ("cpu", "cuda") or not torch.is_autocast_enabled(kind):
        return contextlib.nullcontext()
    return torch.autocast(kind, enabled=False)


def _blur(planes: Tensor, window: int) -> Tensor:
    blurred: Tensor = _Blur.apply(planes, window)  # type: ignore[no-untyped-call]  # as PyTorch has it
    return blurred


def _blurred_lines(planes: Tensor, window: int) -> Tensor:
    """Blur along the lines: (..., H, W) to (..., H, W − window + 1)."""
    # One matrix product over blocks of all lines. On a CPU that is much faster than a convolution,
    # which passes over memory for each tap.
    length = planes.shape[-1] - window + 1
    blocks = pad(planes, [0, -length % _BLOCK]).unfold(-1, _BLOCK + window - 1, _BLOCK)
    blurred = blocks.reshape(-1, blocks.shape[-1]) @ _band(planes, window)
    return blurred.view(*planes.shape[:-1], -1)[..., :length]


def _band(like: Tensor, window: int) -> Tensor:
    """Return the matrix that takes a block of a line to its blur, (block + window − 1, block)."""
    # Computed on the device, because a CUDA graph may copy nothing from the host.
    place = torch.arange(window, dtype=torch.float64, device=like.device)
    rows = torch.arange(_BLOCK + window - 1, device=like.device)
    offsets = rows[:, None] - rows[:_BLOCK]
    taps = torch.exp(-0.5 * ((place - window // 2) / SSIM_SIGMA) ** 2)
    inside = (offsets >= 0) & (offsets < window)
    matrix = torch.where(inside, taps[offsets.clamp(0, window - 1)] / taps.sum(), 0.0)
    return matrix.to(like.dtype)
