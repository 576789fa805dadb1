"""Rendering and fitting Gaussians with PyTorch; needs `pip install gaussianimage[torch]`."""

try:
    import torch as _torch
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ModuleNotFoundError(
        "gaussianimage.torch needs PyTorch: pip install gaussianimage[torch]", name="torch"
    ) from error

from gaussianimage.torch.rasterize import rasterize

__all__ = ["rasterize"]

del _torch
