"""The least squares solution in the colors."""

import numpy as np
import pytest
from optimizer_scenes import (
    COVARIANCE,
    POSITION,
    compact_scene,
    design_matrix,
    half_squared_error,
    optimizer,
    picture,
    rates,
    scene,
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
