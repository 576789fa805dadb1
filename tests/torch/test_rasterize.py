"""The pictures and derivatives of `rasterize` against the formulas, for extreme inputs too."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from strategies import cutoffs, gaussians, near_cut, needles
from torch_scenes import (
    POISONS,
    as_gaussians,
    doubles,
    magnitudes,
    random_tensors,
    tensors,
)

from gaussianimage import reference
from gaussianimage.torch import rasterize

# Where q lies closer than this to q_max, rounding to float32 may decide what is drawn.
MARGIN = 1e-4
TINY = 1e-25
ARRAYS = ("means", "cholesky", "colors")


def gradients(inputs, image_gradient, **options):
    """Return the picture and the derivatives of Σ picture · image_gradient."""
    leaves = [t.detach().clone().requires_grad_() for t in inputs]
    height, width = image_gradient.shape[-3:-1]
    image = rasterize(*leaves, height, width, **options)
    image.backward(image_gradient)
    return image.detach(), [t.grad for t in leaves]


def assert_float32_follows_float64(inputs, height, width, q_max, seed=0):
    away = torch.from_numpy(~near_cut(as_gaussians(inputs, height, width, q_max), MARGIN))
    R = torch.from_numpy(
        np.random.default_rng(seed).normal(size=(height, width, inputs[2].shape[1]))
    )
    R = (R * away[..., None]).float()
    exact_image, exact = gradients(doubles(inputs), R.double(), q_max=q_max)
    image, got = gradients(inputs, R, q_max=q_max)
    image_scale, scales = magnitudes(doubles(inputs), R.double(), q_max)
    assert image.dtype == torch.float32
    error = (image - exact_image).abs().numpy()
    assert np.all(error[away.numpy()] <= 1e-5 * image_scale.max(initial=0) + TINY)
    for name, part, expected, scale in zip(ARRAYS, got, exact, scales, strict=True):
        assert part.dtype == torch.float32
        allowed = 1e-4 * scale + 1e-12 * scale.max(initial=0) + TINY
        assert np.all((part - expected).abs().numpy() <= allowed), name


# Against the reference -----------------------------------------------------------------------


@settings(max_examples=60)
@given(gaussians(max_side=20), st.integers(0, 2**32 - 1))
def test_float64_equals_the_reference(g, seed):
    R = np.random.default_rng(seed).normal(size=(g.height, g.width, g.channels))
    image, (means, cholesky, colors) = gradients(
        tensors(g, torch.float64), torch.from_numpy(R), q_max=g.q_max
    )
    assert image.numpy() == pytest.approx(reference.render(g), rel=0, abs=1e-11)
    d_means, d_covariance, d_colors = reference.gradient(g, R)
    l11, l21, l22 = g.cholesky().T
    xx, xy, yy = d_covariance.T
    d_cholesky = np.stack((2 * l11 * xx + l21 * xy, l11 * xy + 2 * l21 * yy, 2 * l22 * yy), axis=1)
    _, scales = magnitudes(tensors(g, torch.float64), torch.from_numpy(R), g.q_max)
    for got, expected, scale in zip(
        (means, cholesky, colors), (d_means, d_cholesky, d_colors), scales, strict=True
    ):
        assert np.all(np.abs(got.numpy() - expected) <= 1e-7 * scale + 1e-30)


@settings(max_examples=60)
@given(st.one_of(gaussians(), needles()), st.integers(0, 2**32 - 1))
def test_float32_follows_float64_over_ordinary_and_extreme_gaussians(g, seed):
    assert_float32_follows_float64(tensors(g), g.height, g.width, g.q_max, seed)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7, 8])
@pytest.mark.parametrize(("height", "width"), [(17, 33), (1, 5)])
def test_any_number_of_channels_and_any_size(channels, height, width):
    inputs = random_tensors(channels, (), 12, height, width, channels)
    assert_float32_follows_float64(inputs, height, width, 4.5)


@pytest.mark.parametrize("q_max", [5.541263545158426, 64.0])
def test_gradcheck_with_any_signs_and_a_batch(q_max):
    inputs = doubles(random_tensors(3, (2,), 4, 7, 9, 2), grad=True)
    if q_max < 64:
        # The cut is not differentiated: no pixel may cross it.
        for one in zip(*inputs, strict=True):
            assert not near_cut(as_gaussians(one, 7, 9, q_max), 1e-4).any()
    assert torch.autograd.gradcheck(lambda *t: rasterize(*t, 7, 9, q_max=q_max), inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_signs_of_a_column_of_l_change_nothing_but_the_sign_of_its_derivative(dtype):
    means, cholesky, colors = (t.to(dtype) for t in random_tensors(5, (), 9, 12, 15, 3))
    R = torch.from_numpy(np.random.default_rng(0).normal(size=(12, 15, 3))).to(dtype)
    image, (d_means, d_cholesky, d_colors) = gradients((means, cholesky, colors), R)
    for signs in ((-1, -1, 1), (1, 1, -1), (-1, -1, -1)):
        flip = torch.tensor(signs, dtype=dtype)
        flipped, parts = gradients((means, cholesky * flip, colors), R)
        assert torch.equal(flipped, image)
        for part, expected in zip(parts, (d_means, d_cholesky * flip, d_colors), strict=True):
            assert torch.equal(part, expected)


# What must not be drawn ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [3, 6])
@pytest.mark.parametrize("kind", sorted(POISONS))
def test_a_poisoned_gaussian_draws_nothing_and_has_no_gradient(kind, channels, dtype):
    clean = tuple(t.to(dtype) for t in random_tensors(2, (), 6, 9, 11, channels))
    name, column, value = POISONS[kind]
    poisoned = tuple(t.clone() for t in clean)
    poisoned[ARRAYS.index(name)][2, column] = value
    healthy = torch.arange(6) != 2
    R = torch.ones(9, 11, channels, dtype=dtype)
    expected_image, expected = gradients([t[healthy] for t in clean], R)
    image, got = gradients(poisoned, R)
    assert torch.equal(image, expected_image)
    for part, want in zip(got, expected, strict=True):
        assert torch.equal(part[healthy], want)
        assert not part[2].any()


numbers = st.one_of(
    st.floats(width=32), st.sampled_from([0.0, -0.0, 1e-40, 1e-6, 1e12, 1e30, 3e38, -2e-6])
)


@settings(max_examples=100)
@given(st.lists(st.tuples(*[numbers] * 7), min_size=1, max_size=4), cutoffs)
def test_no_numbers_whatever_give_a_nan(rows, q_max):
    table = torch.tensor(rows)
    image, got = gradients(
        (table[:, :2], table[:, 2:5], table[:, 5:]), torch.ones(5, 9, 2), q_max=q_max
    )
    assert torch.isfinite(image).all()
    assert not any(torch.isnan(part).any() for part in got)


# Batches, threads, layouts -------------------------------------------------------------------


@pytest.mark.parametrize("channels", [3, 5])
def test_a_batch_equals_its_pictures_to_the_bit(channels):
    inputs = random_tensors(1, (3,), 20, 31, 18, channels)
    R = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 31, 18, channels))).float()
    image, parts = gradients(inputs, R)
    for b in range(3):
        one, ones = gradients([t[b] for t in inputs], R[b])
        assert torch.equal(image[b], one)
        for part, expected in zip(parts, ones, strict=True):
            assert torch.equal(part[b], expected)


def test_the_number_of_threads_changes_no_bit():
    inputs = random_tensors(4, (), 600, 120, 90, 3)
    R = torch.ones(120, 90, 3)
    image, parts = gradients(inputs, R, threads=1)
    for threads in (2, 5, None):
        other, others = gradients(inputs, R, threads=threads)
        assert torch.equal(other, image)
        assert all(map(torch.equal, others, parts))


def test_layouts_in_memory_do_not_matter():
    inputs = random_tensors(6, (2,), 10, 13, 8, 3)
    expected, _ = gradients(inputs, torch.ones(2, 13, 8, 3))
    strided = [t.transpose(0, 1).contiguous().transpose(0, 1) for t in inputs]
    assert not strided[0].is_contiguous()
    assert torch.equal(rasterize(*strided, 13, 8), expected)
    # The gradient of a sum is one number, expanded.
    leaves = [t.requires_grad_() for t in strided]
    rasterize(*leaves, 13, 8).sum().backward()
    _, parts = gradients(inputs, torch.ones(2, 13, 8, 3))
    assert all(torch.equal(leaf.grad, part) for leaf, part in zip(leaves, parts, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [(), (0,), (2,)])
def test_no_gaussians_or_no_pictures(batch, dtype):
    count = 0 if batch != (0,) else 3
    shapes = [(*batch, count, columns) for columns in (2, 3, 5)]
    leaves = [torch.zeros(shape, dtype=dtype, requires_grad=True) for shape in shapes]
    image = rasterize(*leaves, 4, 6)
    assert image.shape == (*batch, 4, 6, 5)
    assert not image.any()
    image.sum().backward()
    assert [leaf.grad.shape for leaf in leaves] == shapes


def test_only_what_needs_a_gradient_gets_one():
    means, cholesky, colors = random_tensors(6, (), 10, 13, 8, 3)
    colors.requires_grad_()
    rasterize(means, cholesky, colors, 13, 8).sum().backward()
    assert means.grad is None
    assert colors.grad is not None
    assert not rasterize(means, cholesky, colors.detach(), 13, 8).requires_grad
