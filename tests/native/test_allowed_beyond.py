"""What an optimizer lets a drawing exceed: values at the ends of their range."""

import numpy as np
import pytest
from optimizer_scenes import (
    assert_same_state,
    fractions,
    newton,
    optimizer,
    picture,
    rates,
    scene,
)

from gaussianimage import _native, reference

ROOM = 0.2


def make_sides(target, *, seed=3):
    """Return sides of −1, 0 and 1, a third each."""
    return np.random.default_rng(seed).integers(-1, 2, target.shape).astype(np.int8)


def allowing(g, target, sides, *, room=ROOM, threads=1):
    result = optimizer(g, target, threads=threads)
    result.allow_beyond(sides, room)
    return result


def expected_residual(g, target, sides, room=ROOM):
    """Return in double precision how far a drawing is from what is allowed."""
    error = reference.render(g) - target
    low, high = np.minimum(room * sides, 0), np.maximum(room * sides, 0)
    return error - np.clip(error, low, high)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(45, 38), (1, 1), (3, 9), (259, 17)])
def test_errors_within_the_room_count_for_nothing(channels, size):
    g = scene(channels=channels, height=size[0], width=size[1])
    target = picture(g)
    sides = make_sides(target)
    error = expected_residual(g, target, sides)
    o = allowing(g, target, sides)
    np.testing.assert_allclose(o.residual(), error, atol=2e-4)
    np.testing.assert_allclose(o.residual_magnitudes(), np.abs(error).sum(axis=2), atol=4e-4)
    loss = o.adam(rates(1), 0.0)[0]
    assert loss == pytest.approx(np.sum(error**2) / 2, rel=1e-4, abs=1e-6)


def test_weights_multiply_what_is_left():
    g = scene()
    target = picture(g)
    sides = make_sides(target)
    weights = np.random.default_rng(5).uniform(0, 1, target.shape).astype(np.float32)
    o = allowing(g, target, sides)
    o.weigh(weights)
    error = expected_residual(g, target, sides)
    np.testing.assert_allclose(o.residual(), weights * error, atol=2e-4)
    assert o.adam(rates(1), 0.0)[0] == pytest.approx(np.sum(weights * error**2) / 2, rel=1e-4)


def test_no_sides_change_no_bit():
    g = scene()
    target = picture(g)
    a, b = optimizer(g, target), allowing(g, target, np.zeros(target.shape, np.int8))
    assert np.array_equal(a.adam(rates(5), 0.01), b.adam(rates(5), 0.01))
    assert np.array_equal(
        newton(a, fractions(5), 0.01, 0.1, 1), newton(b, fractions(5), 0.01, 0.1, 1)
    )
    assert_same_state(a, b)


def test_the_first_step_follows_the_gradient():
    g = scene(8)
    target = picture(g)
    sides = make_sides(target)

    def loss(colors):
        o = allowing(g, target, sides)
        o.colors = colors.astype(np.float32)
        return o.adam(rates(1), 0.0)[0]

    o = allowing(g, target, sides)
    o.adam(rates(1, color=1e-3), 0.0)
    moved = o.colors - g.colors.astype(np.float32)
    colors = g.colors.astype(np.float64)
    for i, k in ((0, 0), (3, 1), (7, 2)):
        up, down = colors.copy(), colors.copy()
        up[i, k] += 1e-2
        down[i, k] -= 1e-2
        assert np.sign(moved[i, k]) == -np.sign(loss(up) - loss(down))


def test_baked_gaussians_stay_in_what_is_allowed():
    g = scene()
    target = picture(g)
    sides = make_sides(target)
    o = allowing(g, target, sides)
    o.bake((np.arange(len(o)) % 2).astype(np.uint8))
    np.testing.assert_allclose(o.residual(), expected_residual(g, target, sides), atol=4e-4)


def test_solved_colors_have_no_larger_loss():
    g = scene()
    target = picture(g)
    sides = make_sides(target)
    o = allowing(g, target, sides)
    before = o.solve_colors(0, 0.0)
    assert before == pytest.approx(np.sum(expected_residual(g, target, sides) ** 2) / 2, rel=1e-4)
    assert o.solve_colors(20, 0.0) < before


def test_threads_and_instruction_sets_change_no_bit():
    g = scene(height=300, width=70)
    target = picture(g)
    sides = make_sides(target)
    first = allowing(g, target, sides).residual()
    assert np.array_equal(allowing(g, target, sides, threads=3).residual(), first)
    here = _native.instruction_set()
    try:
        assert _native.select_instruction_set("baseline")
        assert np.array_equal(allowing(g, target, sides).residual(), first)
    finally:
        _native.select_instruction_set(here)


def test_coarse_grids_allow_the_same():
    g = scene(height=130, width=140, count=30)
    target = picture(g)
    sides = make_sides(target)
    exact, coarse = allowing(g, target, sides), allowing(g, target, sides)
    coarse.coarse = True
    losses = exact.adam(rates(3), 0.0)
    assert coarse.adam(rates(3), 0.0) == pytest.approx(losses, rel=1e-2)


def test_sides_of_another_shape_are_refused():
    g = scene()
    with pytest.raises(ValueError, match="wrong shape"):
        optimizer(g, picture(g)).allow_beyond(np.ones((3, 4, 3), np.int8), ROOM)
