"""The native optimizer: losses and steps, which threads and chunks must not change."""

import numpy as np
import pytest
from optimizer_scenes import (
    COLOR,
    COVARIANCE,
    POSITION,
    STATE,
    assert_same_state,
    fractions,
    half_squared_error,
    newton,
    optimizer,
    picture,
    rates,
    read_gaussians,
    scene,
    state,
)
from strategies import POISONS, poison

from gaussianimage import _native, reference, rendering
from gaussianimage.gaussians import Gaussians


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_loss_is_half_the_sum_of_squares_before_the_step(channels):
    g = scene(channels=channels)
    target = picture(g)
    o = optimizer(g, target)
    for _ in range(4):
        expected = half_squared_error(read_gaussians(o, g), target)
        assert o.adam(rates(1), 0.0)[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 70), (259, 5), (520, 17)])
def test_the_loss_counts_every_pixel_once_at_every_size(height, width):
    g = scene(20, height, width)
    target = picture(g)
    assert optimizer(g, target).adam(rates(1), 0.0)[0] == pytest.approx(
        half_squared_error(g, target), rel=1e-5
    )


def test_the_loss_of_no_gaussians_is_that_of_black():
    g = scene(0)
    target = picture(g)
    o = optimizer(g, target)
    assert len(o) == 0
    assert o.adam(rates(2), 0.0) == pytest.approx([np.sum(target**2.0) / 2] * 2, rel=1e-6)


def test_the_residual_is_the_picture_minus_the_target():
    g = scene()
    target = picture(g)
    o = optimizer(g, target)
    assert o.residual() == pytest.approx(reference.render(g) - target, abs=1e-5)
    o.adam(rates(5), 0.0)
    assert o.residual() == pytest.approx(reference.render(read_gaussians(o, g)) - target, abs=1e-5)


def test_the_first_step_follows_the_gradient_in_each_gaussians_own_frame():
    g = scene(q_max=20.0)
    target = picture(g)
    d_means, d_covariance, d_colors = reference.gradient(g, reference.render(g) - target)
    L = np.zeros((len(g), 2, 2))
    L[:, 0, 0], L[:, 1, 0], L[:, 1, 1] = g.cholesky().T
    xx, xy, yy = d_covariance.T
    G = np.stack([xx, xy / 2, xy / 2, yy], axis=1).reshape(-1, 2, 2)
    # μ += L m: ∂/∂m = Lᵀ ∂/∂μ. L ← L (I + Δ): ∂/∂Δ = 2 Lᵀ G L, of which Δ's lower half counts.
    own_means = np.einsum("nji,nj->ni", L, d_means)
    own = 2 * np.einsum("nji,njk,nkl->nil", L, G, L)
    gradient = np.concatenate([own_means, own[:, [0, 1, 1], [0, 0, 1]], d_colors], axis=1)
    o = optimizer(g, target)
    o.adam(rates(1, 0.02, 0.01, 0.005), 0.0)
    # Adam's first moment after one step is 1 - 0.85 of the gradient, its second 1 - 0.96 of the
    # square, and the step is the rate times the gradient's sign.
    scale = np.abs(gradient).max(axis=0)
    assert np.all(np.abs(o.first / 0.15 - gradient) <= 1e-4 * scale)
    assert o.second / 0.04 == pytest.approx((o.first / 0.15) ** 2, rel=1e-5)
    seen = np.abs(gradient).min(axis=1) > 1e-3
    assert seen.sum() > 20
    step = -np.sign(gradient) * ([0.02] * 2 + [0.01] * 3 + [0.005] * 3)
    moved = g.means + np.einsum("nij,nj->ni", L, step[:, :2])
    assert o.means[seen] == pytest.approx(moved[seen], abs=1e-5)
    assert o.cholesky[seen, 0] == pytest.approx(L[seen, 0, 0] * np.exp(step[seen, 2]), rel=1e-5)
    sheared = L[:, 1, 0] * (1 + step[:, 2]) + L[:, 1, 1] * step[:, 3]
    assert o.cholesky[seen, 1] == pytest.approx(sheared[seen], abs=1e-5)
    assert o.cholesky[seen, 2] == pytest.approx(L[seen, 1, 1] * np.exp(step[seen, 4]), rel=1e-5)
    assert o.colors[seen] == pytest.approx((g.colors + step[:, 5:])[seen], abs=1e-5)
    assert list(o.age) == [1] * len(g)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("flag", [POSITION, COVARIANCE, COLOR, POSITION | COVARIANCE | COLOR])
