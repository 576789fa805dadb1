"""What optimizers remember: what the first step of each kind starts with."""

import numpy as np
from optimizer_scenes import assert_same_state, fractions, optimizer, picture, rates, scene

from gaussianimage import _native
from gaussianimage.fitting.memory import begin_adam, begin_newton, measure_overlaps


def filled() -> _native.Optimizer:
    g = scene(60, 64, 50)
    made: _native.Optimizer = optimizer(g, picture(g))
    return made


def refilled(old: _native.Optimizer) -> _native.Optimizer:
    """Return an optimizer with the Gaussians of another and nothing remembered."""
    made = filled()
    made.means, made.cholesky, made.colors = old.means, old.cholesky, old.colors
    return made


def test_adam_begins_as_if_nothing_had_been() -> None:
    used = filled()
    begin_newton(used)
    measure_overlaps(used)
    used.gauss_newton(fractions(4), 0.0, 0.1)
    fresh = refilled(used)
    begin_adam(used)
    assert np.array_equal(used.adam(rates(5), 0.01), fresh.adam(rates(5), 0.01))
    assert_same_state(used, fresh)


def test_newton_begins_at_rest_after_adam() -> None:
    used = filled()
    used.adam(rates(5), 0.01)
    fresh = refilled(used)
    begin_newton(used)
    for each in (used, fresh):
        measure_overlaps(each)
    assert np.array_equal(
        used.gauss_newton(fractions(4), 0, 0.1), fresh.gauss_newton(fractions(4), 0, 0.1)
    )
    assert np.array_equal(used.means, fresh.means)


def test_overlaps_are_measured_of_the_gaussians_as_they_are() -> None:
    used = filled()
    measure_overlaps(used)
    before = used.second
    assert (before == used.overlaps().astype(np.float32)[:, None]).all()
    used.keep((np.arange(len(used)) % 2).astype(np.uint8))
    measure_overlaps(used)
    assert (used.second <= before[1::2]).all()
    assert (used.second < before[1::2]).any()


def test_new_gaussians_are_at_rest_beside_moving_ones() -> None:
    used = filled()
    begin_newton(used)
    measure_overlaps(used)
    used.gauss_newton(fractions(4), 0.0, 0.1)
    moving = used.first
    used.add(np.full((1, 2), 20.0), np.array([[3.0, 0.0, 3.0]]), np.full((1, 3), 0.1, np.float32))
    measure_overlaps(used)
    assert np.array_equal(used.first[:-1], moving)
    assert not used.first[-1].any()
    assert used.second[-1, 0] > 1
