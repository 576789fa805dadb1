"""The methods by their names, each with a short recipe, and a run of one on a picture."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor, nn

from gaussianimage._util.files import write_atomic
from gaussianimage.paper.methods.gaussianimage_plus import PlusRecipe, fit_plus
from gaussianimage.paper.methods.image_gs import ImageGsRecipe, fit_image_gs
from gaussianimage.paper.methods.layered import LayeredModel, LayeredRecipe, fit_layered
from gaussianimage.paper.methods.lig import LigRecipe, fit_lig
from gaussianimage.paper.methods.plus_codec import compress_plus, from_bytes
from gaussianimage.paper.methods.smart_splat import SmartRecipe, fit_smart
from gaussianimage.paper.quality import measure_quality
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.represent import Job
from gaussianimage.paper.results import Record, Setting
from gaussianimage.paper.training import train
from gaussianimage.torch import CholeskyModel

__all__ = ["METHODS", "MethodSettings", "run_method"]

Fit = Callable[[Tensor, int, int, int], nn.Module]  # picture, N, iterations, seed

# Below this length the step sizes of full runs end far from an optimum; they are raised.
_SHORT = 10_000
# The part of the iterations that the codec's fine-tuning takes of GaussianImage++.
_FINE_TUNING = 0.5


def _paper(target: Tensor, count: int, iterations: int, seed: int) -> nn.Module:
    height, width, channels = target.shape
    model = CholeskyModel.random(count, height, width, channels=channels, seed=seed)
    rate = 0.018 if iterations < _SHORT else None
    recipe = Recipe(seed=seed).shortened(iterations, learning_rate=rate)
    model = model.to(target.device)
    train(model, target, recipe)
    return model


def _plus(target: Tensor, count: int, iterations: int, seed: int) -> nn.Module:
    rate = 0.1 if iterations < _SHORT else 0.018
    return fit_plus(target, count, PlusRecipe(iterations, rate, seed=seed))


def _lig(target: Tensor, count: int, iterations: int, seed: int) -> nn.Module:
    rate = 0.1 if iterations < _SHORT else 0.018
    return fit_lig(target, count, LigRecipe(iterations, rate, seed=seed))


def _image_gs(target: Tensor, count: int, iterations: int, seed: int) -> nn.Module:
    speed = 4.0 if iterations < 1000 else 1.0
    return fit_image_gs(target, count, ImageGsRecipe(iterations, speed=speed, seed=seed))


def _smart(target: Tensor, count: int, iterations: int, seed: int) -> nn.Module:
    return fit_smart(target, count, SmartRecipe(iterations, seed=seed))


def _layered(target: Tensor, count: int, iterations: int, seed: int) -> nn.Module:
    rate = 0.018 if iterations < _SHORT else 1e-3
    return fit_layered(target, count, LayeredRecipe(iterations, learning_rate=rate, seed=seed))


METHODS: Mapping[str, Fit] = {
    "gaussianimage": _paper,
    "gaussianimage++": _plus,
    "lig": _lig,
    "image-gs": _image_gs,
    "smartsplat": _smart,
    "layered": _layered,
}


@dataclass(frozen=True)
class MethodSettings:
    """A method's run, for any number of pictures.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    gaussians : int
        Number of Gaussians N.
    iterations : int
    seed : int, default 1
    codec : bool, default False
        Whether GaussianImage++ also quantizes, with half as many iterations more.
    device : str, default "cpu"
    """

    method: str
    gaussians: int
    iterations: int
    seed: int = 1
    codec: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {self.method!r}")
        if self.codec and self.method != "gaussianimage++":
            raise ValueError(f"codec: only gaussianimage++ has one here, got {self.method}")

    @property
    def setting(self) -> Setting:
        """The identity of these settings in a folder of results."""
        name = self.method.replace("+", "p") + ("-codec" if self.codec else "")
        label = f"{name}-n{self.gaussians}-i{self.iterations}"
        values = asdict(self) | {"device": torch.device(self.device).type}
        return Setting("methods", label, values)


def run_method(job: Job, settings: MethodSettings) -> Record:
    """Fit Gaussians to a picture by a method, measure and save the result.

    Parameters
    ----------
    job : Job
    settings : MethodSettings

    Returns
    -------
    Record
        Measured: ``psnr`` (dB) and ``ms_ssim`` of the picture limited to 0..1, ``seconds``, and
        with a codec ``bpp``, ``bytes`` and ``coded_psnr``; with layers ``layers``, the dB after
        each. An existing result of the same settings and pixels is returned unchanged.

    Raises
    ------
    GaussianImageError, OSError
        If the picture can't be read, or the result can't be written.
    """
    setting = settings.setting
    found = job.results.find(setting, job.sample)
    if found is not None:
        return found
    target = job.target(settings.device)
    height, width, _ = target.shape
    began = time.perf_counter()
    fit = METHODS[settings.method]
    model = fit(target, settings.gaussians, settings.iterations, settings.seed)
    measured: dict[str, Any] = _measure(job, model) | {"seconds": time.perf_counter() - began}
    files = []
    if isinstance(model, LayeredModel):
        layers = [_quality(job, picture)["psnr"] for picture in model.pictures()]
        measured["layers"] = [round(float(layer or 0), 3) for layer in layers]
    if settings.codec:
        steps = max(1, round(settings.iterations * _FINE_TUNING))
        rate = 0.1 if settings.iterations < _SHORT else 0.018
        data = compress_plus(model, target, steps, learning_rate=rate)  # type: ignore[arg-type]
        path = job.results.path(setting, job.sample, ".bin")
        write_atomic(path, data)
        files.append(path.name)
        coded = _measure(job, from_bytes(data))["psnr"]
        rate_in_bits = 8 * len(data) / (height * width)
        measured |= {"bytes": len(data), "bpp": rate_in_bits, "coded_psnr": coded}
        measured["seconds"] = time.perf_counter() - began
    return job.save(setting, measured, target.device, files)


@torch.no_grad()
def _measure(job: Job, model: nn.Module) -> dict[str, Any]:
    return _quality(job, model())


def _quality(job: Job, picture: Tensor) -> dict[str, Any]:
    pixels = picture.detach().clamp(0, 1).cpu().numpy()
    return dict(measure_quality(job.sample.pixels, pixels))
