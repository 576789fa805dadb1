"""Fine-tuning with the quantizers in place, and what goes into a file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch_hosts import Examined, examine

import gaussianimage
from gaussianimage.codec.paper.file import encode_record
from gaussianimage.metrics import psnr
from gaussianimage.paper import fine_tuning
from gaussianimage.paper.fine_tuning import fine_tune
from gaussianimage.paper.quantized_model import (
    VARIANTS,
    FlatModel,
    QuantizedModel,
    QuantizerSettings,
)
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.train import TrainingPoint, train
from gaussianimage.torch.models import Canvas, CholeskyModel, RawParameters, ScaleRotationModel
from gaussianimage.torch.opacity import OpacityModel

PARROT = Path(__file__).parents[1] / "data" / "parrot.png"
SHORT = Recipe().shortened(40, learning_rate=1e-2)


@pytest.fixture(scope="module")
def target() -> Tensor:
    """A small part of a photo, (24, 32, 3)."""
    with Image.open(PARROT) as photo:
        pixels = np.asarray(photo.convert("RGB"))[20:44, 30:62]
    return torch.tensor(pixels / 255, dtype=torch.float32)


@pytest.fixture(scope="module")
def fitted(target: Tensor) -> Callable[..., FlatModel]:
    """Return a maker of fitted models, each one new."""
    states: dict[type[FlatModel], dict[str, Tensor]] = {}

    def make(kind: type[FlatModel] = CholeskyModel) -> FlatModel:
        model = kind.random(60, 24, 32)
        if kind not in states:
            train(model, target, Recipe().shortened(250, learning_rate=2e-2))
            states[kind] = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        model.load_state_dict(states[kind])
        return model

    return make


def quality(model: torch.nn.Module, target: Tensor) -> float:
    with torch.no_grad():
        return psnr(target.numpy(), model().clamp(0, 1).numpy())


def quality_of_file(data: bytes, target: Tensor) -> float:
    return psnr(target.numpy(), gaussianimage.decode(data, dtype=np.float32))


@pytest.mark.parametrize("kind", [CholeskyModel, ScaleRotationModel])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_file_decodes_to_the_picture_that_was_tuned(
    variant: str, kind: type[FlatModel], fitted: Callable[..., FlatModel], target: Tensor
) -> None:
    model = fitted(kind)
    before = quality(QuantizedModel(fitted(kind), VARIANTS[variant]), target)
    tuned = fine_tune(model, target, SHORT, VARIANTS[variant])
    data = encode_record(tuned.record)
    assert quality_of_file(data, target) == pytest.approx(tuned.psnr, abs=2e-3)
    # Without commitment colors leave their codebooks, and the start may stay the best.
    assert tuned.psnr >= before + (-1e-4 if variant == "v1" else 0.02)
    assert tuned.psnr >= tuned.training.psnr
    assert tuned.psnr >= max(point.psnr for point in tuned.training.history) - 1e-6
    assert tuned.record.rotation == (kind is ScaleRotationModel)


def test_the_sizes_are_those_of_the_variants(
    fitted: Callable[..., FlatModel], target: Tensor
) -> None:
    bits = {
        name: fine_tune(fitted(), target, Recipe(iterations=0), settings).record.formula_bits
        for name, settings in VARIANTS.items()
    }
    paper = 56 * 60 + 1728
    integers = 32 * 6 + 32 * 6
    assert bits["final"] == bits["v1"] == paper
    assert bits["v2"] == (50 + 3 * 6) * 60 + integers
    assert bits["v3"] == (50 + 3 * 8) * 60 + integers


def test_the_record_draws_what_the_quantized_model_draws(
    fitted: Callable[..., FlatModel],
) -> None:
    source = fitted()
    raw = RawParameters(source.means * 0.9, source.shape, source.colors)
    model = CholeskyModel(raw, Canvas(24, 32, shift=0.5), offset=False)
    for settings in VARIANTS.values():
        quantized = QuantizedModel(model, settings)
        record = quantized.record()
        assert record.half_pixel
        assert not record.offset
        drawn = gaussianimage.render(record.gaussians())
        with torch.no_grad():
            expected = quantized().numpy()
        # The cut-off in a file is rounded, and pixels on it may flip: 1/255 of a color.
        assert np.abs(drawn - expected).max() < 0.02
        assert np.abs(drawn - expected).mean() < 1e-4


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


def test_the_commitment_keeps_colors_at_their_entries(
    fitted: Callable[..., FlatModel], target: Tensor
) -> None:
    distances = {}
    for name in ("final", "v1"):
        quantized = QuantizedModel(fitted(), VARIANTS[name])
        optimizer = Recipe(learning_rate=1e-2).make_optimizer(quantized.parameters())
        for _ in range(60):
            optimizer.zero_grad()
            step = quantized.quantized()
            loss = (quantized.draw(step) - target).square().mean() + step.commitment
            loss.backward()
            quantized.adapt(step)
            optimizer.step()
        colors = quantized.model.colors
        with torch.no_grad():
            distances[name] = float((quantized.color_quantizer(colors).values - colors).norm())
    assert distances["final"] < 0.7 * distances["v1"]


def test_tuning_is_deterministic(fitted: Callable[..., FlatModel], target: Tensor) -> None:
    first, second = (fine_tune(fitted(), target, SHORT) for _ in range(2))
    assert first.record == second.record
    assert first.psnr == second.psnr


def test_lsqs_scaling_of_gradients_can_be_left_out(
    fitted: Callable[..., FlatModel], target: Tensor
) -> None:
    gradients = []
    for scaling in (True, False):
        quantized = QuantizedModel(fitted(), replace(VARIANTS["v2"], scaling=scaling))
        (quantized() - target).square().mean().backward()
        gradients.append(quantized.shape_quantizer.scale.grad)
    assert torch.allclose(gradients[0], gradients[1] / (60 * 63) ** 0.5, rtol=1e-3)


def test_double_precision_and_other_channels_go_too() -> None:
    model = CholeskyModel.random(7, 9, 8, channels=1).double()
    target = torch.rand(9, 8, 1, generator=torch.Generator().manual_seed(0)).double()
    tuned = fine_tune(model, target, Recipe(iterations=3))
    assert tuned.record.channels == 1
    decoded = gaussianimage.decode(encode_record(tuned.record), dtype=np.float32)
    assert psnr(target[..., 0].numpy(), decoded) == pytest.approx(tuned.psnr, abs=2e-3)


def test_what_the_codec_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match=r"model: expected CholeskyModel .* got OpacityModel"):
        QuantizedModel(OpacityModel.random(5, 8, 8))
    raw = RawParameters(*(torch.rand(4, n) for n in (2, 3, 3)))
    with pytest.raises(ValueError, match=r"model: expected a shift of 0 or 0.5, got 0.25"):
        QuantizedModel(CholeskyModel(raw, Canvas(8, 8, shift=0.25)))
    with pytest.raises(ValueError, match="model: expected 1 to 4 channels, got 5"):
        QuantizedModel(CholeskyModel.random(5, 8, 8, channels=5))
    with pytest.raises(ValueError, match="bits: expected 1 to 12, got 13"):
        QuantizedModel(CholeskyModel.random(5, 8, 8), QuantizerSettings(covariance_bits=13))
    with pytest.raises(ValueError, match="color: expected rvq or int, got 'pca'"):
        QuantizerSettings(color="pca")
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
    expected = fine_tune(fitted(), target, SHORT, VARIANTS[variant])
    monkeypatch.setattr(fine_tuning, "recordable", lambda _: True)
    model = fitted()
    result = fine_tune(model, target, SHORT, VARIANTS[variant])
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
