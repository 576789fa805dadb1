"""The native optimizer: losses and steps, which threads and chunks must not change."""

import numpy as np
import pytest
from strategies import POISONS, poison, random_gaussians

from gaussianimage import _native, reference, rendering
from gaussianimage.gaussians import Gaussians

POSITION, COVARIANCE, COLOR = 1, 2, 4
STATE = ("means", "cholesky", "colors", "first", "second", "age", "trainable")


def scene(count=40, height=45, width=38, channels=3, *, seed=0, q_max=12.0):
    """Return Gaussians of 0.5 to 8 px; cut so far out that no pixel on the cut matters to a sum."""
    g = random_gaussians(seed, count, height, width, channels, largest_scale=8, q_max=q_max)
    scales, angles = g.scale_rotation()
    return Gaussians.from_scale_rotation(
        g.means, np.maximum(scales, 0.5), angles, g.colors, height, width, q_max
    )


def picture(g, *, seed=1):
    """Return a random target of the size of `g`."""
    values = np.random.default_rng(seed).uniform(0, 1, (g.height, g.width, g.channels))
    return values.astype(np.float32)


def optimizer(g, target, *, threads=1):
    result = _native.Optimizer(target, g.q_max, threads)
    result.add(g.means, g.cholesky(), g.colors.astype(np.float32))
    return result


def read_gaussians(o, like):
    return Gaussians.from_cholesky(
        o.means, o.cholesky, o.colors, like.height, like.width, like.q_max
    )


def rates(count, position=0.02, covariance=0.01, color=0.01):
    return np.tile(np.array([position, covariance, color], dtype=np.float32), (count, 1))


def fractions(count, rate=2.0):
    """Return rates of `gauss_newton`."""
    return np.full(count, rate, np.float32)


def state(o):
    return {name: getattr(o, name) for name in STATE}


def assert_same_state(a, b):
    for name, values in state(a).items():
        assert np.array_equal(values, getattr(b, name), equal_nan=True), name


def half_squared_error(g, target):
    return np.sum((reference.render(g) - target) ** 2) / 2


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


# Least squares in the colors -----------------------------------------------------------------


def design_matrix(g):
    """Return weights, one column per Gaussian."""
    columns = [
        np.where(q <= g.q_max, np.exp(-q), 0.0).ravel() for _, q, _, _ in reference.exponents(g)
    ]
    return np.stack(columns, axis=1)


def compact_scene(count=25):
    """Return Gaussians inside the picture that overlap little enough to determine their colors."""
    rng = np.random.default_rng(4)
    return Gaussians.from_scale_rotation(
        rng.uniform(3, 37, (count, 2)),
        rng.uniform(1.5, 4, (count, 2)),
        rng.uniform(0, np.pi, count),
        rng.normal(0, 0.3, (count, 3)),
        40,
        40,
        6.0,
    )


def test_solved_colors_are_the_least_squares_solution():
    g = compact_scene()
    target = picture(g)
    o = optimizer(g, target)
    loss = o.solve_colors(200, 0.0)
    A, b = design_matrix(g), target.reshape(-1, 3).astype(np.float64)
    expected, *_ = np.linalg.lstsq(A, b)
    assert o.colors == pytest.approx(expected, abs=1e-3)
    assert loss == pytest.approx(np.sum((A @ expected - b) ** 2) / 2, rel=1e-6)
    assert np.array_equal(o.means, g.means)
    assert np.array_equal(o.cholesky, g.cholesky())
    assert loss == pytest.approx(o.adam(rates(1), 0.0)[0], rel=1e-9)


def test_a_ridge_is_relative_to_each_gaussians_energy():
    g = compact_scene()
    target = picture(g)
    o = optimizer(g, target)
    o.solve_colors(200, 0.1)
    A, b = design_matrix(g), target.reshape(-1, 3).astype(np.float64)
    l11, _, l22 = g.cholesky().T
    expected = np.linalg.solve(A.T @ A + 0.1 * np.diag(np.pi * l11 * l22), A.T @ b)
    assert o.colors == pytest.approx(expected, abs=1e-4)


def test_solving_leaves_held_colors_alone_and_is_exact_in_the_others():
    g = compact_scene()
    target = picture(g)
    o = optimizer(g, target)
    free = np.arange(len(g)) % 3 != 0
    o.trainable = np.where(free, 7, POSITION | COVARIANCE).astype(np.uint8)
    o.solve_colors(200, 0.0)
    held = g.colors.astype(np.float32)[~free]
    assert np.array_equal(o.colors[~free], held)
    A, b = design_matrix(g), target.reshape(-1, 3).astype(np.float64)
    expected, *_ = np.linalg.lstsq(A[:, free], b - A[:, ~free] @ held)
    assert o.colors[free] == pytest.approx(expected, abs=1e-3)


def test_more_iterations_never_make_the_solution_worse():
    g = scene(200)
    target = picture(g)
    losses = [optimizer(g, target).solve_colors(count, 0.0) for count in (0, 1, 2, 4, 8, 16, 32)]
    assert losses[0] == pytest.approx(half_squared_error(g, target), rel=1e-5)
    assert np.all(np.diff(losses) < 0)


