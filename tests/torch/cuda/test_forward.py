import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs PyTorch")
pytest.importorskip("triton", reason="needs Triton")

import torch
from strategies import gaussians, near_cut, needles
from torch_device import DEVICE
from torch_scenes import POISONS, as_gaussians, doubles, magnitudes, random_tensors, tensors

from gaussianimage.torch import reference
from gaussianimage.torch.cuda import forward, tile_lists
from gaussianimage.torch.cuda.batch import Batch
from gaussianimage.torch.cuda.tile_lists import make_lists

MARGIN = 1e-4


def render(inputs, height, width, q_max=4.5):
    """Return a batch, drawn on the device."""
    return forward.render(*(t.to(DEVICE) for t in inputs), height, width, q_max).cpu()


def assert_draws_like_the_formula(inputs, height, width, q_max):
    """Compare one picture wherever rounding can't decide what is drawn."""
    image = render([t[None] for t in inputs], height, width, q_max)[0]
    exact = reference.render(*doubles([t[None] for t in inputs]), height, width, q_max)[0]
    away = ~near_cut(as_gaussians(inputs, height, width, q_max), MARGIN)
    scale, _ = magnitudes(doubles(inputs), exact, q_max)
    assert image.dtype == torch.float32
    assert image.shape == exact.shape
    assert np.all((image - exact).abs().numpy()[away] <= 1e-5 * scale.max(initial=0) + 1e-25)


@settings(max_examples=25)
@given(st.one_of(gaussians(max_count=4), needles()))
def test_ordinary_and_extreme_gaussians_are_drawn_by_the_formula(g):
    assert_draws_like_the_formula(tensors(g), g.height, g.width, g.q_max)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize(("height", "width"), [(16, 32), (17, 33), (1, 5)])
def test_any_number_of_channels_and_any_size(channels, height, width):
    inputs = random_tensors(channels, (), 12, height, width, channels)
    assert_draws_like_the_formula(inputs, height, width, math.log(255))


def test_more_gaussians_on_a_tile_than_any_list_of_a_fixed_length_would_hold():
    inputs = random_tensors(1, (), 700, 14, 15, 3)
    assert_draws_like_the_formula(inputs, 14, 15, 4.5)


def test_a_batch_equals_its_pictures_to_the_bit():
    inputs = random_tensors(2, (3,), 9, 21, 18, 3)
    image = render(inputs, 21, 18)
    for b in range(3):
        assert torch.equal(image[b], render([t[b : b + 1] for t in inputs], 21, 18)[0])


@pytest.mark.parametrize("kind", sorted(POISONS))
def test_a_poisoned_gaussian_draws_nothing(kind):
    clean = random_tensors(2, (1,), 4, 9, 11, 5)
    name, column, value = POISONS[kind]
    poisoned = [t.clone() for t in clean]
    poisoned[("means", "cholesky", "colors").index(name)][0, 2, column] = value
    healthy = torch.arange(4) != 2
    assert torch.equal(render(poisoned, 9, 11), render([t[:, healthy] for t in clean], 9, 11))


@pytest.mark.parametrize(("batch", "count"), [(1, 0), (0, 3), (2, 0)])
def test_no_gaussians_or_no_pictures(batch, count):
    inputs = [torch.zeros(batch, count, columns) for columns in (2, 3, 5)]
    image = render(inputs, 4, 6)
    assert image.shape == (batch, 4, 6, 5)
    assert not image.any()


def test_what_lies_outside_draws_nothing():
    means = torch.tensor([[[-50.0, 4.0], [4.0, 500.0], [1e9, 1e9]]])
    cholesky = torch.tensor([[[2.0, 1.0, 1.0], [9.0, -9.0, 3.0], [1e3, 0.0, 1e3]]])
    assert not render([means, cholesky, torch.ones(1, 3, 3)], 20, 20).any()


def test_very_many_entries_are_drawn_in_several_goes(monkeypatch):
    inputs = random_tensors(3, (2,), 12, 40, 37, 3)
    expected = render(inputs, 40, 37)
    monkeypatch.setattr(tile_lists, "MOST_BYTES", 80 * 20)  # about 20 entries
    scene = Batch.flatten(*(t.to(DEVICE) for t in inputs), (40, 37), 4.5)
    assert len(list(make_lists(scene))) > 3
    assert render(inputs, 40, 37) == pytest.approx(expected, rel=0, abs=1e-6)


def test_a_residual_comes_with_its_loss():
    inputs = [t.to(DEVICE) for t in random_tensors(4, (1,), 12, 20, 37, 6)]
    target = torch.rand(1, 20, 37, 6, device=DEVICE)
    scene = Batch.flatten(*inputs, (20, 37), 4.5)
    residual = torch.empty_like(target)
    losses = torch.empty(scene.tiles, 2, device=DEVICE)
    (only,) = make_lists(scene)
    forward.draw(scene, only, residual, target=target, losses=losses)
    expected = forward.render(*inputs, 20, 37, 4.5) - target
    assert torch.equal(residual, expected)
    assert float(losses.sum()) == pytest.approx(float(expected.square().sum()) / 2, rel=1e-5)