def test_small_steps_decrease_the_loss_whatever_is_trained(seed, flag):
    g = scene(seed=seed, q_max=9.0)
    o = optimizer(g, picture(g, seed=seed + 10))
    o.trainable = np.full(len(g), flag, dtype=np.uint8)
    losses = o.adam(rates(10, 1e-3, 1e-3, 1e-3), 0.0)
    assert np.all(np.diff(losses) < 0)


def test_optimizing_recovers_gaussians_that_were_moved():
    truth = scene(12, 40, 40)
    target = reference.render(truth).astype(np.float32)
    rng = np.random.default_rng(3)
    start = Gaussians(
        truth.means + rng.normal(0, 0.3, truth.means.shape),
        truth.covariance * 1.2,
        truth.colors * 0.8,
        40,
        40,
        truth.q_max,
    )
    o = optimizer(start, target)
    schedule = rates(400, 0.05, 0.03, 0.02) * np.linspace(1, 0.01, 400, dtype=np.float32)[:, None]
    losses = o.adam(schedule, 0.0)
    assert losses[-1] < 1e-3 * losses[0]


def test_the_energy_penalty_pulls_colors_and_sizes_down():
    g = scene()
    # Nothing to gain from the picture: the penalty alone moves the Gaussians.
    o = optimizer(g, rendering.render(g))

    def energy():
        l11, _, l22 = o.cholesky.T
        return np.sum(np.sum(o.colors**2.0, axis=1) * np.pi * l11 * l22) / 2

    before = energy()
    assert o.adam(rates(1, 0.0, 1e-3, 1e-3), 1.0)[0] < 1e-6  # the penalty is not in the loss
    assert energy() < before
    l11, _, l22 = g.cholesky().T
    area = np.pi * l11 * l22
    expected = g.colors * area[:, None]
    assert o.first[:, 5:] / 0.15 == pytest.approx(expected, rel=1e-3, abs=1e-3)
    half = np.sum(g.colors**2, axis=1) * area / 2
    for j in (2, 4):
        assert o.first[:, j] / 0.15 == pytest.approx(half, rel=1e-3, abs=1e-3)


def test_the_penalty_on_bits_has_the_gradient_of_a_logarithm():
    g = scene()
    o = optimizer(g, rendering.render(g))
    l11, _, l22 = g.cholesky().T
    area = np.pi * l11 * l22
    square = np.sum(g.colors**2, axis=1)
    step = float(np.sqrt(np.median(square * area)))
    assert o.adam(rates(1, 0.0, 1e-3, 1e-3), 0.0, bits=0.7, step=step)[0] < 1e-6
    # Of ½ · 0.7 Δ² ln(1 + |c|² A / Δ²): by the color, and by the logarithm of the area A.
    pull = 0.7 * step**2 / (step**2 + square * area) * area
    expected = g.colors * pull[:, None]
    assert o.first[:, 5:] / 0.15 == pytest.approx(expected, rel=1e-3, abs=1e-3)
    for j in (2, 4):
        assert o.first[:, j] / 0.15 == pytest.approx(square * pull / 2, rel=1e-3, abs=1e-3)


# The same result, however it is computed -----------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 70), (259, 5), (520, 17)])
def test_parts_of_the_residual_are_those_of_the_whole(height, width, channels):
    g = scene(20, height, width, channels=channels)
    o = optimizer(g, picture(g), threads=2)
    rng = np.random.default_rng(3)
    o.weigh(rng.uniform(0, 2, (height, width, channels)).astype(np.float32))
    whole = o.residual()
    assert np.abs(whole).max() > 0.01
    assert o.residual_magnitudes() == pytest.approx(np.abs(whole).sum(axis=2), rel=1e-6)
    parts = rng.normal(size=channels).astype(np.float32)
    assert o.residual_sums(parts) == pytest.approx(whole @ parts, abs=1e-5)
    pixels = rng.integers(0, height * width, 50)
    assert np.array_equal(o.residual_at(pixels), whole.reshape(-1, channels)[pixels])
    assert o.residual_at(pixels[:0]).shape == (0, channels)


def test_a_residual_has_no_pixels_beyond_its_own():
    g = scene()
    o = optimizer(g, picture(g))
    for pixel in (-1, g.height * g.width):
        with pytest.raises(IndexError, match="outside"):
            o.residual_at(np.array([0, pixel]))
    with pytest.raises(ValueError, match="parts has the wrong length"):
        o.residual_sums(np.ones(4, np.float32))


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_no_bit(threads):
    # Two chunks of Gaussians, two bands of rows.
    g = scene(700, 300, 60)
    target = picture(g)
    one, more = optimizer(g, target), optimizer(g, target, threads=threads)
    for o in (one, more):
        o.adam(rates(6), 0.01)
        o.solve_colors(3, 1e-3)
        o.bake((np.arange(len(o)) % 5 == 0).astype(np.uint8))
    assert np.array_equal(one.adam(rates(3), 0.0), more.adam(rates(3), 0.0))
    assert_same_state(one, more)
    assert np.array_equal(one.residual(), more.residual())