# Gauss-Newton steps --------------------------------------------------------------------------


def alone(channels=3):
    """Return a Gaussian far from the borders and a similar one as its target."""
    colors = np.linspace(0.3, 0.9, channels)[None]
    true = Gaussians.from_cholesky([[40.2, 37.6]], [[5.0, 2.0, 4.0]], colors, 80, 80, 12.0)
    near = Gaussians.from_cholesky(
        [[40.9, 37.1]], [[5.4, 1.5, 3.8]], 0.9 * colors + 0.05, 80, 80, 12.0
    )
    return near, reference.render(true).astype(np.float32), true


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_whole_gauss_newton_step_goes_almost_all_the_way(channels):
    near, target, true = alone(channels)
    o = optimizer(near, target)
    (before,) = o.gauss_newton(fractions(1, 1.0), 0.0, 0.0, 1e-3)
    assert np.square(o.residual()).sum() / 2 < 0.08 * before
    assert o.means == pytest.approx(true.means, abs=0.15)


def test_momentum_and_falling_rates_find_it():
    near, target, true = alone()
    o = optimizer(near, target)
    o.gauss_newton(np.linspace(0.5, 0.05, 250, dtype=np.float32), 0.0, 0.0, 1e-3)
    assert o.means == pytest.approx(true.means, abs=1e-3)
    assert o.cholesky == pytest.approx(true.cholesky(), abs=1e-3)
    assert o.colors == pytest.approx(true.colors, abs=1e-3)


def test_few_gauss_newton_steps_do_what_takes_adam_many():
    true = scene(60, 64, 64)
    target = reference.render(true).astype(np.float32)
    random = np.random.default_rng(3)
    moved = Gaussians.from_scale_rotation(
        true.means + random.normal(0, 0.6, (60, 2)),
        true.scale_rotation()[0] * random.uniform(0.85, 1.15, (60, 2)),
        true.scale_rotation()[1],
        true.colors + random.normal(0, 0.08, (60, 3)),
        64,
        64,
        true.q_max,
    )
    newton, adam = optimizer(moved, target), optimizer(moved, target)
    newton.gauss_newton(np.linspace(2, 1, 40, dtype=np.float32), 0.0, 0.0, 0.2)
    ramp = np.linspace(1, 0.5, 80, dtype=np.float32)
    adam.adam(ramp[:, None] * np.array([0.05, 0.03, 0.015], np.float32), 0.0)
    losses = [np.square(o.residual()).sum() for o in (newton, adam)]
    assert losses[0] < 0.9 * losses[1]


def test_gaussians_on_top_of_each_other_take_smaller_steps():
    # Each of them alone would make up for the whole error: fifty times too much.
    near, target, _ = alone()
    o = _native.Optimizer(target, near.q_max, 1)
    for _ in range(50):
        o.add(near.means, near.cholesky(), (near.colors / 50).astype(np.float32))
    losses = o.gauss_newton(fractions(60, 1.0), 0.0, 0.0, 0.02)
    assert losses[-1] < 0.1 * losses[0]
    assert losses.max() == losses[0]


def test_gauss_newton_steps_weigh_the_penalties():
    g = compact_scene()
    target = picture(g)
    free, held = optimizer(g, target), optimizer(g, target)
    free.gauss_newton(fractions(30, 0.5), 0.0, 0.0, 0.2)
    held.gauss_newton(fractions(30, 0.5), 0.05, 0.8, 0.2)

    def square(o):
        return np.sum(np.square(o.colors).sum(axis=1) * o.cholesky[:, 0] * o.cholesky[:, 2])

    assert square(held) < 0.9 * square(free)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit_of_gauss_newton_steps(threads):
    g = scene(600, 300, 70)
    one, many = optimizer(g, picture(g)), optimizer(g, picture(g), threads=threads)
    expected = one.gauss_newton(fractions(5), 0.01, 0.8, 0.2)
    assert np.array_equal(many.gauss_newton(fractions(5), 0.01, 0.8, 0.2), expected)
    assert_same_state(one, many)


@pytest.mark.parametrize("flags", range(8))
def test_gauss_newton_steps_hold_what_is_not_trainable(flags):
    g = scene()
    o = optimizer(g, picture(g))
    o.trainable = np.full(len(g), flags, np.uint8)
    before = state(o)
    o.gauss_newton(fractions(3), 0.01, 0.8, 0.2)
    for flag, name in ((POSITION, "means"), (COVARIANCE, "cholesky"), (COLOR, "colors")):
        assert np.array_equal(getattr(o, name), before[name]) == (not flags & flag), name


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
        lambda o: o.gauss_newton(fractions(4), 0.05, 0.8, 0.2),
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
    assert np.all(o.gauss_newton(fractions(5), 0.01, 0.8, 0.2) == losses[0])


