"""Models with the quantizers in place, and the records that are made of them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import Tensor

import gaussianimage
from gaussianimage.paper.quantized_model import (
    VARIANTS,
    FlatModel,
    QuantizedModel,
    QuantizerSettings,
)
from gaussianimage.paper.recipe import Recipe
from gaussianimage.torch.models.opacity import OpacityModel
from gaussianimage.torch.models.sum import Canvas, CholeskyModel, RawParameters


def test_the_sizes_are_those_of_the_variants(fitted: Callable[..., FlatModel]) -> None:
    bits = {
        name: QuantizedModel(fitted(), settings).record().formula_bits
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


def test_lsqs_scaling_of_gradients_can_be_left_out(
    fitted: Callable[..., FlatModel], target: Tensor
) -> None:
    gradients = []
    for scaling in (True, False):
        quantized = QuantizedModel(fitted(), replace(VARIANTS["v2"], scaling=scaling))
        (quantized() - target).square().mean().backward()
        gradients.append(quantized.shape_quantizer.scale.grad)
    assert torch.allclose(gradients[0], gradients[1] / (60 * 63) ** 0.5, rtol=1e-3)


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
