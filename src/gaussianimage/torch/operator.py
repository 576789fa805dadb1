"""The rasterizer as operators of PyTorch: its implementations and its derivatives.

Four functions are closed under differentiation. With the Gaussians θ, the picture I(θ), a gradient
R of the picture's shape, and directions t and U of the Gaussians' shapes:

    draw      I(θ)              its jvp is tangent(θ, t), its vjp is gradient(θ, R)
    gradient  ∇θ ⟨R, I⟩         by R: tangent(θ, U); by θ: curvature(θ, R, U)
    tangent   DI(θ) t           by t: gradient(θ, R); by θ: curvature(θ, R, t)
    curvature ∇θ ⟨U, ∇θ ⟨R, I⟩⟩  symmetric in U; it is not differentiated

The first two run the kernels of a device. The other two are computed by `pairs`, pixel by
pixel in PyTorch. Under `torch.compile` the registered operators are called, which know the first
derivatives only.
"""

from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import Tensor

from gaussianimage.torch import cpu, pairs, reference

Kept = Any  # the lists of a picture's entries, which its gradient needs again

Tensors = tuple[Tensor, Tensor, Tensor]


def draw(
    means: Tensor,  # (B, N, 2)
    cholesky: Tensor,  # (B, N, 3)
    colors: Tensor,  # (B, N, C)
    height: int,
    width: int,
    q_max: float,
    threads: int,  # 0: as many as PyTorch uses
) -> Tensor:  # (B, height, width, C)
    """Draw Gaussians with all derivatives; the arguments have been checked."""
    image: Tensor
    if torch.compiler.is_compiling():
        image = _draw(means, cholesky, colors, height, width, q_max, threads)
    else:
        image, _ = _Draw.apply(  # type: ignore[no-untyped-call]  # as PyTorch has it
            means, cholesky, colors, height, width, q_max, threads
        )
    return image


def derivatives(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    gradient: Tensor,  # R, (B, H, W, C)
    q_max: float,
) -> Tensors:
    """Return ∇θ ⟨R, I⟩, with all of its own derivatives."""
    parts: Tensors = _apply(_Derivatives, means, cholesky, colors, gradient, q_max, 0, None)
    return parts


def tangent(
    inputs: Tensors,
    directions: tuple[Tensor | None, ...],  # as the inputs; None for zeros
    height: int,
    width: int,
    q_max: float,
) -> Tensor:
    """Return the derivative of the picture in a direction, with its own derivatives."""
    pair = *inputs, *_dense(directions, inputs)
    image: Tensor = _apply(_Tangent, *pair, height, width, q_max)
    return image


# -- On a device ----------------------------------------------------------------------------------


def uses_kernels(means: Tensor) -> bool:
    """Whether the Triton kernels compute with these tensors of float32."""
    return means.is_cuda


def _render(
    means: Tensor, cholesky: Tensor, colors: Tensor, *numbers: Any
) -> tuple[Tensor, Kept | None]:
    height, width, q_max, threads = numbers
    inputs = means.detach(), cholesky.detach(), colors.detach()
    if means.dtype == torch.float64:
        return reference.render(*inputs, height, width, q_max), None
    if uses_kernels(means):
        from gaussianimage.torch.cuda import forward

        with torch.cuda.device_of(means):  # type: ignore[no-untyped-call]
            return forward.render_keeping(*inputs, height, width, q_max)
    return cpu.render(*inputs, height, width, q_max, threads), None


def _differentiated(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    gradient: Tensor,
    q_max: float,
    threads: int,
    kept: Kept | None = None,
) -> Tensors:
    inputs = means.detach(), cholesky.detach(), colors.detach(), gradient.detach()
    if means.dtype == torch.float64:
        return reference.gradient(*inputs, q_max)
    if uses_kernels(means):
        from gaussianimage.torch.cuda import backward

        with torch.cuda.device_of(means):  # type: ignore[no-untyped-call]
            return backward.gradient(*inputs, q_max, kept)
    return cpu.gradient(*inputs, q_max, threads)


# -- The operators that torch.compile sees --------------------------------------------------------


@torch.library.custom_op("gaussianimage::rasterize", mutates_args=())
def _draw(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    height: int,
    width: int,
    q_max: float,
    threads: int,
) -> Tensor:
    return _render(means, cholesky, colors, height, width, q_max, threads)[0]


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
    return _differentiated(means, cholesky, colors, gradient, q_max, threads)


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


# -- The functions that autograd and torch.func see -----------------------------------------------


class _Draw(torch.autograd.Function):
    """The picture, and the lists of its entries where a device makes any."""

    @staticmethod
    def forward(
        means: Tensor,
        cholesky: Tensor,
        colors: Tensor,
        height: int,
        width: int,
        q_max: float,
        threads: int,
    ) -> tuple[Tensor, Kept | None]:
        if uses_kernels(means):
            return _render(means, cholesky, colors, height, width, q_max, threads)
        return _draw(means, cholesky, colors, height, width, q_max, threads), None

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Any]) -> None:
        means, cholesky, colors, *ctx.numbers = inputs
        ctx.save_for_backward(means, cholesky, colors)
        ctx.save_for_forward(means, cholesky, colors)
        ctx.kept = output[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: None) -> tuple[Tensor | None, ...]:
        *_, q_max, threads = ctx.numbers
        parts = _apply(_Derivatives, *ctx.saved_tensors, gradient, q_max, threads, ctx.kept)
        return (*parts, None, None, None, None)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor, None]:
        height, width, q_max, _ = ctx.numbers
        inputs = ctx.saved_tensors
        return _apply(_Tangent, *inputs, *_dense(tangents, inputs), height, width, q_max), None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> tuple[Any, Any]:
        tensors, size = _merged(info, in_dims, arguments[:3])
        image, _ = _apply(_Draw, *tensors, *arguments[3:])
        return (image.unflatten(0, size), None), (0, None)


