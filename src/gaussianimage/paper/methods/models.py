"""Gaussians with the parameters that the methods after GaussianImage learn."""

from abc import ABC, abstractmethod

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor, nn

from gaussianimage.gaussians import Gaussians
from gaussianimage.torch import (
    PAPER_Q_MAX,
    Physical,
    cholesky_from_covariance,
    cholesky_from_scale_rotation,
    rasterize,
)


class PixelModel(nn.Module, ABC):
    """N Gaussians with centers in pixels, whose sum is a picture.

    Parameters
    ----------
    means : Tensor, (N, 2)
        Centers in pixels.
    shape : Tensor, (N, 3)
        See the subclass.
    colors : Tensor, (N, C)
    size : (int, int)
        Height and width of the picture in pixels.
    """

    means: nn.Parameter
    shape: nn.Parameter
    colors: nn.Parameter

    def __init__(self, means: Tensor, shape: Tensor, colors: Tensor, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.means, self.shape, self.colors = (
            nn.Parameter(t.detach().clone()) for t in (means, shape, colors)
        )

    @abstractmethod
    def cholesky(self) -> Tensor:
        """Return l₁₁, l₂₁, l₂₂ in px, (N, 3)."""

    def physical(self) -> Physical:
        """Return the Gaussians that are drawn."""
        return Physical(self.means, self.cholesky(), self.colors)

    def forward(self) -> Tensor:
        """Return the picture, (H, W, C), not clamped."""
        return rasterize(*self.physical(), *self.size, q_max=PAPER_Q_MAX)

    @torch.no_grad()
    def gaussians(self) -> Gaussians:
        """Return the Gaussians as a `gaussianimage.Gaussians`; those not drawn are left out."""
        means, cholesky, colors = (t.double().cpu() for t in self.physical())
        drawn = ((cholesky[:, [0, 2]].abs() > 1e-6).all(1) & means.isfinite().all(1)).numpy()
        first, second, third = (t.numpy()[drawn] for t in (means, cholesky, colors))
        return Gaussians.from_cholesky(first, second, third, *self.size, PAPER_Q_MAX)


class CovarianceModel(PixelModel):
    """The shape is Σxx, Σxy, Σyy in px²; where that is no covariance, nothing is drawn."""

    def cholesky(self) -> Tensor:
        """Return l₁₁, l₂₁, l₂₂ in px, (N, 3)."""
        return cholesky_from_covariance(self.shape)


class ScaledModel(PixelModel):
    """The shape is two scales in px, of any sign, and the angle of the first axis in radians."""

    def cholesky(self) -> Tensor:
        """Return l₁₁, l₂₁, l₂₂ in px, (N, 3)."""
        return cholesky_from_scale_rotation(self.shape[:, :2], self.shape[:, 2])


def uniform_centers(count: int, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Return centers uniform over a picture, (N, 2), in pixels."""
    return torch.rand(count, 2, generator=generator) * torch.tensor([size[1], size[0]])


def pixel_centers(indices: Tensor, width: int) -> Tensor:
    """Return the centers of pixels that are numbered row by row, (N, 2), in pixels."""
    row = torch.div(indices, width, rounding_mode="floor")
    return torch.stack([indices % width, row], 1).float() + 0.5
