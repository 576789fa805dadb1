"""The models of the paper's Table 3 by their names on the command line, with random starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
from torch import nn

from gaussianimage.torch.models.opacity import BlendedModel, OpacityModel
from gaussianimage.torch.models.splatting import SplattingModel
from gaussianimage.torch.models.sum import CholeskyModel, ScaleRotationModel

__all__ = ["MODELS", "Start"]


@dataclass(frozen=True)
class Start:
    """The random start of a model.

    Parameters
    ----------
    gaussians : int
        Number of Gaussians N, from 1.
    height, width : int
        Size of the picture in pixels.
    seed : int
        Seed of the random numbers.
    offset : bool
        Whether ½ px is added to lengths; "3dgs" has no such offset.
    fill : bool
        Whether "3dgs" starts all over the picture rather than in a cube in its middle; other
        models ignore it.
    sh_degree : int, default 3
        Degree of the harmonics of "3dgs", 0 to 3; other models ignore it.
    """

    gaussians: int
    height: int
    width: int
    seed: int
    offset: bool
    fill: bool
    sh_degree: int = 3


class Maker(Protocol):
    """Makes a new model."""

    def __call__(self, start: Start) -> nn.Module:
        """Return the model at its start, on the CPU."""


def _make_splatting(start: Start) -> nn.Module:
    return SplattingModel.random(
        start.gaussians,
        start.height,
        start.width,
        seed=start.seed,
        fill=start.fill,
        degree=start.sh_degree,
    )


def _maker(kind: type[CholeskyModel | ScaleRotationModel]) -> Maker:
    def make(start: Start) -> nn.Module:
        return kind.random(
            start.gaussians, start.height, start.width, seed=start.seed, offset=start.offset
        )

    return make


# In the order of the paper's Table 3: from α-blending in space to a sum in the plane.
MODELS: Mapping[str, Maker] = {
    "3dgs": _make_splatting,
    "alpha": _maker(BlendedModel),
    "opacity": _maker(OpacityModel),
    "cholesky": _maker(CholeskyModel),
    "rs": _maker(ScaleRotationModel),
}