def test_iterations_in_one_call_equal_calls_of_one_iteration():
    g = scene()
    target = picture(g)
    at_once, step_by_step = optimizer(g, target), optimizer(g, target)
    schedule = rates(12) * np.linspace(1, 0.1, 12, dtype=np.float32)[:, None]
    losses = at_once.adam(schedule, 0.02)
    single = [step_by_step.adam(row[None], 0.02)[0] for row in schedule]
    assert np.array_equal(losses, single)
    assert_same_state(at_once, step_by_step)


def test_a_state_that_is_read_and_put_back_goes_on_as_if_nothing_happened():
    g = scene()
    target = picture(g)
    whole, first = optimizer(g, target), optimizer(g, target)
    for o in (whole, first):
        o.trainable = (np.arange(len(g)) % 8).astype(np.uint8)
        o.adam(rates(5), 0.0)
    resumed = _native.Optimizer(target, g.q_max, 2)
    resumed.add(first.means, first.cholesky, first.colors)
    for name in STATE[3:]:
        setattr(resumed, name, getattr(first, name))
    assert np.array_equal(resumed.adam(rates(5), 0.0), whole.adam(rates(5), 0.0))
    assert_same_state(resumed, whole)


def test_what_is_read_is_a_copy():
    o = optimizer(scene(), picture(scene()))
    before = o.means
    o.means[:] = -5
    assert np.array_equal(o.means, before)


# Which Gaussians take part -------------------------------------------------------------------


@pytest.mark.parametrize("flags", range(8))
def test_flags_hold_what_is_not_trainable(flags):
    g = scene()
    o = optimizer(g, picture(g))
    held = np.arange(len(g)) % 2 == 0
    o.trainable = np.where(held, flags, 7).astype(np.uint8)
    before = state(o)
    o.adam(rates(5), 0.0)
    for name, flag in (("means", POSITION), ("cholesky", COVARIANCE), ("colors", COLOR)):
        moved = (getattr(o, name) != before[name]).any(axis=1)
        assert moved[~held].mean() > 0.8  # some lie outside the picture
        assert moved[held].any() == bool(flags & flag), name


def test_added_gaussians_start_fresh_after_the_others():
    g, more = scene(10), scene(6, seed=9)
    o = optimizer(g, picture(g))
    o.adam(rates(3), 0.0)
    before = state(o)
    o.add(more.means, more.cholesky(), more.colors.astype(np.float32))
    assert len(o) == 16
    for name, values in state(o).items():
        assert np.array_equal(values[:10], before[name]), name
    assert np.array_equal(o.means[10:], more.means)
    assert not o.first[10:].any()
    assert not o.second[10:].any()
    assert not o.age[10:].any()
    assert list(o.trainable) == [7] * 16


def test_keep_drops_all_that_belongs_to_the_others():
    g = scene(10)
    target = picture(g)
    o = optimizer(g, target)
    o.adam(rates(3), 0.0)
    before = state(o)
    keep = np.array([1, 0, 0, 1, 1, 0, 1, 1, 0, 1], dtype=np.uint8)
    o.keep(keep)
    assert len(o) == 6
    for name, values in state(o).items():
        assert np.array_equal(values, before[name][keep != 0]), name
    kept = read_gaussians(o, g)
    assert o.adam(rates(1), 0.0)[0] == pytest.approx(half_squared_error(kept, target), rel=1e-5)


def test_baked_gaussians_stay_in_the_picture_and_leave_the_optimizer():
    g = scene()
    o = optimizer(g, picture(g))
    o.adam(rates(3), 0.0)
    before, residual = state(o), o.residual()
    bake = np.arange(len(g)) % 3 == 0
    o.bake(bake.astype(np.uint8))
    assert len(o) == np.sum(~bake)
    for name, values in state(o).items():
        assert np.array_equal(values, before[name][~bake]), name
    assert o.residual() == pytest.approx(residual, abs=1e-5)
    o.bake(np.ones(len(o), dtype=np.uint8))
    assert len(o) == 0
    assert o.residual() == pytest.approx(residual, abs=1e-5)


def test_baking_nothing_changes_nothing():
    g = scene()
    o = optimizer(g, picture(g))
    before, residual = state(o), o.residual()
    o.bake(np.zeros(len(g), dtype=np.uint8))
    assert np.array_equal(o.residual(), residual)
    assert all(np.array_equal(getattr(o, name), values) for name, values in before.items())


