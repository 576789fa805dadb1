"""Drawing the paper's learned parameters, which the kernels of a GPU convert by themselves.

A center is middle + reach · tanh(means), and a Cholesky factor is shape + offsets. PyTorch takes
three operations for that, and three more for the gradient; here the kernels do it that read the
Gaussians anyway. Derivatives of second order, forward mode and `vmap` are those of `operator`.
"""

from typing import Any

import torch
from torch import Tensor

from gaussianimage.torch import operator
from gaussianimage.torch.rasterize import MAX_ELEMENTS

Kept = Any  # a batch of the kernels, and the lists of its entries


def converts(means: Tensor, colors: Tensor, size: tuple[int, int]) -> bool:
    """Whether the kernels can convert these parameters; everything else `rasterize` draws."""
    return (
        means.dtype == torch.float32
        and operator.uses_kernels(means)
        and not torch.compiler.is_compiling()
        and max(size[0] * size[1] * colors.shape[1], 3 * len(means), colors.numel()) <= MAX_ELEMENTS
    )


def draw_learned(
    means: Tensor,  # (N, 2)
    shape: Tensor,  # (N, 3)
    colors: Tensor,  # (N, C)
    middle: Tensor,  # (2,), px, without a gradient as the next two
    reach: Tensor,  # (2,), px
    offsets: Tensor,  # (3,), px
    size: tuple[int, int],
    q_max: float,
) -> Tensor:  # (height, width, C)
    """Draw learned parameters with all derivatives, where `converts` says that it can be done."""
    image: Tensor
    image, _ = _DrawLearned.apply(  # type: ignore[no-untyped-call]  # as PyTorch has it
        means, shape, colors, middle, reach, offsets, *size, q_max
    )
    return image


class _DrawLearned(torch.autograd.Function):
    """The picture, and what its gradient takes from it."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, Kept]:
        from gaussianimage.torch.cuda import forward
        from gaussianimage.torch.cuda.batch import Batch, Learned

        means, shape, colors, *frame = (t.detach().contiguous() for t in arguments[:6])
        height, width, q_max = arguments[6:]
        with torch.cuda.device_of(means):  # type: ignore[no-untyped-call]
            batch = Batch.of_learned(Learned(means, shape, *frame), colors, (height, width), q_max)
            image, lists = forward.draw_keeping(batch)
        return image[0], (batch, lists)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Kept]) -> None:
        ctx.save_for_backward(*inputs[:6])
        ctx.save_for_forward(*inputs[:6])
        ctx.numbers = inputs[6:]
        ctx.kept = output[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: None) -> tuple[Tensor | None, ...]:
        tensors, q_max = ctx.saved_tensors, ctx.numbers[2]
        if torch.is_grad_enabled():  # the derivatives may be differentiated again
            inputs = [tensor[None] for tensor in (*tensors, gradient)]
            parts = [part[0] for part in _derivatives(inputs, q_max)]
        else:
            parts = _LearnedDerivatives.apply(  # type: ignore[no-untyped-call]
                *tensors, gradient, q_max, ctx.kept
            )
        return (*parts, *(None,) * 6)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor, None]:
        means, shape, colors, middle, reach, offsets = ctx.saved_tensors
        d_means, d_shape, d_colors = (None if t is None else t[None] for t in tangents[:3])
        d_centers = None if d_means is None else d_means * _slope(means, reach)
        centers, cholesky = _physical(means, shape, middle, reach, offsets)
        image = operator.tangent(
            (centers[None], cholesky[None], colors[None]),
            (d_centers, d_shape, d_colors),
            *ctx.numbers,
        )
        return image[0], None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> tuple[Any, Any]:
        means, shape, colors, *frame = _spread(info, in_dims, arguments[:6])
        centers, cholesky = _physical(means, shape, *frame)
        height, width, q_max = arguments[6:]
        image = operator.draw(centers, cholesky, colors, height, width, q_max, 0)
        return (image, None), (0, None)


class _LearnedDerivatives(torch.autograd.Function):
    """The derivatives of ⟨R, picture⟩ by what is learned, which are not differentiated again."""

    @staticmethod
    def forward(*arguments: Any) -> operator.Tensors:
        from gaussianimage.torch.cuda import backward

        *_, gradient, _, (batch, lists) = arguments
        with torch.cuda.device_of(gradient):  # type: ignore[no-untyped-call]
            return backward.batch_gradient(batch, gradient.detach(), lists)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: operator.Tensors) -> None:
        pass

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> tuple[Any, Any]:
        tensors = _spread(info, in_dims, arguments[:7])
        return _derivatives(tensors, arguments[7]), (0, 0, 0)


def _physical(
    means: Tensor, shape: Tensor, middle: Tensor, reach: Tensor, offsets: Tensor
) -> tuple[Tensor, Tensor]:
    """Return centers and Cholesky factors; leading dimensions, if any, are those of all."""
    centers = middle[..., None, :] + means.tanh() * reach[..., None, :]
    return centers, shape + offsets[..., None, :]


def _slope(means: Tensor, reach: Tensor) -> Tensor:
    """Return the derivative of centers by means."""
    return (1 - means.tanh().square()) * reach[..., None, :]


def _derivatives(tensors: list[Tensor], q_max: float) -> operator.Tensors:
    """Return the derivatives by what is learned: all tensors and R have a dimension of pictures."""
    means, shape, colors, middle, reach, offsets, gradient = tensors
    centers, cholesky = _physical(means, shape, middle, reach, offsets)
    d_centers, d_shape, d_colors = operator.derivatives(centers, cholesky, colors, gradient, q_max)
    return d_centers * _slope(means, reach), d_shape, d_colors


def _spread(info: Any, in_dims: tuple[Any, ...], tensors: tuple[Tensor, ...]) -> list[Tensor]:
    """Put vmap's dimension first, in all tensors."""
    return [
        tensor.expand(info.batch_size, *tensor.shape) if place is None else tensor.movedim(place, 0)
        for tensor, place in zip(tensors, in_dims[: len(tensors)], strict=True)
    ]