def test_nothing_moves_beyond_numbers_under_absurd_rates():
    g = scene()
    o = optimizer(g, picture(g))
    o.adam(rates(20, 1e4, 1e3, 1e6), 0.0)
    o.adam(rates(20, 1e30, 1e30, 1e30), 0.1)
    for rate in (1e4, 1e30):
        o.gauss_newton(fractions(20, rate), 0.1, 0.8, 0.2)
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
    assert np.isnan(o.gauss_newton(fractions(3), 0.0, 0.0, 0.2)).all()
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


def make_weights(g, *, seed=2):
    """Return weights of 0 to 1, a third of them 0."""
    values = np.random.default_rng(seed).uniform(-0.5, 1, (g.height, g.width, g.channels))
    return np.maximum(values, 0).astype(np.float32)


def weighed(g, target, weights, *, threads=1):
    result = optimizer(g, target, threads=threads)
    result.weigh(weights)
    return result


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_weights_multiply_squared_errors(channels):
    g = scene(channels=channels)
    target, weights = picture(g), make_weights(g)
    error = reference.render(g) - target
    o = weighed(g, target, weights)
    np.testing.assert_allclose(o.residual(), weights * error, atol=2e-4)
    loss = o.adam(rates(1), 0.0)[0]
    assert loss == pytest.approx(np.sum(weights * error**2) / 2, rel=1e-4)


def test_weights_of_one_change_no_bit():
    g = scene()
    target = picture(g)
    a, b = optimizer(g, target), weighed(g, target, np.ones_like(target))
    assert np.array_equal(a.adam(rates(5), 0.01), b.adam(rates(5), 0.01))
    assert_same_state(a, b)


def test_what_has_no_weight_has_no_say():
    g = scene()
    target, weights = picture(g), np.ones((g.height, g.width, g.channels), np.float32)
    weights[10:20, 5:30] = 0
    other = target.copy()
    other[10:20, 5:30] = 0.25
    a, b = weighed(g, target, weights), weighed(g, other, weights)
    assert np.array_equal(a.adam(rates(5), 0.01), b.adam(rates(5), 0.01))
    assert np.array_equal(
        a.gauss_newton(fractions(5), 0.01, 1, 0.1), b.gauss_newton(fractions(5), 0.01, 1, 0.1)
    )
    assert_same_state(a, b)


def test_solved_colors_are_the_weighted_least_squares_solution():
    g = compact_scene()
    target, weights = picture(g), make_weights(g)
    o = weighed(g, target, weights)
    o.solve_colors(500, 0.0)
    design = design_matrix(g)
    for channel in range(3):
        root = np.sqrt(weights[..., channel].ravel().astype(np.float64))[:, None]
        values = root[:, 0] * target[..., channel].ravel()
        expected = np.linalg.lstsq(root * design, values, rcond=None)[0]
        np.testing.assert_allclose(o.colors[:, channel], expected, atol=2e-3)


def test_weights_of_another_shape_are_refused():
    g = scene()
    with pytest.raises(ValueError, match="wrong shape"):
        optimizer(g, picture(g)).weigh(np.ones((3, 4, 3), np.float32))


def block_energy(values):
    """Return Σ mean² over blocks of 4 × 4, each pixel with the mean; beyond the edge are zeros."""
    height, width, channels = values.shape
    padded = np.pad(values, ((0, -height % 4), (0, -width % 4), (0, 0)))
    blocks = padded.reshape(padded.shape[0] // 4, 4, padded.shape[1] // 4, 4, channels)
    return 16 * np.sum(blocks.mean(axis=(1, 3)) ** 2)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_block_means_count_by_their_weight(channels):
    g = scene(channels=channels)
    target, weights = picture(g), make_weights(g)
    o = weighed(g, target, weights)
    o.block_weight = 3.0
    rooted = np.sqrt(weights) * (reference.render(g) - target)
    loss = o.adam(rates(1), 0.0)[0]
    expected = (np.sum(rooted**2) + 3 * block_energy(rooted)) / 2
    assert loss == pytest.approx(expected, rel=1e-4)


def test_the_first_step_follows_the_gradient_of_block_means_too():
    g = scene(8)
    target, weights = picture(g), make_weights(g)

    def loss(colors):
        o = weighed(g, target, weights)
        o.colors = colors.astype(np.float32)
        o.block_weight = 2.0
        return o.adam(rates(1), 0.0)[0]

    o = weighed(g, target, weights)
    o.block_weight = 2.0
    o.adam(rates(1, color=1e-3), 0.0)
    moved = o.colors - g.colors.astype(np.float32)
    colors = g.colors.astype(np.float64)
    for i, k in ((0, 0), (3, 1), (7, 2)):
        up, down = colors.copy(), colors.copy()
        up[i, k] += 1e-2
        down[i, k] -= 1e-2
        slope = loss(up) - loss(down)
        if abs(slope) > 1e-3:
            assert np.sign(moved[i, k]) == -np.sign(slope)


def test_threads_change_no_bit_of_block_means():
    g = scene(height=70, width=90)
    found = []
    for threads in (1, 3):
        o = optimizer(g, picture(g), threads=threads)
        o.block_weight = 2.0
        o.gauss_newton(fractions(3), 0.01, 0.5, 0.1)
        found.append(o)
    assert_same_state(*found)
