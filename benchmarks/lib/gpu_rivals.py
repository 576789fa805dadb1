"""Ways to draw the Gaussians of a model on a GPU, and what their pixels are held to.

- Our kernels, called as the others are, without a CUDA graph.
- A plain loop: every pixel looks at every Gaussian.
- The paper's fork of gsplat (https://github.com/XingtongGe/gsplat), which adds Gaussians up, where
  it is installed. It cuts Gaussians off where the tiles of their 3 σ end and draws at most 256 of
  a tile, so its pixels may differ a little more.
- gsplat itself, from PyPI, where it is installed. It has no sum: it blends, and a pixel ends where
  nothing behind is seen. The footprints are the same; its pixels are held to `alpha_blend`.

What is not installed, fails or draws other pixels is not timed, and the reason is kept.
"""

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from gaussianimage.torch.models.blending import alpha_blend
from gaussianimage.torch.models.sum import CholeskyModel, Physical

# The root mean square by which pixels may differ: a quarter of a level of 8 bits.
MOST_DIFFERENCE = 1e-3

Draw = Callable[[], Tensor]


@dataclass(frozen=True)
class Rival:
    """A way to draw.

    Parameters
    ----------
    name : str
        As in tables; it says what is drawn, if that isn't the sum.
    prepare : callable
        Takes a model; returns what draws its picture, (H, W, 3). Raises ImportError if something is
        not installed.
    expect : callable
        Takes the same model on the CPU; returns the picture.
    most : float
        The largest root mean square of the difference.
    """

    name: str
    prepare: Callable[[CholeskyModel], Draw]
    expect: Callable[[CholeskyModel], Tensor]
    most: float = MOST_DIFFERENCE


@dataclass(frozen=True)
class Drawing:
    """What a rival gave.

    Attributes
    ----------
    name : str
    difference : float or None
        Root mean square of the difference between its pixels and those of the CPU.
    seconds : float or None
        Seconds of a picture; None if it was not timed.
    reason : str
        Why it was not timed.
    """

    name: str
    difference: float | None
    seconds: float | None
    reason: str = ""


def difference(image: Tensor, expected: Tensor) -> float:
    """Return the root mean square of the difference; infinite if any pixel is not finite."""
    apart = float((image.detach().cpu().double() - expected.double()).square().mean().sqrt())
    return apart if math.isfinite(apart) else math.inf


@torch.no_grad()
def time_rival(
    rival: Rival, model: CholeskyModel, on_cpu: CholeskyModel, seconds_of: Callable[[Draw], float]
) -> Drawing:
    """Check the pixels of a rival, and time it if they are right.

    Parameters
    ----------
    rival : Rival
    model : CholeskyModel
        The model, of three channels, on the device to measure.
    on_cpu : CholeskyModel
        Its copy on the CPU.
    seconds_of : callable
        Returns the seconds of a call.
    """
    # A rival's failure, of whatever kind, must not take the figures of the others.
    try:
        draw = rival.prepare(model)
        apart = difference(draw(), rival.expect(on_cpu))
        if apart > rival.most:
            return Drawing(rival.name, apart, None, f"other pixels: {apart:.2g} RMS")
        return Drawing(rival.name, apart, seconds_of(draw))
    except ImportError as error:
        return Drawing(rival.name, None, None, f"not installed: {error}")
    except Exception as error:  # noqa: BLE001
        return Drawing(rival.name, None, None, f"{type(error).__name__}: {error}")


def _sum(model: CholeskyModel) -> Tensor:
    picture: Tensor = model()
    return picture


def _ours(model: CholeskyModel) -> Draw:
    return lambda: _sum(model)


def _plain(model: CholeskyModel) -> Draw:
    from lib.plain_loop import draw_plainly

    canvas = model.canvas
    size = canvas.height, canvas.width

    def draw() -> Tensor:
        return draw_plainly(*model.physical(), size, canvas.q_max)

    return draw


def _part(name: str) -> ModuleType:
    return importlib.import_module(name)


def _fork(model: CholeskyModel) -> Draw:
    project = _part("gsplat.project_gaussians_2d").project_gaussians_2d
    rasterize = _part("gsplat.rasterize_sum").rasterize_gaussians_sum
    height, width, side = model.canvas.height, model.canvas.width, 16
    tiles = (-(-width // side), -(-height // side), 1)
    opacities = torch.ones(len(model.means), 1, device=model.means.device)
    extent = model.means.new_tensor([width, height])

    def draw() -> Tensor:
        physical = model.physical()
        # From -1 to 1 over the picture, whose pixels have integer coordinates there.
        means = 2 * (physical.means - 0.5) / extent - 1
        projected = project(means, physical.cholesky, height, width, tiles)
        background = torch.zeros(3, device=means.device)
        image: Tensor = rasterize(
            *projected,
            physical.colors,
            opacities,
            height,
            width,
            side,
            side,
            background=background,
            return_alpha=False,
        )
        return image

    return draw


def _blended(model: CholeskyModel) -> Tensor:
    physical, canvas = model.physical(), model.canvas
    opacities = torch.ones(len(physical.means))
    return alpha_blend(*physical, opacities, canvas.height, canvas.width)[0]


def _gsplat(model: CholeskyModel) -> Draw:
    gsplat = _part("gsplat")
    parts = ("isect_tiles", "isect_offset_encode", "rasterize_to_pixels")
    missing = [name for name in parts if not hasattr(gsplat, name)]
    if missing:
        raise ImportError(f"this gsplat has no {missing[0]}")
    height, width, side = model.canvas.height, model.canvas.width, 16
    across, down = -(-width // side), -(-height // side)
    count = len(model.means)
    # Equal depths: the sort keeps the order of the Gaussians.
    depths = torch.zeros(1, count, device=model.means.device)
    opacities = torch.ones(1, count, device=model.means.device)

    def draw() -> Tensor:
        means, conics, radii = ellipses(model.physical(), model.canvas.q_max)
        _, keys, order = gsplat.isect_tiles(means, radii, depths, side, across, down)
        starts = gsplat.isect_offset_encode(keys, 1, across, down)
        image: Tensor = gsplat.rasterize_to_pixels(
            means, conics, model.colors[None], opacities, width, height, side, starts, order
        )[0][0]
        return image

    return draw


def ellipses(physical: Physical, q_max: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return centers, Σ⁻¹ as xx, xy, yy, and radii in whole pixels, as gsplat takes them."""
    l11, l21, l22 = physical.cholesky.unbind(1)
    down = torch.hypot(l21, l22)
    # Σ⁻¹ = L⁻ᵀ L⁻¹ with L⁻¹ = [[1 / l₁₁, 0], [low, 1 / l₂₂]].
    low = -l21 / (l11 * l22)
    conics = torch.stack([l11**-2 + low * low, low / l22, l22**-2], 1)
    radii = (math.sqrt(2 * q_max) * torch.stack([l11.abs(), down], 1)).ceil().int()
    return physical.means[None], conics[None], radii[None]


RIVALS = (
    Rival("gaussianimage", _ours, _sum),
    Rival("plain loop", _plain, _sum),
    Rival("gsplat, the paper's fork", _fork, _sum, most=1e-2),
    Rival("gsplat (blends)", _gsplat, _blended),
)
