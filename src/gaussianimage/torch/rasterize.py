"""The rasterizer as a PyTorch operator: its checks, its implementations and its gradient."""

from typing import Any

import torch
from torch import Tensor

from gaussianimage._util.arguments import cutoff, side, thread_count
from gaussianimage.torch import cpu, reference
from gaussianimage.torch.arguments import check_like_means, check_tensor

# Kernels index the numbers of all Gaussians and of all pixels in 32 bits.
MAX_ELEMENTS = 2**31 - 1


def rasterize(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    height: int,
    width: int,
    *,
    q_max: float = 4.5,
    threads: int | None = None,
) -> Tensor:
    """Draw Gaussians; differentiable in all three tensors.

    Parameters
    ----------
    means : Tensor, (N, 2) or (B, N, 2)
        Centers μ, x then y, in pixels; pixel centers are at +½. With a batch of B pictures, all
        three tensors have the leading dimension B.
    cholesky : Tensor, (N, 3) or (B, N, 3)
        l₁₁, l₂₁, l₂₂ in pixels, of any sign; the covariance is Σ = L Lᵀ.
    colors : Tensor, (N, C) or (B, N, C)
        Colors c of any number of channels, unbounded.
    height, width : int
        Size of the picture in pixels, 1 to 65536.
    q_max : float, default 4.5
        Where each Gaussian is cut off, above 0 and at most 64; the paper's is ln 255.
    threads : int, optional
        Threads to use on a CPU, 1 to 256; as many as PyTorch uses by default.

    Returns
    -------
    Tensor, (height, width, C) or (B, height, width, C)
        Σᵢ cᵢ exp(−qᵢ(p)) over all i with qᵢ(p) ≤ q_max, qᵢ(p) = ½ (p − μᵢ)ᵀ Σᵢ⁻¹ (p − μᵢ); not
        clamped, of the type and on the device of the inputs. The gradients are the exact
        derivatives of this sum; the cut-off is not differentiated. Every number of threads gives
        the same bits.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type, shape, device or range. The values in the tensors are not
        checked: a Gaussian that can't be drawn (not finite, l₁₁ or l₂₂ below 10⁻⁶ px in magnitude,
        anything above 10¹² px, colors that sum up to 10³⁰) draws nothing and its gradient is zero.

    Notes
    -----
    float32 is computed by the compiled module on a CPU and by Triton kernels on CUDA. float64 is
    computed pixel by pixel on any device; it is slow, and serves to check gradients.
    """
    _check(means, cholesky, colors)
    size = side("height", height), side("width", width)
    q = cutoff("q_max", q_max)
    count = thread_count(threads)
    batched = means.dim() == 3
    if not batched:
        means, cholesky, colors = means[None], cholesky[None], colors[None]
    if colors.shape[0] * size[0] * size[1] * colors.shape[2] > MAX_ELEMENTS:
        raise ValueError(
            f"height, width: {size[0]} x {size[1]} pixels of {colors.shape[2]} channels "
            f"times {colors.shape[0]} pictures are more than 2^31 - 1 numbers"
        )
    image: Tensor = _draw(means, cholesky, colors, *size, q, count)
    return image if batched else image[0]


def _check(means: Tensor, cholesky: Tensor, colors: Tensor) -> None:
    tensors = {"means": means, "cholesky": cholesky, "colors": colors}
    for name, tensor in tensors.items():
        check_tensor(name, tensor)
        check_like_means(name, tensor, means)
    if means.device.type not in ("cpu", "cuda"):
        raise ValueError(f"means: expected a tensor on a CPU or CUDA, got one on {means.device}")
    if means.dim() not in (2, 3) or means.shape[-1] != 2:
        raise ValueError(f"means: expected shape (N, 2) or (B, N, 2), got {_shape(means)}")
    rows = means.shape[:-1]
    if cholesky.shape != (*rows, 3):
        raise ValueError(f"cholesky: expected shape {(*rows, 3)}, got {_shape(cholesky)}")
    if colors.shape[:-1] != rows or colors.shape[-1] < 1:
        expected = ", ".join(str(length) for length in (*rows, "C"))
        raise ValueError(
            f"colors: expected shape ({expected}) with C at least 1, got {_shape(colors)}"
        )
    if max(cholesky.numel(), colors.numel()) > MAX_ELEMENTS:
        raise ValueError(f"colors: {_shape(colors)} are more than 2^31 - 1 numbers")


@torch.library.custom_op("gaussianimage::rasterize", mutates_args=())
def _draw(
    means: Tensor,  # (B, N, 2)
    cholesky: Tensor,  # (B, N, 3)
    colors: Tensor,  # (B, N, C)
    height: int,
    width: int,
    q_max: float,
    threads: int,  # 0: as many as PyTorch uses
) -> Tensor:  # (B, height, width, C)
    inputs = means.detach(), cholesky.detach(), colors.detach()
    if means.dtype == torch.float64:
        return reference.render(*inputs, height, width, q_max)
    if means.is_cuda:
        from gaussianimage.torch.cuda import forward

        with torch.cuda.device(means.device):
            return forward.render(*inputs, height, width, q_max)
    return cpu.render(*inputs, height, width, q_max, threads)


@_draw.register_fake
def _draw_shape(means: Tensor, cholesky: Tensor, colors: Tensor, *sizes: Any) -> Tensor:  # noqa: ARG001
    return colors.new_empty((colors.shape[0], sizes[0], sizes[1], colors.shape[2]))


@torch.library.custom_op("gaussianimage::rasterize_backward", mutates_args=())
def _differentiate(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    gradient: Tensor,  # (B, H, W, C), of the loss with respect to the picture
    q_max: float,
    threads: int,
) -> tuple[Tensor, Tensor, Tensor]:
    inputs = means.detach(), cholesky.detach(), colors.detach(), gradient.detach()
    if means.dtype == torch.float64:
        return reference.gradient(*inputs, q_max)
    if means.is_cuda:
        from gaussianimage.torch.cuda import backward

        with torch.cuda.device(means.device):
            return backward.gradient(*inputs, q_max)
    return cpu.gradient(*inputs, q_max, threads)


@_differentiate.register_fake
def _differentiate_shape(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    *_: Any,
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(means), torch.empty_like(cholesky), torch.empty_like(colors)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    means, cholesky, colors, _, _, ctx.q_max, ctx.threads = inputs
    ctx.save_for_backward(means, cholesky, colors)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    parts = _differentiate(*ctx.saved_tensors, gradient, ctx.q_max, ctx.threads)
    return (*parts, None, None, None, None)


_draw.register_autograd(_backward, setup_context=_keep)


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
