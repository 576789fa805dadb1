"""LIG: a level of few Gaussians at half the size, and a second one for what it lacks.

L. Zhu et al.: Large images are Gaussians: high-quality large image representation with levels of 2D
Gaussian splatting. AAAI 2025, arXiv 2502.09039. The lower level fits the picture at half its size
with an eighth of the Gaussians; the upper one fits the difference to its enlargement with the rest.
"""

from dataclasses import dataclass

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from gaussianimage.paper.methods.models import CovarianceModel, uniform_centers
from gaussianimage.torch import Training

# The part of the Gaussians that the lower level has: half of N over the quarter of the pixels.
LOWER_SHARE = 0.125


@dataclass(frozen=True)
class LigRecipe:
    """A run of LIG; the defaults are the released code's.

    Parameters
    ----------
    iterations : int, default 60000
        Of both levels together.
    learning_rate : float, default 0.018
    seed : int, default 1
    """

    iterations: int = 60000
    learning_rate: float = 0.018
    seed: int = 1


class TwoLevels(nn.Module):
    """The enlarged picture of a lower level plus that of an upper one.

    Parameters
    ----------
    lower, upper : CovarianceModel
        The upper one has the size of the picture.
    """

    def __init__(self, lower: CovarianceModel, upper: CovarianceModel) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper

    def forward(self) -> Tensor:
        """Return the picture, (H, W, C), not clamped."""
        upper: Tensor = self.upper()
        return resized(self.lower(), self.upper.size) + upper


def resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a picture, (H, W, C), at another size, by bilinear interpolation."""
    planes = picture.movedim(2, 0)[None]
    result: Tensor = interpolate(planes, size, mode="bilinear", antialias=True)
    return result[0].movedim(0, 2)


def fit_lig(target: Tensor, count: int, recipe: LigRecipe | None = None) -> TwoLevels:
    """Fit two levels of Gaussians to a picture, one after the other.

    Parameters
    ----------
    target : Tensor, (H, W, C), float32
        The picture, from 0 to 1.
    count : int
        The number of Gaussians N of both levels, from 2.
    recipe : LigRecipe, optional

    Returns
    -------
    TwoLevels
    """
    recipe = LigRecipe() if recipe is None else recipe
    height, width, _ = target.shape
    small = (-(-height // 2), -(-width // 2))
    lower_count = max(1, round(count * LOWER_SHARE))
    lower = _fit_level(resized(target, small), lower_count, recipe, 0)
    with torch.no_grad():
        left = target - resized(lower(), (height, width))
    return TwoLevels(lower, _fit_level(left, count - lower_count, recipe, 1))


def _fit_level(target: Tensor, count: int, recipe: LigRecipe, level: int) -> CovarianceModel:
    size = (target.shape[0], target.shape[1])
    generator = torch.Generator().manual_seed(recipe.seed + level)
    means = uniform_centers(count, size, generator)
    shape = torch.rand(count, 3, generator=generator)
    # LIG's covariance starts between 0 and 1 px² as well, and is used only where it is one.
    shape[:, 1] *= 0.5 * (shape[:, 0] * shape[:, 2]).sqrt()
    shape = shape + torch.tensor([0.5, 0.0, 0.5])
    colors = torch.zeros(count, target.shape[2])
    model = CovarianceModel(means, shape, colors, size).to(target.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, eps=1e-15)
    # The released schedule lowers the step size after 70,000 iterations, of which there are 30,000.
    Training(model, target, optimizer).run(recipe.iterations // 2)
    return model
