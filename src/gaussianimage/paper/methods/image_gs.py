"""Image-GS: starts where the gradient is, grows where the error is, and blends the top K.

Y. Zhang et al.: Image-GS: content-adaptive image representation via 2D Gaussians. SIGGRAPH 2025,
arXiv 2407.01866. A pixel is the weighted mean of its K nearest Gaussians' colors. Half of the
Gaussians are there from the start, most of them drawn with probability proportional to the
picture's gradient; four times an eighth is drawn with probability proportional to the error.
"""

from dataclasses import dataclass

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor, nn

from gaussianimage.paper.methods.models import pixel_centers
from gaussianimage.torch import (
    PAPER_Q_MAX,
    Strategy,
    Training,
    cholesky_from_scale_rotation,
    top_k_blend,
)
from gaussianimage.torch.losses import l1, ssim

_STEPS_OF_GROWTH = 4


@dataclass(frozen=True)
class ImageGsRecipe:
    """A run of Image-GS; the defaults are the released code's.

    Parameters
    ----------
    iterations : int, default 5000
    top : int, default 10
        The contributors K of a pixel.
    gradient_share : float, default 0.7
        The part of the first Gaussians that is drawn by the gradient; the others are uniform.
    radius : float, default 5
        The standard deviation at the start, in pixels.
    rates : (float, float, float, float)
        Step sizes of centers relative to the picture, of 1 / scales, of angles and of colors.
    grow_every : float, default 0.1
        Part of the iterations between two steps of growth.
    speed : float, default 1
        Factor of all step sizes, for short runs.
    seed : int, default 1
    """

    iterations: int = 5000
    top: int = 10
    gradient_share: float = 0.7
    radius: float = 5.0
    rates: tuple[float, float, float, float] = (5e-4, 2e-3, 2e-3, 5e-3)
    grow_every: float = 0.1
    speed: float = 1.0
    seed: int = 1


class TopBlendedModel(nn.Module):
    """Gaussians with centers from 0 to 1, inverse scales, angles and colors, blended by the top K.

    Parameters
    ----------
    rows : dict of str to Tensor
        "means" (N, 2), "inverse" (N, 2) in 1/px, "angles" (N,), "colors" (N, C).
    size : (int, int)
        Height and width of the picture in pixels.
    top : int
        The contributors K of a pixel.
    """

    means: nn.Parameter
    inverse: nn.Parameter
    angles: nn.Parameter
    colors: nn.Parameter

    def __init__(self, rows: dict[str, Tensor], size: tuple[int, int], top: int) -> None:
        super().__init__()
        self.size = size
        self.top = top
        for name in ("means", "inverse", "angles", "colors"):
            self.register_parameter(name, nn.Parameter(rows[name].detach().clone()))

    def forward(self) -> Tensor:
        """Return the picture, (H, W, C), not clamped."""
        means = self.means * self.means.new_tensor([self.size[1], self.size[0]])
        factor = cholesky_from_scale_rotation(1 / self.inverse, self.angles)
        return top_k_blend(means, factor, self.colors, *self.size, self.top, q_max=PAPER_Q_MAX)


class ErrorDrivenGrowth(Strategy):
    """Adds an eighth of the Gaussians four times, at pixels drawn by their squared error.

    Parameters
    ----------
    most : int
        The number of Gaussians to end with.
    recipe : ImageGsRecipe
    """

    def __init__(self, most: int, recipe: ImageGsRecipe) -> None:
        self._births = max(1, round(most / 8))
        self._most = most
        self._recipe = recipe
        self._every = max(1, round(recipe.iterations * recipe.grow_every))

    def on_step(self, training: Training) -> None:
        """Grow if it is time, and start the optimizer again as the released code does."""
        step, rest = divmod(training.iteration, self._every)
        if rest or step > _STEPS_OF_GROWTH:
            return
        count = min(self._births, self._most - len(training.population))
        if count > 0:
            generator = torch.Generator().manual_seed(self._recipe.seed + training.iteration)
            error = training.error
            chance = error.square().sum(2)
            # The color of a newborn is what the picture lacks there, on top of what is there.
            colors = training.target
            rows = newborn(chance, colors, count, self._recipe.radius, generator)
            training.population.add(rows)
            training.population.reset_state()


def newborn(
    chance: Tensor, colors: Tensor, count: int, radius: float, generator: torch.Generator
) -> dict[str, Tensor]:
    """Draw round Gaussians at pixels by their chance, (H, W), without repetition if possible."""
    height, width = chance.shape
    weights = chance.detach().cpu().flatten().double() + 1e-12
    chosen = torch.multinomial(weights, count, count > len(weights), generator=generator)
    limit = torch.tensor([width, height])
    return {
        "means": pixel_centers(chosen, width) / limit,
        "inverse": torch.full((count, 2), 1 / radius),
        "angles": torch.zeros(count),
        "colors": colors.detach().cpu().reshape(height * width, -1)[chosen],
    }


def gradient_magnitude(picture: Tensor) -> Tensor:
    """Return the length of the central differences of a picture, (H, W), over all channels."""
    planes = picture.movedim(2, 0)
    across, down = torch.zeros_like(planes), torch.zeros_like(planes)
    across[:, :, 1:-1] = (planes[:, :, 2:] - planes[:, :, :-2]) / 2
    down[:, 1:-1] = (planes[:, 2:] - planes[:, :-2]) / 2
    return (across.square() + down.square()).sum(0).sqrt()


def image_gs_loss(image: Tensor, target: Tensor) -> Tensor:
    """Return L1 plus a tenth of 1 − SSIM."""
    return l1(image, target) + 0.1 * ssim(image, target)


def fit_image_gs(
    target: Tensor, count: int, recipe: ImageGsRecipe | None = None
) -> TopBlendedModel:
    """Fit Gaussians to a picture as Image-GS does.

    Parameters
    ----------
    target : Tensor, (H, W, C), float32
        The picture, from 0 to 1, of at least 11 x 11 pixels.
    count : int
        The number of Gaussians N to end with.
    recipe : ImageGsRecipe, optional

    Returns
    -------
    TopBlendedModel
    """
    recipe = ImageGsRecipe() if recipe is None else recipe
    height, width, _ = target.shape
    generator = torch.Generator().manual_seed(recipe.seed)
    first = max(1, count // 2)
    chance = gradient_magnitude(target)
    uniform = chance.new_full((height, width), float(chance.mean()))
    share = recipe.gradient_share
    mixed = share * chance + (1 - share) * uniform
    rows = newborn(mixed, target, first, recipe.radius, generator)
    model = TopBlendedModel(rows, (height, width), recipe.top).to(target.device)
    rates = [rate * recipe.speed for rate in recipe.rates]
    parameters = (model.means, model.inverse, model.angles, model.colors)
    groups = [
        {"params": [parameter], "lr": rate}
        for parameter, rate in zip(parameters, rates, strict=True)
    ]
    growth = ErrorDrivenGrowth(count, recipe)
    training = Training(model, target, torch.optim.Adam(groups), [growth], loss=image_gs_loss)
    training.run(recipe.iterations)
    return model
