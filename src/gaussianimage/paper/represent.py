"""Pictures as Gaussians in floating point, by the paper's recipe: Tables 1, 3 and 5."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import numpy as np
import torch

from gaussianimage.fitting.progress import OnProgress, Progress
from gaussianimage.paper.checkpoints import load_model, save_model
from gaussianimage.paper.datasets import Dataset, Sample
from gaussianimage.paper.environment import environment
from gaussianimage.paper.measurement import PeakMemory, frames_per_second
from gaussianimage.paper.quality import draw, finite_decibels, measure_quality
from gaussianimage.paper.results import Record, Results, Setting
from gaussianimage.paper.saved_training import SavedTraining
from gaussianimage.paper.settings import FitSettings
from gaussianimage.paper.training import TrainingPoint, TrainingResult, train
from gaussianimage.picture import write

__all__ = ["Job", "history", "news", "represent", "save_picture", "warm_up"]


@dataclass(frozen=True)
class Job:
    """A picture's place in a run.

    Parameters
    ----------
    sample : Sample
    dataset : Dataset
        The dataset that the picture belongs to.
    results : Results
        Folder that the result is saved in.
    progress : callable, optional
        Called with a `Progress` about ten times a second.
    timed : float, default 1
        Least seconds for which frames are timed.
    """

    sample: Sample
    dataset: Dataset
    results: Results
    progress: OnProgress | None = None
    timed: float = 1.0

    def target(self, device: str) -> torch.Tensor:
        """Return the picture as a tensor, (H, W, 3)."""
        return torch.tensor(self.sample.pixels, device=device)

    def saved(self, setting: Setting) -> SavedTraining:
        """Return where the state of a training of the picture is saved while it runs."""
        return SavedTraining(self.results.path(setting, self.sample, ".partial.safetensors"))

    def save(
        self, setting: Setting, measured: dict[str, Any], device: torch.device, files: list[str]
    ) -> Record:
        """Save a result of the picture, and return its record.

        Parameters
        ----------
        setting : Setting
        measured : dict
            What was measured, by name.
        device : torch.device
            Device of the run.
        files : list of str
            Names of the result's other files, which are beside it.

        Raises
        ------
        OSError
            If the result can't be written.
        """
        height, width = self.sample.pixels.shape[:2]
        record = Record(
            kind=setting.kind,
            dataset=self.dataset.name_for(self.sample),
            picture=self.sample.name,
            digest=self.sample.digest,
            height=height,
            width=width,
            settings=dict(setting.values),
            measured=measured,
            environment=environment(device),
            files=files,
        )
        self.results.save(setting, self.sample, record)
        return record


def represent(job: Job, settings: FitSettings) -> Record:
    """Fit Gaussians to a picture, measure them, and save both.

    Parameters
    ----------
    job : Job
    settings : FitSettings

    Returns
    -------
    Record
        Measured: ``psnr`` (dB) and ``ms_ssim`` (None if a side is below 161 px) of the picture
        limited to 0..1, in floating point; ``psnr_trained``, that of the training's own picture,
        another one only where tiles cut Gaussians off as in the released code; ``seconds`` of
        training; ``fps``; ``memory_mib`` and ``memory_kind``, see `Memory`; ``parameters``;
        ``iterations`` done; ``loop``, "native" or "torch"; ``history``, a list of [iteration, dB,
        seconds]. An existing result of the same settings and pixels is returned unchanged.

    Raises
    ------
    GaussianImageError, OSError
        If the picture can't be read, the training diverges, or the result can't be written.
    """
    setting = settings.setting
    found = job.results.find(setting, job.sample)
    if found is not None:
        return found
    target = job.target(settings.device)
    height, width, _ = target.shape
    warm_up(settings, target)
    peak = PeakMemory(target.device)
    model = settings.make_model(height, width)
    saved = job.saved(setting)
    trained = train(
        model,
        target,
        settings.recipe,
        progress=news(job.progress, "fit", settings.gaussians),
        loop=settings.loop,
        saved=saved,
        released=settings.released,
    )
    memory = peak.read()
    with torch.no_grad():
        fps = frames_per_second(model, target.device, seconds=job.timed)
    path = job.results.path(setting, job.sample, ".safetensors")
    save_model(model, path)
    measured = measure_quality(job.sample.pixels, draw(model)) | {
        "psnr_trained": finite_decibels(trained.psnr),
        "seconds": trained.seconds,
        "fps": fps,
        "memory_mib": memory.mib,
        "memory_kind": memory.kind,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "iterations": trained.iterations,
        "loop": trained.loop,
        "history": history(trained),
    }
    record = job.save(setting, measured, target.device, [path.name])
    saved.remove()
    return record


def save_picture(job: Job, settings: FitSettings) -> Path:
    """Write the picture of a result as a PNG beside it, unless it is there.

    Raises
    ------
    FormatError, OSError
        If the model can't be read, or the picture can't be written.
    """
    path = job.results.path(settings.setting, job.sample, ".png")
    if not path.exists():
        model = load_model(path.with_suffix(".safetensors"))
        write(path, (draw(model) * 255 + 0.5).astype(np.uint8))
    return path


def warm_up(settings: FitSettings, target: torch.Tensor) -> None:
    """Train for one iteration, so that loading and compiling do not count in the first time."""
    model = settings.make_model(*target.shape[:2])
    train(model, target, replace(settings.recipe, iterations=1), loop=settings.loop)


def history(trained: TrainingResult) -> list[list[float]]:
    """Return the history of a training as a list of [iteration, dB, seconds]."""
    return [
        [point.iteration, round(finite_decibels(point.psnr), 4), round(point.seconds, 4)]
        for point in trained.history
    ]


def news(
    progress: OnProgress | None, stage: str, gaussians: int = 0
) -> Callable[[TrainingPoint], None] | None:
    """Return a training's callback that reports `Progress` with the time left."""
    if progress is None:
        return None

    def tell(point: TrainingPoint) -> None:
        left = point.iterations - point.iteration
        each = point.seconds / point.iteration if point.iteration else math.inf
        progress(
            Progress(
                stage=stage,
                iteration=point.iteration,
                iterations=point.iterations,
                gaussians=gaussians,
                psnr=point.psnr,
                seconds=point.seconds,
                seconds_left=left * each if left else 0.0,
                done=point.iteration / max(point.iterations, 1),
            )
        )

    return tell
