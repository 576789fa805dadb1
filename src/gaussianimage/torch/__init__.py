"""Rendering and fitting Gaussians with PyTorch; needs `pip install gaussianimage[torch]`."""

try:
    import torch as _torch
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ModuleNotFoundError(
        "gaussianimage.torch needs PyTorch: pip install gaussianimage[torch]", name="torch"
    ) from error

from gaussianimage.torch.adan import Adan
from gaussianimage.torch.blending import alpha_blend
from gaussianimage.torch.graph import RecordedStep
from gaussianimage.torch.losses import get_loss
from gaussianimage.torch.models import (
    PAPER_Q_MAX,
    Canvas,
    CholeskyModel,
    Physical,
    RawParameters,
    ScaleRotationModel,
)
from gaussianimage.torch.opacity import BlendedModel, OpacityModel
from gaussianimage.torch.rasterize import rasterize
from gaussianimage.torch.splatting import SplattingModel

__all__ = [
    "PAPER_Q_MAX",
    "Adan",
    "BlendedModel",
    "Canvas",
    "CholeskyModel",
    "OpacityModel",
    "Physical",
    "RawParameters",
    "RecordedStep",
    "ScaleRotationModel",
    "SplattingModel",
    "alpha_blend",
    "get_loss",
    "rasterize",
]

del _torch
