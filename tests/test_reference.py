import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import (
    POISONS,
    gaussians,
    near_cut,
    needles,
    poison,
    poisoned,
    random_gaussians,
)

from gaussianimage import reference
from gaussianimage.gaussians import Gaussians

ARRAYS = ("means", "covariance", "colors")


def with_array(g, name, array):
    arrays = {field: getattr(g, field) for field in ARRAYS} | {name: array}
    return Gaussians(**arrays, height=g.height, width=g.width, q_max=g.q_max)


def central_differences(loss, g, name, steps):
    """Return dL/d(entry) for each entry of one array, moving it by ± its step."""
    values = getattr(g, name)
    result = np.zeros(values.shape)
    for index in np.ndindex(values.shape):
        step = np.zeros(values.shape)
        step[index] = steps[index]
        after = loss(with_array(g, name, values + step))
        before = loss(with_array(g, name, values - step))
        # The difference of the float64 values, which may differ from the step.
        distance = (values + step)[index] - (values - step)[index]
        result[index] = (after - before) / distance
    return result


def assert_gradient_matches_differences(g, target, *, margin):
    """Compare with differences of the loss over the pixels that stay on their side of the cut."""
    mask = ~near_cut(g, margin)[..., None]

    def loss(moved):
        return np.sum(mask * (reference.render(moved) - target) ** 2) / 2

    gradient = reference.gradient(g, mask * (reference.render(g) - target))
    # Each parameter's own size: derivatives per size have the magnitude of the loss, and a step
    # of 1e-5 of it moves no q by more than the margin.
    small = g.scale_rotation()[0][:, 1:]
    sizes = {
        "means": np.tile(small, (1, 2)),
        "covariance": np.tile(small**2, (1, 3)),
        "colors": np.ones(g.colors.shape),
    }
    magnitude = 1 + np.sum(target**2) + loss(g)
    for name, analytic in zip(ARRAYS, gradient, strict=True):
        numeric = central_differences(loss, g, name, 1e-5 * sizes[name])
        assert np.all(sizes[name] * np.abs(analytic - numeric) <= 1e-8 * magnitude), name


def test_one_round_gaussian_follows_the_formula():
    g = Gaussians([[2.5, 1.5]], [[4.0, 0.0, 4.0]], [[1.0, -0.5]], 3, 6)
    image = reference.render(g)
    assert image.shape == (3, 6, 2)
    assert image.dtype == np.float64
    for y in range(3):
        for x in range(6):
            weight = math.exp(-((x - 2) ** 2 + (y - 1) ** 2) / 8)
            assert image[y, x] == pytest.approx([weight, -0.5 * weight], rel=1e-14)


def test_means_are_x_then_y_and_pixel_centers_at_one_half():
    g = Gaussians([[4.5, 1.5]], [[0.25, 0.0, 0.25]], [[1.0]], 4, 8)
    assert np.unravel_index(np.argmax(reference.render(g)), (4, 8, 1)) == (1, 4, 0)
    assert reference.render(g)[1, 4, 0] == 1


def test_a_positive_xy_leans_towards_growing_x_and_y():
    image = reference.render(Gaussians([[4.0, 4.0]], [[4.0, 3.0, 4.0]], [[1.0]], 8, 8))[..., 0]
    assert image[1, 1] > 0.1
    assert image[6, 6] == pytest.approx(image[1, 1])
    assert image[1, 6] == 0


def test_a_pixel_exactly_on_the_cut_is_drawn_and_the_next_is_not():
    g = Gaussians([[0.5, 0.5]], [[1.0, 0.0, 1.0]], [[1.0]], 1, 6, q_max=4.5)
    row = reference.render(g)[0, :, 0]
    assert row[3] == math.exp(-4.5)
    assert list(row[4:]) == [0, 0]
    beyond = Gaussians(g.means, g.covariance, g.colors, 1, 6, math.nextafter(4.5, 0))
    assert reference.render(beyond)[0, 3, 0] == 0


def test_nothing_is_clamped():
    g = Gaussians([[0.5, 0.5]] * 2, [[1.0, 0.0, 1.0]] * 2, [[3.0, -2.0], [4.0, -5.0]], 1, 1)
    assert list(reference.render(g)[0, 0]) == [7, -7]


def test_no_gaussians_give_a_black_picture():
    g = Gaussians(np.empty((0, 2)), np.empty((0, 3)), np.empty((0, 3)), 2, 5)
    assert not reference.render(g).any()
    assert [d.shape for d in reference.gradient(g, np.ones((2, 5, 3)))] == [(0, 2), (0, 3), (0, 3)]


