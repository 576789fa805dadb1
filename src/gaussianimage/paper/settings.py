"""What a fit is of and how it starts: the models by their names on the command line."""

import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import gaussianimage.torch  # isort: skip  (says how to get PyTorch)
import torch
from torch import nn

import gaussianimage
from gaussianimage._util.arguments import positive
from gaussianimage.paper.machine import cpu_name
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.results import Setting
from gaussianimage.torch.models.opacity import BlendedModel, OpacityModel
from gaussianimage.torch.models.splatting import SplattingModel
from gaussianimage.torch.models.sum import CholeskyModel, ScaleRotationModel

__all__ = ["MODELS", "FitSettings", "check_device", "environment"]


def _splatting(settings: "FitSettings", size: tuple[int, int]) -> nn.Module:
    seed, count = settings.recipe.seed, settings.gaussians
    return SplattingModel.random(count, *size, seed=seed, fill=settings.fill)


def _flat(kind: type[CholeskyModel | ScaleRotationModel]) -> "_Maker":
    def make(settings: "FitSettings", size: tuple[int, int]) -> nn.Module:
        seed, count = settings.recipe.seed, settings.gaussians
        return kind.random(count, *size, seed=seed, offset=settings.offset)

    return make


_Maker = Callable[["FitSettings", tuple[int, int]], nn.Module]

# In the order of the paper's Table 3: from α-blending in space to a sum in the plane.
MODELS: Mapping[str, _Maker] = {
    "3dgs": _splatting,
    "alpha": _flat(BlendedModel),
    "opacity": _flat(OpacityModel),
    "cholesky": _flat(CholeskyModel),
    "rs": _flat(ScaleRotationModel),
}


@dataclass(frozen=True)
class FitSettings:
    """A fit of one picture, or of many alike.

    Parameters
    ----------
    gaussians : int
        N, from 1.
    model : str, default "cholesky"
        One of `MODELS`: "cholesky" or "rs" (scales and rotation), which the codec takes too;
        "opacity" (a sum with separate opacities), "alpha" (blended) or "3dgs".
    recipe : Recipe
        Optimizer, loss, length, seed; the paper's by default.
    offset : bool, default True
        Whether ½ px is added to lengths; not in "3dgs", which has no such offset.
    fill : bool, default False
        Whether "3dgs" starts all over the picture rather than in a cube in its middle, from where
        its Gaussians take some 10,000 iterations to spread.
    device : str, default "cpu"
        "cpu" or "cuda".

    Raises
    ------
    TypeError, ValueError
        If a value is of a wrong type or out of range, or doesn't go with the model.
    """

    gaussians: int
    model: str = "cholesky"
    recipe: Recipe = field(default_factory=Recipe)
    offset: bool = True
    fill: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        positive("gaussians", self.gaussians)
        if self.model not in MODELS:
            raise ValueError(f"model: expected one of {', '.join(MODELS)}, got {self.model!r}")
        if not self.offset and self.model == "3dgs":
            raise ValueError("offset: the model 3dgs has none to leave out")
        if self.fill and self.model != "3dgs":
            raise ValueError(f"fill: only for the model 3dgs, got {self.model}")
        if torch.device(self.device).type not in ("cpu", "cuda"):
            raise ValueError(f"device: expected cpu or cuda, got {self.device!r}")

    def values(self) -> dict[str, Any]:
        """Return all that decides the result, as JSON has it."""
        own = {name: getattr(self, name) for name in ("model", "gaussians", "offset", "fill")}
        return own | asdict(self.recipe) | {"device": torch.device(self.device).type}

    @property
    def setting(self) -> Setting:
        """Return it as a column of results."""
        parts = [self.model, f"n{self.gaussians}", self.recipe.loss.replace("+", "-")]
        if not self.offset:
            parts.append("no-offset")
        label = "-".join([*parts, f"i{self.recipe.iterations}"])
        return Setting("represent", label, self.values())

    def make_model(self, height: int, width: int) -> nn.Module:
        """Return a new model on the device, at its random start."""
        return MODELS[self.model](self, (height, width)).to(self.device)


def check_device(name: str) -> torch.device:
    """Return a device that is there.

    Raises
    ------
    ValueError
        There is no such device; the message says why.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device: expected cpu or cuda, got {name!r}") from None
    if device.type == "cuda":
        if not torch.cuda.is_available():
            built = (
                "" if torch.version.cuda else f", and PyTorch {torch.__version__} is built without"
            )
            raise ValueError(f"device: no CUDA device is available here{built}")
        if (device.index or 0) >= torch.cuda.device_count():
            raise ValueError(f"device: {name}: there are {torch.cuda.device_count()} CUDA devices")
    elif device.type != "cpu":
        raise ValueError(f"device: expected cpu or cuda, got {name!r}")
    return device


def environment(device: torch.device) -> dict[str, Any]:
    """Return what a result's times depend on: the machine, its threads, versions, the date."""
    found = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": cpu_name(),
        "threads": torch.get_num_threads(),
        "gaussianimage": gaussianimage.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(device)
    return found
