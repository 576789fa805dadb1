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
from gaussianimage.torch.cuda import backward, tile_lists

ARRAYS = ("means", "cholesky", "colors")


def gradient(inputs, image_gradient, q_max=4.5):
    """Return the derivatives of a batch, found on the device."""
    arguments = [t.to(DEVICE) for t in (*inputs, image_gradient)]
    return [part.cpu() for part in backward.gradient(*arguments, q_max)]


def assert_differentiates_like_the_formula(inputs, height, width, q_max, seed=0):
    away = torch.from_numpy(~near_cut(as_gaussians(inputs, height, width, q_max), 1e-4))
    R = np.random.default_rng(seed).normal(size=(height, width, inputs[2].shape[1]))
    R = (torch.from_numpy(R) * away[..., None]).float()
    got = gradient([t[None] for t in inputs], R[None], q_max)
    exact = reference.gradient(*doubles([t[None] for t in (*inputs, R)]), q_max)
    _, scales = magnitudes(doubles(inputs), R.double(), q_max)
    for name, part, expected, scale in zip(ARRAYS, got, exact, scales, strict=True):
        error = (part[0] - expected[0]).abs().numpy()
        assert np.all(error <= 1e-4 * scale + 1e-6 * scale.max(initial=0) + 1e-25), name


@settings(max_examples=20)
@given(st.one_of(gaussians(max_count=4, max_side=24), needles(max_side=24)))
def test_derivatives_of_ordinary_and_extreme_gaussians_follow_the_formula(g):
    assert_differentiates_like_the_formula(tensors(g), g.height, g.width, g.q_max)


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 7])
@pytest.mark.parametrize(("height", "width"), [(17, 33), (1, 5)])
def test_any_number_of_channels_and_any_size(channels, height, width):
    inputs = random_tensors(channels, (), 8, height, width, channels)
    assert_differentiates_like_the_formula(inputs, height, width, 5.5)


def test_a_gaussian_with_more_entries_than_are_added_up_at_a_time():
    means = torch.tensor([[70.0, 80.0], [3.0, 3.0]])
    cholesky = torch.tensor([[90.0, -30.0, 70.0], [-1.0, 0.5, 2.0]])
    inputs = [means, cholesky, torch.tensor([[0.5], [-0.3]])]
    assert_differentiates_like_the_formula(inputs, 150, 150, 4.5)


def test_a_batch_equals_its_pictures_to_the_bit():
    inputs = random_tensors(2, (3,), 6, 21, 18, 3)
    R = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 21, 18, 3))).float()
    parts = gradient(inputs, R)
    for b in range(3):
        ones = gradient([t[b : b + 1] for t in inputs], R[b : b + 1])
        assert all(torch.equal(part[b], one[0]) for part, one in zip(parts, ones, strict=True))


@pytest.mark.parametrize("kind", sorted(POISONS))
def test_a_poisoned_gaussian_has_no_gradient(kind):
    clean = random_tensors(2, (1,), 4, 9, 11, 5)
    name, column, value = POISONS[kind]
    poisoned = [t.clone() for t in clean]
    poisoned[ARRAYS.index(name)][0, 2, column] = value
    healthy = torch.arange(4) != 2
    R = torch.ones(1, 9, 11, 5)
    expected = gradient([t[:, healthy] for t in clean], R)
    for part, want in zip(gradient(poisoned, R), expected, strict=True):
        assert torch.equal(part[:, healthy], want)
        assert not part[:, 2].any()


@pytest.mark.parametrize(("batch", "count"), [(1, 0), (0, 3)])
def test_no_gaussians_or_no_pictures(batch, count):
    inputs = [torch.zeros(batch, count, columns) for columns in (2, 3, 5)]
    parts = gradient(inputs, torch.ones(batch, 4, 6, 5))
    assert [part.shape for part in parts] == [t.shape for t in inputs]


def test_very_many_entries_are_summed_in_several_goes(monkeypatch):
    inputs = random_tensors(3, (2,), 6, 40, 37, 3)
    R = torch.ones(2, 40, 37, 3)
    expected = gradient(inputs, R)
    monkeypatch.setattr(tile_lists, "MOST_BYTES", 80 * 20)
    assert all(map(torch.equal, gradient(inputs, R), expected))