@given(needles())
def test_exponents_are_accurate_however_thin_the_ellipse(g):
    for i, q, _, _ in reference.exponents(g):
        xx, xy, yy = (Fraction(float(entry)) for entry in g.covariance[i])
        det = xx * yy - xy * xy
        for y, x in [(0, 0), (g.height - 1, g.width - 1), (g.height // 2, g.width // 2)]:
            dx = x + Fraction(1, 2) - Fraction(float(g.means[i, 0]))
            dy = y + Fraction(1, 2) - Fraction(float(g.means[i, 1]))
            exact = float((yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / (2 * det))
            assert q[y, x] == pytest.approx(exact, rel=1e-10, abs=1e-12)


@given(gaussians(max_count=5, max_side=20), st.data())
def test_concatenation_renders_to_the_sum(g, data):
    split = data.draw(st.integers(0, len(g)))
    parts = g[:split], g[split:]
    total = reference.render(Gaussians.concatenate(*parts))
    expected = reference.render(parts[0]) + reference.render(parts[1])
    assert total == pytest.approx(expected, rel=0, abs=1e-12)


@given(gaussians(max_side=24), st.data())
def test_rendering_a_crop_equals_cropping_a_render(g, data):
    top = data.draw(st.integers(0, g.height - 1))
    left = data.draw(st.integers(0, g.width - 1))
    height = data.draw(st.integers(1, g.height - top))
    width = data.draw(st.integers(1, g.width - left))
    window = np.s_[top : top + height, left : left + width]
    away = ~near_cut(g, 1e-9)[window]
    cropped = reference.render(g.cropped((top, left, height, width)))
    assert cropped[away] == pytest.approx(reference.render(g)[window][away], rel=0, abs=1e-11)


@given(
    gaussians(max_side=12),
    st.sampled_from([1, 3, 5]),
    st.sampled_from([1, 3, 5]),
)
def test_a_scaled_render_goes_through_the_pixels_of_the_original(g, down, across):
    # With odd factors every old pixel center is a new one too.
    scaled = reference.render(g.scaled((down * g.height, across * g.width)))
    same_places = scaled[down // 2 :: down, across // 2 :: across]
    away = ~near_cut(g, 1e-9)
    expected = reference.render(g)
    assert same_places[away] == pytest.approx(expected[away], rel=0, abs=1e-10)


@given(poisoned())
def test_poisoned_gaussians_draw_nothing_and_get_no_gradient(pair):
    image = reference.render(pair.clean)
    assert np.array_equal(reference.render(pair.poisoned), image)
    clean = reference.gradient(pair.clean, image - 0.5)
    dirty = reference.gradient(pair.poisoned, image - 0.5)
    for expected, got in zip(clean, dirty, strict=True):
        assert np.array_equal(got[pair.healthy], expected)
        assert not got[~pair.healthy].any()


@pytest.mark.parametrize("name", sorted(POISONS))
def test_every_poison_draws_nothing(name):
    g = poison(name, like=random_gaussians(0, 1, 6, 6))
    assert not reference.render(g).any()
    assert not any(d.any() for d in reference.gradient(g, np.ones((6, 6, 3))))


@settings(max_examples=50)
@given(gaussians(min_count=1, max_count=3, max_side=12, q_max=64.0), st.integers(0, 2**32 - 1))
def test_gradient_equals_central_differences_without_a_cut(g, seed):
    target = np.random.default_rng(seed).uniform(0, 1, (g.height, g.width, g.channels))
    assert_gradient_matches_differences(g, target, margin=1e-2)


@settings(max_examples=50)
@given(gaussians(min_count=1, max_count=3, max_side=12, q_max=4.5), st.integers(0, 2**32 - 1))
def test_gradient_equals_central_differences_away_from_the_cut(g, seed):
    target = np.random.default_rng(seed).uniform(0, 1, (g.height, g.width, g.channels))
    assert_gradient_matches_differences(g, target, margin=1e-3)


@pytest.mark.parametrize("q_max", [4.5, math.log(255), 64.0])
def test_gradient_of_an_ordinary_scene_is_exact(q_max):
    g = random_gaussians(7, 12, 15, 22, 3, q_max=q_max)
    target = np.random.default_rng(8).uniform(0, 1, (15, 22, 3))
    assert_gradient_matches_differences(g, target, margin=1e-4)


def test_the_off_diagonal_entry_is_one_parameter_counted_once():
    g = Gaussians([[4.1, 3.7]], [[5.0, 2.0, 3.0]], [[1.0]], 8, 8, q_max=64.0)
    residual = np.random.default_rng(1).normal(size=(8, 8, 1))
    _, covariance, _ = reference.gradient(g, residual)
    step = 1e-6
    # L = Σ residual · I is linear in I, with the same gradient.
    after, before = (
        np.sum(residual * reference.render(with_array(g, "covariance", g.covariance + move)))
        for move in ([[0, step, 0]], [[0, -step, 0]])
    )
    assert covariance[0, 1] == pytest.approx((after - before) / (2 * step), rel=1e-7)


def test_gradient_refuses_a_residual_of_another_shape():
    g = random_gaussians(0, 2, 4, 5, 3)
    with pytest.raises(ValueError, match=r"residual: expected shape \(4, 5, 3\), got \(5, 4, 3\)"):
        reference.gradient(g, np.zeros((5, 4, 3)))
