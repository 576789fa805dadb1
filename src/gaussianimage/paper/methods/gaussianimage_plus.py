"""GaussianImage++: growth where the error is largest, and a low-pass filter for each Gaussian.

J. Li et al.: GaussianImage++: boosted image representation and compression with 2D Gaussian
splatting. AAAI 2026, arXiv 2512.19108. The fit starts with half of the Gaussians and adds the
others in steps at the pixels of the largest error (D3). A Gaussian that is born when there are N
has s = HW / (9πN) px² on the diagonal of its covariance (CAF), so that few Gaussians cover the
picture and many are fine; Σ itself is the parameter.
"""

import math
from dataclasses import dataclass

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor

from gaussianimage.paper.methods.models import CovarianceModel, pixel_centers, uniform_centers
from gaussianimage.torch import HalveRate, Strategy, Training

# The largest filter, in px².
MOST_FILTER = 300.0


@dataclass(frozen=True)
class PlusRecipe:
    """A run of GaussianImage++; the defaults are the released code's, but for the step size.

    Parameters
    ----------
    iterations : int, default 50000
    learning_rate : float, default 0.018
        Of all parameters.
    grow_every : float, default 0.1
        Part of the iterations between two steps of growth.
    most_births : float, default 0.2
        Most Gaussians that are added at once, as a part of all; the code adds 1,000.
    prune_every : int, default 100
        Iterations between two removals of what is no covariance.
    halve_every : float, default 0.4
        Part of the iterations between two halvings of the step size.
    seed : int, default 1
    """

    iterations: int = 50000
    learning_rate: float = 0.018
    grow_every: float = 0.1
    most_births: float = 0.2
    prune_every: int = 100
    halve_every: float = 0.4
    seed: int = 1


def low_pass(count: int, size: tuple[int, int]) -> float:
    """Return the variance in px² that each of N Gaussians gets at its birth."""
    return min(MOST_FILTER, size[0] * size[1] / (9 * math.pi * count))


class DistortionDrivenGrowth(Strategy):
    """Adds Gaussians at the pixels of the largest absolute error, and removes invalid ones.

    Parameters
    ----------
    most : int
        The number of Gaussians to end with.
    recipe : PlusRecipe
    """

    def __init__(self, most: int, recipe: PlusRecipe) -> None:
        self._most = most
        self._recipe = recipe
        self._every = max(1, round(recipe.iterations * recipe.grow_every))
        self._births = max(1, round(most * recipe.most_births))

    def on_step(self, training: Training) -> None:
        """Prune and grow if it is time."""
        population = training.population
        if training.iteration % self._recipe.prune_every == 0:
            xx, xy, yy = population["shape"].detach().unbind(1)
            population.prune((xx <= 0) | (yy <= 0) | (xx * yy <= xy * xy))
        ends = training.iteration >= training.iterations
        if training.iteration % self._every == 0 and not ends:
            self._grow(training)

    def _grow(self, training: Training) -> None:
        count = min(self._births, self._most - len(training.population))
        if count <= 0:
            return
        height, width, channels = training.target.shape
        worst = training.error.abs().sum(2).flatten().topk(min(count, height * width)).indices
        generator = torch.Generator().manual_seed(self._recipe.seed + training.iteration)
        filtered = low_pass(len(training.population) + len(worst), (height, width))
        shape = start_shapes(len(worst), filtered, generator)
        rows = {"means": pixel_centers(worst, width), "shape": shape.to(worst.device)}
        training.population.add(rows | {"colors": torch.zeros(len(worst), channels)})


def start_shapes(count: int, filtered: float, generator: torch.Generator) -> Tensor:
    """Return covariances of newborn Gaussians, (N, 3), in px²."""
    shape = torch.rand(count, 3, generator=generator)
    # Off the diagonal the released code draws as much, which is no covariance for a small filter.
    shape[:, 1] = 0
    return shape + torch.tensor([filtered, 0.0, filtered])


def fit_plus(target: Tensor, count: int, recipe: PlusRecipe | None = None) -> CovarianceModel:
    """Fit Gaussians to a picture as GaussianImage++ does.

    Parameters
    ----------
    target : Tensor, (H, W, C), float32
        The picture, from 0 to 1.
    count : int
        The number of Gaussians N to end with.
    recipe : PlusRecipe, optional

    Returns
    -------
    CovarianceModel
    """
    recipe = PlusRecipe() if recipe is None else recipe
    size = (target.shape[0], target.shape[1])
    generator = torch.Generator().manual_seed(recipe.seed)
    first = max(1, count // 2)
    means = uniform_centers(first, size, generator)
    shape = start_shapes(first, low_pass(first, size), generator)
    colors = torch.zeros(first, target.shape[2])
    model = CovarianceModel(means, shape, colors, size).to(target.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, eps=1e-15)
    halving = HalveRate(max(1, round(recipe.iterations * recipe.halve_every)))
    strategies = [DistortionDrivenGrowth(count, recipe), halving]
    Training(model, target, optimizer, strategies).run(recipe.iterations)
    return model
