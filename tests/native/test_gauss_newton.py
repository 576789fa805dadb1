"""Gauss-Newton steps: how far they go, what they hold, and that threads change nothing."""

import numpy as np
import pytest
from optimizer_scenes import (
    COLOR,
    COVARIANCE,
    POSITION,
    STATE,
    assert_same_state,
    compact_scene,
    design_matrix,
    fractions,
    newton,
    optimizer,
    picture,
    rest,
    scene,
    state,
)
from strategies import POISONS, poison

from gaussianimage import _native, reference
from gaussianimage.gaussians import Gaussians


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
    (before,) = newton(o, fractions(1, 1.0), 0.0, 1e-3)
    assert np.square(o.residual()).sum() / 2 < 0.08 * before
    assert o.means == pytest.approx(true.means, abs=0.15)


def test_momentum_and_falling_rates_find_it():
    near, target, true = alone()
    o = optimizer(near, target)
    newton(o, np.linspace(0.5, 0.05, 250, dtype=np.float32), 0.0, 1e-3)
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
    steps, adam = optimizer(moved, target), optimizer(moved, target)
    newton(steps, np.linspace(2, 1, 40, dtype=np.float32), 0.0, 0.2)
    ramp = np.linspace(1, 0.5, 80, dtype=np.float32)
    adam.adam(ramp[:, None] * np.array([0.05, 0.03, 0.015], np.float32), 0.0)
    losses = [np.square(o.residual()).sum() for o in (steps, adam)]
    assert losses[0] < 0.9 * losses[1]


def test_gaussians_on_top_of_each_other_take_smaller_steps():
    # Each of them alone would make up for the whole error: fifty times too much.
    near, target, _ = alone()
    o = _native.Optimizer(target, near.q_max, 1)
    for _ in range(50):
        o.add(near.means, near.cholesky(), (near.colors / 50).astype(np.float32))
    losses = newton(o, fractions(60, 1.0), 0.0, 0.02)
    assert losses[-1] < 0.1 * losses[0]
    assert losses.max() == losses[0]


def test_gauss_newton_steps_weigh_the_penalties():
    g = compact_scene()
    target = picture(g)
    free, held = optimizer(g, target), optimizer(g, target)
    newton(free, fractions(30, 0.5), 0.0, 0.2)
    newton(held, fractions(30, 0.5), 0.05, 0.2, 0.8)

    def square(o):
        return np.sum(np.square(o.colors).sum(axis=1) * o.cholesky[:, 0] * o.cholesky[:, 2])

    assert square(held) < 0.9 * square(free)


def test_a_price_of_area_makes_gaussians_smaller_by_its_gradient():
    near, _, _ = alone()
    target = picture(near)  # drawn exactly: nothing but the price changes it
    step, price, rate = 1.0, 0.1, 0.01
    one, other = optimizer(near, target), optimizer(near, target)
    newton(one, fractions(1, rate), 0.0, step, 0.0, price)
    newton(other, fractions(1, rate), 0.0, step)
    l11, _, l22 = near.cholesky()[0]
    area = np.pi * l11 * l22
    energy = area * np.square(near.colors[0]).sum()
    change = rate * price * step**2 * area * 2 / (energy + 2 * step**2)
    assert change > 1e-4
    found = np.log(one.cholesky[0, ::2] / other.cholesky[0, ::2])
    assert found == pytest.approx([-change, -change], rel=0.01)
    assert one.means == pytest.approx(other.means, abs=1e-6)
    # The amplitude stays the same.
    sizes = [o.cholesky[0, 0] * o.cholesky[0, 2] for o in (one, other)]
    assert one.colors * np.sqrt(sizes[0]) == pytest.approx(
        other.colors * np.sqrt(sizes[1]), rel=1e-4
    )


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit_of_gauss_newton_steps(threads):
    g = scene(600, 300, 70)
    one, many = optimizer(g, picture(g)), optimizer(g, picture(g), threads=threads)
    expected = newton(one, fractions(5), 0.01, 0.2, 0.8)
    assert np.array_equal(newton(many, fractions(5), 0.01, 0.2, 0.8), expected)
    assert_same_state(one, many)


@pytest.mark.parametrize("flags", range(8))
def test_gauss_newton_steps_hold_what_is_not_trainable(flags):
    g = scene()
    o = optimizer(g, picture(g))
    o.trainable = np.full(len(g), flags, np.uint8)
    before = state(o)
    newton(o, fractions(3), 0.01, 0.2, 0.8)
    for flag, name in ((POSITION, "means"), (COVARIANCE, "cholesky"), (COLOR, "colors")):
        assert np.array_equal(getattr(o, name), before[name]) == (not flags & flag), name


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_overlap_is_the_sum_of_a_row_of_the_gram_matrix(channels):
    g = scene(channels=channels)
    l11, _, l22 = g.cholesky().T
    unit = design_matrix(g) / np.sqrt(np.pi * l11 * l22)
    rows = (unit.T @ unit).sum(axis=1)
    assert rows.max() > 2
    assert optimizer(g, picture(g)).overlaps() == pytest.approx(np.maximum(rows, 1), rel=1e-4)


def test_what_draws_nothing_has_an_overlap_of_1():
    like = scene(5)
    parts = [poison(name, like=like) for name in sorted(POISONS)]
    with np.errstate(over="ignore"):
        o = optimizer(Gaussians.concatenate(like, *parts), picture(like))
    assert o.overlaps()[5:].tolist() == [1.0] * sum(len(part) for part in parts)


def test_gauss_newton_steps_go_on_where_they_stopped_to_the_bit():
    g = scene(200, 90, 70)
    target, ramp = picture(g), np.linspace(1.5, 1, 9, dtype=np.float32)
    once = rest(optimizer(g, target))
    losses = once.gauss_newton(ramp, 0.01, 0.1)
    first = rest(optimizer(g, target))
    found = [first.gauss_newton(ramp[:4], 0.01, 0.1)]
    second = optimizer(g, target)
    for name in STATE:
        setattr(second, name, getattr(first, name))
    found.append(second.gauss_newton(ramp[4:], 0.01, 0.1))
    assert np.array_equal(np.concatenate(found), losses)
    assert_same_state(once, second)


def test_what_is_drawn_ages_by_a_step():
    g = scene(200, 90, 70)
    o = optimizer(g, picture(g))
    newton(o, fractions(1, 1.0), 0.01, 0.1)
    drawn = o.first.any(axis=1)
    assert drawn.mean() > 0.9  # the others lie outside of the picture
    assert not drawn.all()
    assert np.array_equal(o.age, drawn)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 0.0])
def test_an_overlap_that_is_none_counts_as_1(value):
    g = scene()
    target = picture(g)
    odd, one = rest(optimizer(g, target)), rest(optimizer(g, target))
    odd.second = np.full_like(odd.second, value)
    one.second = np.ones_like(one.second)
    odd.gauss_newton(fractions(2, 0.5), 0.0, 0.2)
    one.gauss_newton(fractions(2, 0.5), 0.0, 0.2)
    assert np.isfinite(odd.means).all()
    if value != np.inf:
        assert np.array_equal(odd.means, one.means)
