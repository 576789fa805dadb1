"""Fine-tuning with the quantizers in place, and the resulting file."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import Tensor
from torch_hosts import Examined, examine

import gaussianimage
from gaussianimage.codec.paper_profile.file import encode_record
from gaussianimage.metrics import psnr
from gaussianimage.paper import fine_tuning
from gaussianimage.paper.fine_tuning import fine_tune
from gaussianimage.paper.quantized_model import VARIANTS, FlatModel, QuantizedModel
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.training import TrainingPoint
from gaussianimage.torch.models.sum import CholeskyModel, ScaleRotationModel

SHORT = Recipe().shortened(40, learning_rate=1e-2)


def quality(model: torch.nn.Module, target: Tensor) -> float:
    with torch.no_grad():
        return psnr(target.numpy(), model().clamp(0, 1).numpy())


def quality_of_file(data: bytes, target: Tensor) -> float:
    return psnr(target.numpy(), gaussianimage.decode(data, dtype=np.float32))


@pytest.mark.parametrize("kind", [CholeskyModel, ScaleRotationModel])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("loop", ["native", "torch"])
def test_a_file_decodes_to_the_picture_that_was_tuned(
    loop: str,
    variant: str,
    kind: type[FlatModel],
    fitted: Callable[..., FlatModel],
    target: Tensor,
) -> None:
    model = fitted(kind)
    before = quality(QuantizedModel(fitted(kind), VARIANTS[variant]), target)
    tuned = fine_tune(model, target, SHORT, VARIANTS[variant], loop=loop)
    assert tuned.training.loop == loop
    data = encode_record(tuned.record)
    assert quality_of_file(data, target) == pytest.approx(tuned.psnr, abs=2e-3)
    # Without commitment colors leave their codebooks, and the start may stay the best.
    assert tuned.psnr >= before + (-1e-4 if variant == "v1" else 0.02)
    assert tuned.psnr >= tuned.training.psnr
    assert tuned.psnr >= max(point.psnr for point in tuned.training.history) - 1e-6
    assert tuned.record.rotation == (kind is ScaleRotationModel)


def test_rounding_alone_takes_no_iterations(
    fitted: Callable[..., FlatModel], target: Tensor
) -> None:
    model = fitted()
    tuned = fine_tune(model, target, Recipe(iterations=0))
    assert tuned.training.iterations == 0
    assert torch.equal(model.means, fitted().means)
    assert tuned.psnr == pytest.approx(quality(QuantizedModel(fitted()), target), abs=1e-4)


def test_the_best_iteration_is_kept(fitted: Callable[..., FlatModel], target: Tensor) -> None:
    # Steps this long first help and then destroy the picture.
    points: list[TrainingPoint] = []
    wild = Recipe(iterations=30, learning_rate=0.3)
    model = fitted()
    tuned = fine_tune(model, target, wild, VARIANTS["v3"], progress=points.append)
    assert tuned.training.psnr < tuned.psnr - 1
    assert quality_of_file(encode_record(tuned.record), target) == pytest.approx(
        tuned.psnr, abs=2e-3
    )
    assert points[-1].iteration == 30


def test_tuning_is_deterministic(fitted: Callable[..., FlatModel], target: Tensor) -> None:
    first, second = (fine_tune(fitted(), target, SHORT) for _ in range(2))
    assert first.record == second.record
    assert first.psnr == second.psnr


def test_double_precision_and_other_channels_go_too() -> None:
    model = CholeskyModel.random(7, 9, 8, channels=1).double()
    target = torch.rand(9, 8, 1, generator=torch.Generator().manual_seed(0)).double()
    tuned = fine_tune(model, target, Recipe(iterations=3))
    assert tuned.record.channels == 1
    decoded = gaussianimage.decode(encode_record(tuned.record), dtype=np.float32)
    assert psnr(target[..., 0].numpy(), decoded) == pytest.approx(tuned.psnr, abs=2e-3)


def test_another_picture_than_the_models_is_refused() -> None:
    with pytest.raises(ValueError, match="target: expected shape"):
        fine_tune(CholeskyModel.random(5, 8, 8), torch.zeros(8, 9, 3), Recipe(iterations=1))


# Recorded ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_recorded_fine_tuning_does_what_a_plain_one_does(
    variant: str,
    target: Tensor,
    fitted: Callable[..., FlatModel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = fine_tune(fitted(), target, SHORT, VARIANTS[variant], loop="torch")
    monkeypatch.setattr(fine_tuning, "recordable", lambda _: True)
    model = fitted()
    result = fine_tune(model, target, SHORT, VARIANTS[variant], loop="torch")
    assert result.record == expected.record
    assert result.psnr == expected.psnr
    assert quality(model, target) > 10


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", [CholeskyModel, ScaleRotationModel])
def test_what_is_recorded_neither_waits_for_the_device_nor_copies_from_the_host(
    kind: type[FlatModel], variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    examine(monkeypatch, fine_tuning)

    # The quantizers' start is found on the host.
    def moved(*arguments: Any, **options: Any) -> torch.nn.Module:
        return QuantizedModel(*arguments, **options).to("meta")

    monkeypatch.setattr(fine_tuning, "QuantizedModel", moved)
    picture = torch.empty(24, 32, 3, device="meta")
    with pytest.raises(Examined):
        fine_tune(kind.random(60, 24, 32), picture, SHORT, VARIANTS[variant])
