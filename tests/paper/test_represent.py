"""Fits of pictures: the measurements and files of a result, and no work done twice."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs PyTorch")


from gaussianimage.fitting.progress import Progress
from gaussianimage.metrics import psnr
from gaussianimage.paper import represent as module
from gaussianimage.paper.checkpoints import load_model
from gaussianimage.paper.datasets import Dataset, Sample
from gaussianimage.paper.models import MODELS
from gaussianimage.paper.quality import draw
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.represent import Job, represent
from gaussianimage.paper.results import Results
from gaussianimage.paper.settings import FitSettings

PARROT = Path(__file__).parent.parent / "data" / "parrot.png"
SETTINGS = FitSettings(40, recipe=Recipe(iterations=6, learning_rate=0.05))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    sample = Sample(PARROT)
    return Job(sample, Dataset("other", (sample,)), Results(tmp_path / "out"), timed=0)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_fitted_measured_and_kept(job: Job, model: str) -> None:
    settings = dataclasses.replace(SETTINGS, model=model)
    start = psnr(job.sample.pixels, draw(settings.make_model(64, 96)))
    record = represent(job, settings)
    assert record.measured["psnr"] > start
    each = {"3dgs": 59, "alpha": 9, "opacity": 9, "cholesky": 8, "rs": 8}[model]
    assert record.measured["parameters"] == 40 * each
    assert record.measured["iterations"] == 6
    assert record.measured["ms_ssim"] is None
    assert min(record.measured[name] for name in ("seconds", "fps", "memory_mib")) > 0
    assert (record.height, record.width, record.dataset) == (64, 96, "other")
    assert job.results.all() == [record]


def test_the_checkpoint_draws_the_picture_that_was_measured(job: Job) -> None:
    record = represent(job, SETTINGS)
    path = job.results.path(SETTINGS.setting, job.sample, ".safetensors")
    assert record.files == [path.name]
    shown = draw(load_model(path))
    assert psnr(job.sample.pixels, shown) == pytest.approx(record.measured["psnr"], abs=1e-4)


def test_the_history_goes_from_the_start_to_the_end(job: Job) -> None:
    record = represent(job, SETTINGS)
    iterations, qualities, seconds = zip(*record.measured["history"], strict=True)
    assert iterations == tuple(range(7))
    assert qualities[-1] == pytest.approx(record.measured["psnr"], abs=0.01)
    assert list(seconds) == sorted(seconds)


def test_what_is_there_is_not_done_again(job: Job, monkeypatch: Any) -> None:
    record = represent(job, SETTINGS)
    monkeypatch.setattr(module, "train", None)
    assert represent(job, SETTINGS) == record
    with pytest.raises(TypeError):
        represent(job, dataclasses.replace(SETTINGS, offset=False))


def test_a_run_that_was_cut_short_leaves_no_result_and_starts_again(job: Job) -> None:
    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        represent(dataclasses.replace(job, progress=stop), SETTINGS)
    assert job.results.find(SETTINGS.setting, job.sample) is None
    assert represent(job, SETTINGS).measured["iterations"] == 6


def test_the_same_settings_give_the_same_numbers(job: Job, tmp_path: Path) -> None:
    again = dataclasses.replace(job, results=Results(tmp_path / "again"))
    assert represent(job, SETTINGS).measured["psnr"] == represent(again, SETTINGS).measured["psnr"]


def test_progress_counts_to_the_end(job: Job) -> None:
    told: list[Progress] = []
    represent(dataclasses.replace(job, progress=told.append), SETTINGS)
    last = told[-1]
    assert (last.stage, last.iteration, last.iterations) == ("fit", 6, 6)
    assert last.gaussians == 40
    assert last.seconds_left == 0


def test_no_iterations_measure_the_start(job: Job) -> None:
    settings = dataclasses.replace(SETTINGS, recipe=Recipe(iterations=0))
    expected = psnr(job.sample.pixels, draw(settings.make_model(64, 96)))
    assert represent(job, settings).measured["psnr"] == pytest.approx(expected)