# What must not matter ------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(POISONS))
def test_a_poisoned_gaussian_changes_no_bit_of_the_others(name):
    g = scene(30)
    target = picture(g)
    bad = poison(name, like=g)
    clean, dirty = optimizer(g, target), optimizer(g[:7], target)
    with np.errstate(over="ignore"):
        dirty.add(bad.means, bad.cholesky(), bad.colors.astype(np.float32))
    rest = g[7:]
    dirty.add(rest.means, rest.cholesky(), rest.colors.astype(np.float32))
    others = np.arange(31) != 7
    for act in (
        lambda o: o.adam(rates(4), 0.0),
        lambda o: o.adam(rates(4), 0.05),
        lambda o: o.solve_colors(5, 0.0),
        lambda o: o.solve_colors(5, 0.01),
        lambda o: o.adam(rates(4), 0.05),
        lambda o: newton(o, fractions(4), 0.05, 0.2, 0.8),
    ):
        expected, got = act(clean), act(dirty)
        assert np.array_equal(got, expected)
        for field, values in state(dirty).items():
            assert np.array_equal(values[others], getattr(clean, field)), field
    # And it can be baked without a trace.
    before = dirty.residual()
    dirty.bake((~others).astype(np.uint8))
    assert np.array_equal(dirty.residual(), before)
    assert_same_state(dirty, clean)


def test_a_degenerate_gaussian_is_not_brought_to_life():
    g = scene(0, 20, 20)
    o = _native.Optimizer(picture(g), 4.5, 1)
    cholesky = np.array([[0, 0, 0], [1e-100, 0, 1], [1, 0, 1e-9], [1e14, 0, 1e14], [-1, 0, 1.0]])
    o.add(np.full((5, 2), 10.0), cholesky, np.ones((5, 3), dtype=np.float32))
    losses = o.adam(rates(5, 0.1, 0.1, 0.1), 0.01)
    assert np.all(losses == losses[0])
    assert np.all(newton(o, fractions(5), 0.01, 0.2, 0.8) == losses[0])


def test_nothing_moves_beyond_numbers_under_absurd_rates():
    g = scene()
    o = optimizer(g, picture(g))
    o.adam(rates(20, 1e4, 1e3, 1e6), 0.0)
    o.adam(rates(20, 1e30, 1e30, 1e30), 0.1)
    for rate in (1e4, 1e30):
        newton(o, fractions(20, rate), 0.1, 0.2, 0.8)
    assert np.isfinite(o.means).all()
    assert np.isfinite(o.cholesky).all()


def test_a_nan_in_the_target_stops_only_gaussians_near_it():
    # `fit` refuses such a picture; the loop must merely not spread it.
    g = scene(60, 64, 64)
    target = picture(g)
    target[5, 5, 1] = np.nan
    o = optimizer(g, target)
    before = o.means
    assert np.isnan(o.adam(rates(3), 0.0)).all()
    assert np.isnan(newton(o, fractions(3), 0.0, 0.2)).all()
    for array in (o.means, o.cholesky, o.colors, o.first, o.second):
        assert np.isfinite(array).all()
    assert np.isnan(o.solve_colors(3, 0.0))
    assert np.isfinite(o.colors).all()
    far = (np.abs(before - 5) > 40).any(axis=1) & (np.abs(before - 32) < 32).all(axis=1)
    assert far.any()
    assert np.all((o.means != before)[far])


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda: _native.Optimizer(np.zeros((4, 4, 5), np.float32), 4.5, 1), ValueError),
        (lambda: _native.Optimizer(np.zeros((0, 4, 3), np.float32), 4.5, 1), ValueError),
        (lambda: _native.Optimizer(np.zeros((4, 4), np.float32), 4.5, 1), TypeError),
    ],
)
def test_a_target_of_another_shape_is_refused(act, error):
    with pytest.raises(error):
        act()


@pytest.mark.parametrize("name", STATE)
def test_arrays_of_another_length_are_refused(name):
    g = scene(5)
    o = optimizer(g, picture(g))
    values = getattr(o, name)
    with pytest.raises(ValueError, match=name):
        setattr(o, name, values[:4].copy())
    for wrong in (lambda: o.keep(np.ones(4, np.uint8)), lambda: o.bake(np.ones(6, np.uint8))):
        with pytest.raises(ValueError, match="wrong length"):
            wrong()
    with pytest.raises(ValueError, match="rates"):
        o.adam(np.ones((2, 2), np.float32), 0.0)
    with pytest.raises(ValueError, match="colors"):
        o.add(g.means, g.cholesky(), np.ones((5, 2), np.float32))
    assert np.array_equal(getattr(o, name), values)
