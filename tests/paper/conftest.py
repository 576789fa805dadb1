"""Results as a run leaves them, made up."""

from collections.abc import Callable
from typing import Any

import pytest

from gaussianimage.paper.results import Record

FIT = {
    "model": "cholesky",
    "gaussians": 1000,
    "offset": True,
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
