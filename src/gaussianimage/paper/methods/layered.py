"""Layers, as P-GSVC trains them: the first Gaussians of a file are a picture by themselves.

L. Zhang et al.: P-GSVC: layered progressive 2D Gaussian splatting for scalable image and video.
MMSys 2026. All layers are trained together: each iteration draws the layers up to one of them, in
turn, and the loss is that of this picture.
"""

from dataclasses import dataclass

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor, nn

from gaussianimage.torch import Adan, CholeskyModel, Physical, Strategy, Training


@dataclass(frozen=True)
class LayeredRecipe:
    """A run with layers; the other numbers are those of GaussianImage.

    Parameters
    ----------
    iterations : int, default 50000
    layers : int, default 4
        Number of layers of about the same number of Gaussians, from 1.
    learning_rate : float, default 1e-3
    joint : bool, default True
        Whether shorter pictures are trained too; otherwise only the whole one, for comparison.
    seed : int, default 1
    """

    iterations: int = 50000
    layers: int = 4
    learning_rate: float = 1e-3
    joint: bool = True
    seed: int = 1


class LayeredModel(nn.Module):
    """The first Gaussians of a model, up to the end of a layer.

    Parameters
    ----------
    model : CholeskyModel
    layers : int
        Number of layers.

    Attributes
    ----------
    shown : int
        Layers that a call draws.
    """

    def __init__(self, model: CholeskyModel, layers: int) -> None:
        super().__init__()
        self.model = model
        count = len(model.means)
        if not 1 <= layers <= count:
            raise ValueError(f"layers: expected 1 to {count}, got {layers}")
        self.ends = [round(count * (layer + 1) / layers) for layer in range(layers)]
        self.shown = layers

    def forward(self) -> Tensor:
        """Return the picture of the shown layers, (H, W, C), not clamped."""
        end = self.ends[self.shown - 1]
        physical = self.model.physical()
        return self.model.draw(Physical(*(tensor[:end] for tensor in physical)))

    @torch.no_grad()
    def pictures(self) -> list[Tensor]:
        """Return the picture after each layer."""
        before, pictures = self.shown, []
        for layer in range(1, len(self.ends) + 1):
            self.shown = layer
            pictures.append(self())
        self.shown = before
        return pictures


class EachLayerInTurn(Strategy):
    """Shows one layer more in each iteration, and begins again after the last one."""

    def on_start(self, training: Training) -> None:
        """Show the first layer."""
        self._show(training)

    def on_step(self, training: Training) -> None:
        """Show the next layer; all of them at the end."""
        self._show(training)

    def _show(self, training: Training) -> None:
        model = training.model
        assert isinstance(model, LayeredModel)
        layers = len(model.ends)
        ends = training.iteration >= training.iterations
        model.shown = layers if ends else training.iteration % layers + 1


def fit_layered(target: Tensor, count: int, recipe: LayeredRecipe | None = None) -> LayeredModel:
    """Fit Gaussians in layers to a picture.

    Parameters
    ----------
    target : Tensor, (H, W, C), float32
        The picture, from 0 to 1.
    count : int
        The number of Gaussians N of all layers.
    recipe : LayeredRecipe, optional
    """
    recipe = LayeredRecipe() if recipe is None else recipe
    height, width, channels = target.shape
    model = CholeskyModel.random(count, height, width, channels=channels, seed=recipe.seed)
    layered = LayeredModel(model.to(target.device), recipe.layers)
    optimizer = Adan(model.parameters(), lr=recipe.learning_rate)
    strategies = [EachLayerInTurn()] if recipe.joint else []
    Training(layered, target, optimizer, strategies, clamp=True).run(recipe.iterations)
    return layered
