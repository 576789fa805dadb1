import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch_scenes import POISONS, doubles, random_tensors

from gaussianimage.torch import (
    absolute_gradient,
    footprints,
    rasterize,
    sum_weights,
    top_contributors,
    top_k_blend,
)

Q = 4.5


def all_weights(means, cholesky, height, width):
    """Each Gaussian's weights by itself, (N, H, W)."""
    pictures = rasterize(
        means[:, None], cholesky[:, None], means.new_ones(len(means), 1, 1), height, width, q_max=Q
    )
    return pictures[..., 0]


@pytest.mark.parametrize(("height", "width", "count"), [(19, 26, 4), (8, 8, 3), (1, 40, 2)])
def test_top_contributors_have_the_largest_weights(height, width, count):
    means, cholesky, _ = random_tensors(2, (), 12, height, width, 1)
    found = top_contributors(means, cholesky, height, width, count, q_max=Q)
    weights = all_weights(means, cholesky, height, width)
    expected = weights.movedim(0, -1).topk(count).values
    assert torch.allclose(found.weights, expected, atol=2e-5)
    there = found.indices >= 0
    assert torch.equal(there, expected > 0)
    own = weights.movedim(0, -1).gather(-1, found.indices.clamp_min(0))
    assert torch.allclose(own[there], found.weights[there], atol=2e-5)
    ordered = found.indices.sort(-1).values
    assert not ((ordered[..., 1:] == ordered[..., :-1]) & (ordered[..., 1:] >= 0)).any()


def test_all_contributors_together_are_the_weighted_mean():
    means, cholesky, colors = random_tensors(2, (), 6, 13, 17, 3)
    background = torch.tensor([0.1, 0.2, 0.3])
    image = top_k_blend(means, cholesky, colors, 13, 17, 9, background=background)
    total = sum_weights(means, cholesky, 13, 17)[..., None]
    expected = torch.where(
        total > 0, rasterize(means, cholesky, colors, 13, 17) / total, background
    )
    assert torch.allclose(image, expected, atol=1e-4)
    assert (total == 0).any()


def test_one_contributor_gives_its_own_color():
    means, cholesky, colors = random_tensors(2, (), 6, 13, 17, 3)
    image = top_k_blend(means, cholesky, colors, 13, 17, 1)
    nearest = all_weights(means, cholesky, 13, 17).max(0)
    assert torch.allclose(
        image, torch.where(nearest.values[..., None] > 0, colors[nearest.indices], 0.0)
    )


def test_blending_is_differentiable():
    inputs = doubles(random_tensors(2, (), 4, 6, 7, 2), grad=True)
    assert torch.autograd.gradcheck(
        lambda *t: top_k_blend(*t, 6, 7, 2, q_max=64.0), inputs, fast_mode=True
    )


def test_footprints_tell_what_is_seen_and_how_far_it_reaches():
    means = torch.tensor([[5.0, 5.0], [-50.0, 5.0], [-2.9, 5.0], [5.0, 5.0]])
    cholesky = torch.tensor([[2.0, 0.0, 1.0], [2.0, 0, 1], [1.0, 0, 1], [math.nan, 0, 1]])
    seen = footprints(means, cholesky, 10, 12)
    assert seen.visible.tolist() == [True, False, False, False]
    assert torch.allclose(seen.extents[0], torch.tensor([6.0, 3.0]))
    assert float(seen.radii[0]) == pytest.approx(6)
    assert not seen.radii[3]


def test_visible_is_what_draws():
    means, cholesky, _ = random_tensors(5, (2,), 40, 12, 15, 1)
    means = means * 3 - 15
    seen = footprints(means, cholesky, 12, 15).visible
    drawn = torch.stack(
        [all_weights(m, c, 12, 15).any(-1).any(-1) for m, c in zip(means, cholesky, strict=True)]
    )
    # A box touches somewhat more than its ellipse.
    assert not (drawn & ~seen).any()
    assert 0 < drawn.sum() <= seen.sum() < seen.numel()


def test_radii_are_half_the_longest_axis():
    _, cholesky, _ = random_tensors(1, (), 9, 50, 50, 1)
    got = footprints(torch.zeros(9, 2), cholesky, 50, 50).radii
    for radius, (l11, l21, l22) in zip(got.tolist(), cholesky.double().tolist(), strict=True):
        longest = np.linalg.norm([[l11, 0], [l21, l22]], 2)
        assert radius == pytest.approx(math.sqrt(2 * Q) * longest, rel=1e-5)


def test_absolute_gradients_add_up_each_pixel():
    means, cholesky, colors = random_tensors(2, (2,), 5, 7, 9, 3)
    generator = torch.Generator().manual_seed(0)
    R = torch.randn(2, 7, 9, 3, generator=generator)
    got = absolute_gradient(means, cholesky, colors, R)
    leaf = means.clone().requires_grad_()
    rasterize(leaf, cholesky, colors, 7, 9).backward(R)
    assert (got >= leaf.grad.abs() - 1e-5).all()
    total = torch.zeros_like(means)
    for y in range(7):
        for x in range(9):
            leaf.grad = None
            one = torch.zeros_like(R)
            one[:, y, x] = R[:, y, x]
            rasterize(leaf, cholesky, colors, 7, 9).backward(one)
            total += leaf.grad.abs()
    assert torch.allclose(got, total, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [name for name in sorted(POISONS) if "color" not in name])
def test_what_is_not_drawn_contributes_nothing(kind):
    means, cholesky, colors = (t.clone() for t in random_tensors(2, (), 4, 9, 11, 3))
    name, column, value = POISONS[kind]
    {"means": means, "cholesky": cholesky}[name][2, column] = value
    found = top_contributors(means, cholesky, 9, 11, 4)
    assert not (found.indices == 2).any()
    assert found.weights.isfinite().all()
    assert not footprints(means, cholesky, 9, 11).visible[2]
    assert not absolute_gradient(means, cholesky, colors, torch.ones(9, 11, 3))[2].any()


def test_no_gaussians_at_all():
    means, cholesky, colors = torch.zeros(0, 2), torch.zeros(0, 3), torch.zeros(0, 3)
    assert not sum_weights(means, cholesky, 5, 6).any()
    assert not top_k_blend(means, cholesky, colors, 5, 6, 3).any()
    assert (top_contributors(means, cholesky, 5, 6, 3).indices == -1).all()
    assert footprints(means, cholesky, 5, 6).visible.shape == (0,)


def test_misuse_is_refused():
    means, cholesky, colors = random_tensors(2, (), 4, 9, 11, 3)
    with pytest.raises(ValueError, match="count: expected at least 1"):
        top_contributors(means, cholesky, 9, 11, 0)
    with pytest.raises(ValueError, match=r"means: expected shape \(N, 2\)"):
        top_contributors(means[None], cholesky[None], 9, 11, 1)
    with pytest.raises(ValueError, match=r"colors: expected shape \(4, C\)"):
        top_k_blend(means, cholesky, colors[:3], 9, 11, 1)
    with pytest.raises(ValueError, match="image_gradient: expected shape"):
        absolute_gradient(means, cholesky, colors, torch.ones(9, 11, 1))
    with pytest.raises(ValueError, match="cholesky: expected shape"):
        footprints(means, cholesky[:3], 9, 11)
