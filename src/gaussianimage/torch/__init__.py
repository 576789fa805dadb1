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
from gaussianimage.torch.contributions import (
    Contributors,
    Footprints,
    absolute_gradient,
    footprints,
    sum_weights,
    top_contributors,
    top_k_blend,
)
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
from gaussianimage.torch.population import Population
from gaussianimage.torch.rasterize import rasterize
from gaussianimage.torch.shapes import cholesky_from_covariance, cholesky_from_scale_rotation
from gaussianimage.torch.training import HalveRate, Strategy, Training

__all__ = [
    "PAPER_Q_MAX",
    "Adan",
    "BlendedModel",
    "Canvas",
    "CholeskyModel",
    "Contributors",
    "Footprints",
    "HalveRate",
    "OpacityModel",
    "Physical",
    "Population",
    "RawParameters",
    "RecordedStep",
    "ScaleRotationModel",
    "SplattingModel",
    "Strategy",
    "Training",
    "absolute_gradient",
    "alpha_blend",
    "cholesky_from_covariance",
    "cholesky_from_scale_rotation",
    "footprints",
    "get_loss",
    "rasterize",
    "sum_weights",
    "top_contributors",
    "top_k_blend",
]

del _torch
