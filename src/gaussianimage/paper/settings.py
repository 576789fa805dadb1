"""The settings of a fit: model, number of Gaussians, recipe and device."""

from dataclasses import asdict, dataclass, field
from typing import Any

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import nn

from gaussianimage._util.arguments import positive
from gaussianimage.paper.models import MODELS, Start
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.released_code import ReleasedCode
from gaussianimage.paper.results import Setting
from gaussianimage.paper.training import LOOPS
from gaussianimage.torch.models.sum import Canvas, CholeskyModel, ScaleRotationModel

__all__ = ["FitSettings"]


@dataclass(frozen=True)
class FitSettings:
    """The settings of a fit, for any number of pictures.

    Parameters
    ----------
    gaussians : int
        Number of Gaussians N, from 1.
    model : str, default "cholesky"
        One of `MODELS`: "cholesky" or "rs" (scales and rotation), which the codec takes too;
        "opacity" (a sum with separate opacities), "alpha" (blended) or "3dgs".
    recipe : Recipe
        Optimizer, loss, length, seed; the paper's by default.
    offset : bool, default True
        Whether ½ px is added to lengths; "3dgs" has no such offset.
    fill : bool, default False
        Whether "3dgs" starts all over the picture rather than in a cube in its middle. From the
        cube, Gaussians take about 10,000 iterations to spread.
    device : str, default "cpu"
        "cpu" or "cuda".
    sh_degree : int, default 3
        Degree of the harmonics of "3dgs", 0 to 3.
    loop : {"auto", "native", "torch"}, default "auto"
        What does the iterations, see `train`. It changes results by rounding alone, and is no part
        of their identity.
    released : ReleasedCode, optional
        What is done as in the released code, for "cholesky" and "rs" in the compiled module.

    Raises
    ------
    TypeError, ValueError
        If a value has a wrong type, is out of range, or contradicts the model.
    """

    gaussians: int
    model: str = "cholesky"
    recipe: Recipe = field(default_factory=Recipe)
    offset: bool = True
    fill: bool = False
    device: str = "cpu"
    sh_degree: int = 3
    loop: str = "auto"
    released: ReleasedCode = field(default_factory=ReleasedCode)

    def __post_init__(self) -> None:
        positive("gaussians", self.gaussians)
        if self.model not in MODELS:
            raise ValueError(f"model: expected one of {', '.join(MODELS)}, got {self.model!r}")
        if not self.offset and self.model == "3dgs":
            raise ValueError("offset: the model 3dgs has none to leave out")
        if self.fill and self.model != "3dgs":
            raise ValueError(f"fill: only for the model 3dgs, got {self.model}")
        if not 0 <= self.sh_degree <= 3 or (self.sh_degree != 3 and self.model != "3dgs"):
            raise ValueError(f"sh_degree: expected 0 to 3, for 3dgs only, got {self.sh_degree}")
        if self.loop not in LOOPS:
            raise ValueError(f"loop: expected one of {', '.join(LOOPS)}, got {self.loop!r}")
        if self.released != ReleasedCode() and self.model not in ("cholesky", "rs"):
            raise ValueError(f"released: only for the models cholesky and rs, got {self.model}")
        if torch.device(self.device).type not in ("cpu", "cuda"):
            raise ValueError(f"device: expected cpu or cuda, got {self.device!r}")

    def values(self) -> dict[str, Any]:
        """Return all settings that determine the result, in types of JSON."""
        own = {name: getattr(self, name) for name in ("model", "gaussians", "offset", "fill")}
        # The usual degree is left out, so that earlier results keep their identity.
        degree = {} if self.sh_degree == 3 else {"sh_degree": self.sh_degree}
        followed = {name: value for name, value in asdict(self.released).items() if value}
        released = {"released": followed} if followed else {}
        device = {"device": torch.device(self.device).type}
        return own | degree | released | asdict(self.recipe) | device

    @property
    def setting(self) -> Setting:
        """The identity of these settings in a folder of results."""
        parts = [self.model, f"n{self.gaussians}", self.recipe.loss.replace("+", "-")]
        if self.sh_degree != 3:
            parts.append(f"sh{self.sh_degree}")
        if not self.offset:
            parts.append("no-offset")
        if self.released != ReleasedCode():
            parts.append("as-released")
        label = "-".join([*parts, f"i{self.recipe.iterations}"])
        return Setting("represent", label, self.values())

    def make_model(self, height: int, width: int) -> nn.Module:
        """Return a new model on the device, at its random start."""
        start = Start(
            gaussians=self.gaussians,
            height=height,
            width=width,
            seed=self.recipe.seed,
            offset=self.offset,
            fill=self.fill,
            sh_degree=self.sh_degree,
        )
        model = MODELS[self.model](start)
        if self.released.integer_pixels:
            assert isinstance(model, CholeskyModel | ScaleRotationModel)
            # Pixels of integer coordinates are at +½ here.
            canvas = Canvas(height, width, shift=0.5)
            model = type(model)(model.raw, canvas, offset=self.offset)
        return model.to(self.device)
