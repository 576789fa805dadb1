"""SmartSplat's start: Gaussians where the picture varies, and between them where it does not.

L. Li et al.: SmartSplat: feature-smart Gaussians for scalable compression of ultra-high-resolution
images. AAAI 2026, arXiv 2512.20377. Of the Gaussians, 70 % are drawn with probability proportional
to gradient and color variance, and are the smaller the more there is; 30 % are spread over the
rest, each far from the others. A color is the weighted median of the pixels around. How a scale
depends on the variation is this file's own choice: it falls with its square root.
"""

import math
from dataclasses import dataclass

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from gaussianimage.paper.methods.image_gs import gradient_magnitude
from gaussianimage.paper.methods.models import ScaledModel, pixel_centers
from gaussianimage.torch import Training
from gaussianimage.torch.losses import l1, ssim

# The part of the Gaussians that is drawn by the picture's variation.
VARIATIONAL = 0.7

# Candidates for each of the others, of which the farthest from all Gaussians is taken.
_CANDIDATES = 8

# The pixels a side of the window of a color's median, and of the variance.
_WINDOW = 7


@dataclass(frozen=True)
class SmartRecipe:
    """A run from SmartSplat's start; the defaults are those of its code.

    Parameters
    ----------
    iterations : int, default 50000
    rates : (float, float, float)
        Step sizes of centers relative to the picture's larger side, of the shape and of colors.
    smart : bool, default True
        Whether the start is SmartSplat's; otherwise it is uniform, with equal scales.
    seed : int, default 1
    """

    iterations: int = 50000
    rates: tuple[float, float, float] = (1e-4, 5e-2, 5e-3)
    smart: bool = True
    seed: int = 1


def smart_start(target: Tensor, count: int, *, seed: int = 1) -> ScaledModel:
    """Return SmartSplat's start for a picture.

    Parameters
    ----------
    target : Tensor, (H, W, C), float32
    count : int
        The number of Gaussians N.
    seed : int, default 1
    """
    height, width, _ = target.shape
    generator = torch.Generator().manual_seed(seed)
    chance = _variation(target.cpu())
    drawn = min(round(count * VARIATIONAL), height * width)
    chosen = torch.multinomial(chance.flatten().double(), drawn, generator=generator)
    base = math.sqrt(height * width / (math.pi * count)) / 3
    relative = chance.flatten()[chosen] / chance.mean()
    centers = [pixel_centers(chosen, width)]
    scales = [base * relative.clamp(1 / 9, 9).rsqrt()]
    rest = count - drawn
    if rest:
        spread, distances = _spread(centers[0], rest, (height, width), generator)
        centers.append(spread)
        scales.append((distances / 3).clamp(base / 3, 3 * base))
    means, scale = torch.cat(centers), torch.cat(scales)
    shape = torch.stack([scale, scale, torch.zeros_like(scale)], 1)
    colors = _median_colors(target.cpu(), means, scale)
    return ScaledModel(means, shape, colors, (height, width)).to(target.device)


def smart_loss(image: Tensor, target: Tensor) -> Tensor:
    """Return 0.9 L1 plus 0.1 (1 − SSIM)."""
    return 0.9 * l1(image, target) + 0.1 * ssim(image, target)


def fit_smart(target: Tensor, count: int, recipe: SmartRecipe | None = None) -> ScaledModel:
    """Fit Gaussians to a picture from SmartSplat's start.

    Parameters
    ----------
    target : Tensor, (H, W, C), float32
        The picture, from 0 to 1, of at least 11 x 11 pixels.
    count : int
        The number of Gaussians N.
    recipe : SmartRecipe, optional
    """
    recipe = SmartRecipe() if recipe is None else recipe
    model = smart_start(target, count, seed=recipe.seed)
    if not recipe.smart:
        model = _uniform_start(target, model, recipe.seed)
    xy, shape, colors = recipe.rates
    groups = [
        {"params": [model.means], "lr": xy * max(target.shape[:2])},
        {"params": [model.shape], "lr": shape},
        {"params": [model.colors], "lr": colors},
    ]
    Training(model, target, torch.optim.Adam(groups), loss=smart_loss).run(recipe.iterations)
    return model


def _variation(target: Tensor) -> Tensor:
    """Return the chance of each pixel, (H, W): gradient and variance, each relative to its mean."""
    planes = target.movedim(2, 0)[None]
    pad = _WINDOW // 2
    mean, square = (
        avg_pool2d(part, _WINDOW, 1, pad, count_include_pad=False) for part in (planes, planes**2)
    )
    variance = (square - mean**2).clamp_min(0).sum(1)[0]
    parts = (gradient_magnitude(target), variance.sqrt())
    chance = sum(part / part.mean().clamp_min(1e-9) for part in parts)
    assert isinstance(chance, Tensor)
    return chance + 1e-3


def _spread(
    taken: Tensor, count: int, size: tuple[int, int], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return centers far from those taken and from one another, and these distances, in px."""
    limit = torch.tensor([size[1], size[0]])
    centers, distances = [], []
    while count > 0:
        # In rounds, so that a center keeps away from those of earlier rounds.
        part = min(count, max(16, count // 4))
        offered = torch.rand(part, _CANDIDATES, 2, generator=generator) * limit
        nearest = torch.cdist(offered.flatten(0, 1), taken).amin(1) if len(taken) else None
        far = torch.zeros(part, _CANDIDATES) if nearest is None else nearest.view(part, -1)
        best = far.max(1)
        centers.append(offered[torch.arange(part), best.indices])
        distances.append(best.values)
        taken = torch.cat([taken, centers[-1]])
        count -= part
    return torch.cat(centers), torch.cat(distances)


def _median_colors(target: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    """Return the median color around each center, weighted by the Gaussian, (N, C)."""
    height, width, channels = target.shape
    offsets = torch.arange(_WINDOW) - _WINDOW // 2
    # The window covers ±2 σ.
    step = (4 * scales / _WINDOW).clamp_min(0.5)
    x = means[:, 0, None] + step[:, None] * offsets
    y = means[:, 1, None] + step[:, None] * offsets
    columns = x.floor().long().clamp(0, width - 1)[:, None, :].expand(-1, _WINDOW, -1)
    rows = y.floor().long().clamp(0, height - 1)[:, :, None].expand(-1, -1, _WINDOW)
    values = target[rows, columns].flatten(1, 2)  # (N, W², C)
    distance = (offsets[:, None] ** 2 + offsets**2).flatten() * (step / scales)[:, None] ** 2
    weights = (-distance / 2).exp()
    order = values.argsort(1)
    spread = weights[:, :, None].expand(-1, -1, channels).gather(1, order).cumsum(1)
    middle = (spread < spread[:, -1:] / 2).sum(1, keepdim=True)
    return values.gather(1, order).gather(1, middle)[:, 0]


def _uniform_start(target: Tensor, smart: ScaledModel, seed: int) -> ScaledModel:
    """Return a start with the same number of Gaussians, uniform and of equal size."""
    height, width, _ = target.shape
    generator = torch.Generator().manual_seed(seed)
    count = len(smart.means)
    means = torch.rand(count, 2, generator=generator) * torch.tensor([width, height])
    scale = torch.full((count,), math.sqrt(height * width / (math.pi * count)) / 3)
    shape = torch.stack([scale, scale, torch.zeros_like(scale)], 1)
    colors = _median_colors(target.cpu(), means, scale)
    return ScaledModel(means, shape, colors, (height, width)).to(target.device)
