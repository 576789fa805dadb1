"""The rasterizer of sums of Gaussians: the checks of its arguments around the operator."""

import math

from torch import Tensor

from gaussianimage._util.arguments import cutoff, side, thread_count
from gaussianimage.torch import operator
from gaussianimage.torch.arguments import check_dense, check_like_means, full_precision

# Kernels index the numbers of all Gaussians and of all pixels in 32 bits.
MAX_ELEMENTS = 2**31 - 1


def rasterize(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    height: int,
    width: int,
    *,
    background: Tensor | None = None,
    q_max: float = 4.5,
    threads: int | None = None,
) -> Tensor:
    """Draw Gaussians; differentiable in all tensors.

    Parameters
    ----------
    means : Tensor, (..., N, 2)
        Centers μ, x then y, in pixels; pixel centers are at +½. All three tensors have the same
        leading dimensions, any number of them, and each of these pictures is drawn by itself.
    cholesky : Tensor, (..., N, 3)
        l₁₁, l₂₁, l₂₂ in pixels, of any sign; the covariance is Σ = L Lᵀ. For other forms of shapes
        see `cholesky_from_covariance` and `cholesky_from_scale_rotation`.
    colors : Tensor, (..., N, C)
        Colors c of any number of channels, unbounded.
    height, width : int
        Size of the picture in pixels, 1 to 65536.
    background : Tensor, (C,) or (..., C), optional
        Added to every pixel; zero by default.
    q_max : float, default 4.5
        Where each Gaussian is cut off, above 0 and at most 64; the paper's is ln 255.
    threads : int, optional
        Threads to use on a CPU, 1 to 256; as many as PyTorch uses by default.

    Returns
    -------
    Tensor, (..., height, width, C)
        Σᵢ cᵢ exp(−qᵢ(p)) over all i with qᵢ(p) ≤ q_max, qᵢ(p) = ½ (p − μᵢ)ᵀ Σᵢ⁻¹ (p − μᵢ); not
        clamped, on the device of the inputs. It is float64 if they are, and float32 if they are
        float32, float16 or bfloat16, which may be mixed. The gradients are the exact derivatives of
        this sum; the cut-off is not differentiated. Every number of threads gives the same bits.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type, shape, device or range. The values in the tensors are not
        checked: a Gaussian that can't be drawn (not finite, l₁₁ or l₂₂ below 10⁻⁶ px in magnitude,
        anything above 10¹² px, colors that sum up to 10³⁰) draws nothing and its gradient is zero.
    NotImplementedError
        If a third derivative is asked for, or forward mode within forward mode.

    Notes
    -----
    float32 is computed by the compiled module on a CPU and by Triton kernels on CUDA. float64 is
    computed pixel by pixel on any device; it is slow, and serves to check gradients. Half precision
    is converted to float32, also within `torch.autocast`, because positions need its digits.

    First and second derivatives exist in every mode: `backward`, `create_graph=True`, and
    `torch.func` with `grad`, `vjp`, `jvp`, `jacrev`, `jacfwd`, `hessian` and `vmap`. Forward mode
    and second derivatives are computed by PyTorch pair by pair, at some fifty times the cost of the
    picture; on CUDA the order of their sums, and thus the last bits, may vary.
    """
    _check(means, cholesky, colors)
    size = side("height", height), side("width", width)
    q = cutoff("q_max", q_max)
    count = thread_count(threads)
    leading, channels = means.shape[:-2], colors.shape[-1]
    if background is not None:
        check_background(background, colors)
    pictures = math.prod(leading)
    if pictures * size[0] * size[1] * channels > MAX_ELEMENTS:
        raise ValueError(
            f"height, width: {size[0]} x {size[1]} pixels of {channels} channels "
            f"times {pictures} pictures are more than 2^31 - 1 numbers"
        )
    means, cholesky, colors = (
        full_precision(t).reshape(pictures, *t.shape[-2:]) for t in (means, cholesky, colors)
    )
    image = operator.draw(means, cholesky, colors, *size, q, count)
    image = image.reshape(*leading, *size, channels)
    if background is None:
        return image
    return image + full_precision(background)[..., None, None, :]


def check_background(background: object, colors: Tensor) -> None:
    """Raise `TypeError` or `ValueError` unless a background fits colors (..., N, C)."""
    check_dense("background", background)
    assert isinstance(background, Tensor)
    fitting = colors.shape[-1:], (*colors.shape[:-2], colors.shape[-1])
    if background.shape not in fitting:
        shapes = " or ".join(str(tuple(shape)) for shape in dict.fromkeys(fitting))
        raise ValueError(f"background: expected shape {shapes}, got {_shape(background)}")
    check_like_means("background", background, colors, "colors")


def _check(means: Tensor, cholesky: Tensor, colors: Tensor) -> None:
    tensors = {"means": means, "cholesky": cholesky, "colors": colors}
    for name, tensor in tensors.items():
        check_dense(name, tensor)
        check_like_means(name, tensor, means)
    if means.device.type not in ("cpu", "cuda"):
        raise ValueError(f"means: expected a tensor on a CPU or CUDA, got one on {means.device}")
    if means.dim() < 2 or means.shape[-1] != 2:
        raise ValueError(f"means: expected shape (..., N, 2), got {_shape(means)}")
    rows = means.shape[:-1]
    if cholesky.shape != (*rows, 3):
        raise ValueError(f"cholesky: expected shape {(*rows, 3)}, got {_shape(cholesky)}")
    if colors.dim() < 2 or colors.shape[:-1] != rows or colors.shape[-1] < 1:
        expected = ", ".join(str(length) for length in (*rows, "C"))
        raise ValueError(
            f"colors: expected shape ({expected}) with C at least 1, got {_shape(colors)}"
        )
    if max(cholesky.numel(), colors.numel()) > MAX_ELEMENTS:
        raise ValueError(f"colors: {_shape(colors)} are more than 2^31 - 1 numbers")


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
