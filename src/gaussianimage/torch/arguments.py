"""Checks of tensors that several operators and models share: what came, and where."""

from torch import Tensor


def check_shape(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Raise `ValueError` unless a tensor has the shape."""
    if tensor.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {tuple(tensor.shape)}")


def check_like_means(name: str, tensor: Tensor, means: Tensor) -> None:
    """Raise `TypeError` or `ValueError` unless a tensor has the dtype and the device of `means`."""
    if tensor.dtype != means.dtype:
        raise TypeError(f"{name}: expected {means.dtype} as in means, got {tensor.dtype}")
    if tensor.device != means.device:
        raise ValueError(
            f"{name}: expected a tensor on {means.device} as means, got one on {tensor.device}"
        )
