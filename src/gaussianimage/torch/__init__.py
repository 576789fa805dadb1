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
from gaussianimage.torch.cuda.recorded_step import RecordedStep
from gaussianimage.torch.losses import get_loss
from gaussianimage.torch.models.blending import alpha_blend
from gaussianimage.torch.models.opacity import BlendedModel, OpacityModel
from gaussianimage.torch.models.splatting import SplattingModel
from gaussianimage.torch.models.sum import (
    PAPER_Q_MAX,
    Canvas,
    CholeskyModel,
    Physical,
    RawParameters,
    ScaleRotationModel,
)
from gaussianimage.torch.rasterize import rasterize

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
