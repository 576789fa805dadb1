"""Checks of tensors that several operators and models share."""

import torch
from torch import Tensor

HALF = (torch.float16, torch.bfloat16)


def check_tensor(name: str, tensor: object) -> None:
    """Raise `TypeError` unless it is an ordinary tensor of float32 or float64.

    Sparse, nested and other tensors without strides are refused here: later they would fail with a
    message that names neither the argument nor the problem.
    """
    if isinstance(tensor, Tensor) and tensor.dtype in HALF:
        raise TypeError(f"{name}: expected float32 or float64, got {tensor.dtype}")
    check_dense(name, tensor)


def check_dense(name: str, tensor: object) -> None:
    """Raise `TypeError` unless it is an ordinary tensor of a floating-point type."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: expected a Tensor, got {type(tensor).__name__}")
    if tensor.dtype not in (torch.float32, torch.float64, *HALF):
        raise TypeError(f"{name}: expected float32 or float64, got {tensor.dtype}")
    if tensor.layout != torch.strided:
        kind = str(tensor.layout).removeprefix("torch.").removeprefix("_")
        raise TypeError(f"{name}: expected a dense tensor, got one of layout {kind}")
    if tensor.is_nested:
        raise TypeError(f"{name}: expected a dense tensor, got a nested one")


def check_shape(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Raise `ValueError` unless a tensor has the shape."""
    if tensor.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {tuple(tensor.shape)}")


def check_like_means(name: str, tensor: Tensor, means: Tensor, like: str = "means") -> None:
    """Raise `TypeError` or `ValueError` unless a tensor has the precision and device of `means`.

    Types of half precision count as float32, to which `full_precision` converts them. In the
    message, `means` has the name `like`.
    """
    if _full(tensor.dtype) != _full(means.dtype):
        raise TypeError(f"{name}: expected {means.dtype} as in {like}, got {tensor.dtype}")
    if tensor.device != means.device:
        raise ValueError(
            f"{name}: expected a tensor on {means.device} as {like}, got one on {tensor.device}"
        )


def full_precision(tensor: Tensor) -> Tensor:
    """Return a tensor of half precision as float32, and any other one as it is."""
    return tensor.to(_full(tensor.dtype))


def _full(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in HALF else dtype