class _Derivatives(torch.autograd.Function):
    """The derivatives of ⟨R, picture⟩ by the Gaussians."""

    @staticmethod
    def forward(
        means: Tensor,
        cholesky: Tensor,
        colors: Tensor,
        gradient: Tensor,
        q_max: float,
        threads: int,
        kept: Kept | None,
    ) -> Tensors:
        if uses_kernels(means):
            return _differentiated(means, cholesky, colors, gradient, q_max, threads, kept)
        parts: Tensors = _differentiate(means, cholesky, colors, gradient, q_max, threads)
        return parts

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensors) -> None:  # noqa: ARG004
        *tensors, ctx.q_max, ctx.threads, _ = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx: Any, *directions: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, gradient = ctx.saved_tensors
        height, width = gradient.shape[1:3]
        curved = _apply(_Curvature, *inputs, gradient, *directions, ctx.q_max)
        by_gradient = _apply(_Tangent, *inputs, *directions, height, width, ctx.q_max)
        return (*curved, by_gradient, None, None, None)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensors:
        *inputs, gradient = ctx.saved_tensors
        *directions, change = _dense(tangents, ctx.saved_tensors)
        curved = _apply(_Curvature, *inputs, gradient, *directions, ctx.q_max)
        changed = _apply(_Derivatives, *inputs, change, ctx.q_max, ctx.threads, None)
        first, second, third = (a + b for a, b in zip(curved, changed, strict=True))
        return first, second, third

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> tuple[Any, Any]:
        tensors, size = _merged(info, in_dims, arguments[:4])
        q_max, threads, _ = arguments[4:]
        parts = _apply(_Derivatives, *tensors, q_max, threads, None)
        return tuple(part.unflatten(0, size) for part in parts), (0, 0, 0)


class _Tangent(torch.autograd.Function):
    """The derivative of the picture in a direction of the Gaussians."""

    @staticmethod
    def forward(*arguments: Any) -> Tensor:
        means, cholesky, colors, *directions = (tensor.detach() for tensor in arguments[:6])
        return pairs.tangent(means, cholesky, colors, directions, *arguments[6:])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(*inputs[:6])
        ctx.q_max = inputs[8]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, d_means, d_cholesky, d_colors = ctx.saved_tensors
        directions = d_means, d_cholesky, d_colors
        curved = _apply(_Curvature, *inputs, gradient, *directions, ctx.q_max)
        parts = _apply(_Derivatives, *inputs, gradient, ctx.q_max, 0, None)
        return (*curved, *parts, None, None, None)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> NoReturn:
        raise NotImplementedError(
            "rasterize: forward mode within forward mode is not implemented; take the inner "
            "derivative by torch.func.grad or jacrev"
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> tuple[Any, Any]:
        tensors, size = _merged(info, in_dims, arguments[:6])
        return _apply(_Tangent, *tensors, *arguments[6:]).unflatten(0, size), 0


class _Curvature(torch.autograd.Function):
    """The derivatives of ⟨U, gradient(θ, R)⟩ by the Gaussians θ."""

    @staticmethod
    def forward(*arguments: Any) -> Tensors:
        tensors = (tensor.detach() for tensor in arguments[:7])
        means, cholesky, colors, gradient, *directions = tensors
        return pairs.curvature(means, cholesky, colors, gradient, directions, arguments[7])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensors) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> NoReturn:  # noqa: ARG004
        _refuse_third()

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> NoReturn:  # noqa: ARG004
        _refuse_third()

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> tuple[Any, Any]:
        tensors, size = _merged(info, in_dims, arguments[:7])
        parts = _apply(_Curvature, *tensors, *arguments[7:])
        return tuple(part.unflatten(0, size) for part in parts), (0, 0, 0)


def _refuse_third() -> NoReturn:
    raise NotImplementedError("rasterize: third derivatives are not implemented")


def _apply(function: type[torch.autograd.Function], *arguments: Any) -> Any:
    apply: Callable[..., Any] = function.apply
    return apply(*arguments)


def _dense(tangents: tuple[Any, ...], inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """Return the tangents of the inputs; an input without one has zeros."""
    # The numbers after the tensors have no tangents.
    both = zip(tangents[: len(inputs)], inputs, strict=True)
    return [torch.zeros_like(like) if one is None else one for one, like in both]


def _merged(
    info: Any, in_dims: tuple[Any, ...], tensors: tuple[Tensor, ...]
) -> tuple[list[Tensor], tuple[int, int]]:
    """Merge vmap's dimension with that of the pictures; return both sizes."""
    count = info.batch_size
    whole = [
        tensor.expand(count, *tensor.shape) if place is None else tensor.movedim(place, 0)
        for tensor, place in zip(tensors, in_dims[: len(tensors)], strict=True)
    ]
    return [tensor.flatten(0, 1) for tensor in whole], (count, whole[0].shape[1])
