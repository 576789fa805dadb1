"""Made-up results of runs, and a small picture with models that are fitted to it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from gaussianimage.paper.results import Record

if TYPE_CHECKING:
    from torch import Tensor

    from gaussianimage.paper.quantized_model import FlatModel

PARROT = Path(__file__).parents[1] / "data" / "parrot.png"

FIT = {
    "model": "cholesky",
    "gaussians": 1000,
    "offset": True,
    "fill": False,
    "iterations": 500,
    "learning_rate": 0.001,
    "halve_every": 20000,
    "loss": "l2",
    "seed": 1,
    "optimizer": "adan",
    "device": "cpu",
}
CODING = FIT | {
    "fine_tuning": 300,
    "color": "rvq",
    "color_bits": 6,
    "stages": 2,
    "entries": 8,
    "commitment": True,
}


@pytest.fixture
def fit() -> Callable[..., Record]:
    """Return a maker of results of `represent`."""

    def fit(psnr: float, picture: str = "kodim03", **changes: Any) -> Record:
        measured = {"psnr": psnr, "ms_ssim": 0.9, "seconds": 10.0, "fps": 500.0}
        measured |= {"memory_mib": 400.0, "memory_kind": "process", "parameters": 8000}
        return record("represent", picture, FIT | changes, measured)

    return fit


@pytest.fixture
def coding() -> Callable[..., Record]:
    """Return a maker of results of `compress`."""

    def coding(bpp: float, psnr: float, picture: str = "kodim03", **changes: Any) -> Record:
        rates = {"plain": bpp, "entropy": 0.95 * bpp, "bits-back": 0.85 * bpp}
        measured = {"psnr": psnr, "ms_ssim": psnr / 40, "bpp": rates, "formula_bpp": 0.99 * bpp}
        measured |= {"encode_seconds": 20.0, "decode_fps": {"plain": 300.0}}
        return record("compress", picture, CODING | changes, measured)

    return coding


def record(kind: str, picture: str, settings: dict[str, Any], measured: dict[str, Any]) -> Record:
    dataset = "kodak" if picture.startswith("kodim") else "other"
    return Record(kind, dataset, picture, f"#{picture}", 512, 768, settings, measured)


@pytest.fixture(scope="session")
def target() -> "Tensor":
    """Return a small part of a photo, (24, 32, 3)."""
    import torch

    with Image.open(PARROT) as photo:
        pixels = np.asarray(photo.convert("RGB"))[20:44, 30:62]
    return torch.tensor(pixels / 255, dtype=torch.float32)


@pytest.fixture(scope="session")
def fitted(target: "Tensor") -> "Callable[..., FlatModel]":
    """Return a maker of fitted models, each one new."""
    from gaussianimage.paper.recipe import Recipe
    from gaussianimage.paper.training import train
    from gaussianimage.torch.models.sum import CholeskyModel

    states: dict[type[FlatModel], dict[str, Tensor]] = {}

    def make(kind: "type[FlatModel]" = CholeskyModel) -> "FlatModel":
        model = kind.random(60, 24, 32)
        if kind not in states:
            train(model, target, Recipe().shortened(250, learning_rate=2e-2))
            states[kind] = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        model.load_state_dict(states[kind])
        return model

    return make
