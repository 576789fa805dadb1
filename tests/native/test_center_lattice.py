"""Centers lie on a lattice that follows the shape: section 4.6 of docs/format.md."""

import math

import numpy as np
import pytest

from gaussianimage import _native

PRECISION = 6  # cells of 4 px
HEIGHT, WIDTH = 120, 152  # 30 x 38 cells: whole blocks of 8, and parts at the right and the bottom
COLUMNS, ROWS = 38, 30
WHOLE_COLUMNS, WHOLE_ROWS = 32, 24
QUANTIZER = _native.Quantizer(HEIGHT, WIDTH, 1, 0.05, 1.0)
AMPLITUDE = 64  # whose amplitude class is 12, so shapes have steps of 1/64


def shapes_of(elongation: float, angles: np.ndarray) -> np.ndarray:
    """Return shape levels (N, 3) of size 1 px, an elongation ½ ln(σ₁ / σ₂) and angles."""
    shape = np.zeros((len(angles), 3))
    shape[:, 1] = elongation * np.cos(2 * angles)
    shape[:, 2] = elongation * np.sin(2 * angles)
    return np.rint(64 * shape).astype(np.int32)


def constant(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return precision classes and colors of some Gaussians."""
    return np.full(count, PRECISION, np.uint8), np.full((count, 1), AMPLITUDE, np.int32)


def centers(position: np.ndarray, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return means and Cholesky factors of positions with shapes."""
    precision, color = constant(len(position))
    means, cholesky, _ = QUANTIZER.dequantize(precision, position.astype(np.int32), color, shape)
    return means, cholesky


def nearest(means: np.ndarray, shape: np.ndarray) -> np.ndarray:
    precision, color = constant(len(means))
    return QUANTIZER.nearest_centers(means, precision, color, shape)


def all_positions() -> np.ndarray:
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.int32)


# Beyond a ratio of axes of 150 a search near the point may miss the nearest center.
MOST_USUAL = 2.5
SHAPES = [
    (elongation, angle)
    for elongation in (0.0, 0.4, 0.9, 1.6, 2.5, 4.0, 6.9)
    for angle in (0.0, 0.3, math.pi / 4, 1.2, math.pi / 2, 2.0, 2.7)
]


@pytest.mark.parametrize(("elongation", "angle"), SHAPES)
def test_all_positions_have_centers_of_their_own_in_their_blocks(
    elongation: float, angle: float
) -> None:
    position = all_positions()
    shape = shapes_of(elongation, np.full(len(position), angle))
    means, _ = centers(position, shape)
    assert len(np.unique(means, axis=0)) == len(position)
    cells = means / 4
    whole = (position < [WHOLE_COLUMNS, WHOLE_ROWS]).all(axis=1)
    assert (np.floor(cells[whole] / 8) == position[whole] // 8).all()
    assert (cells[~whole] == position[~whole] + 0.5).all()


@pytest.mark.parametrize(("elongation", "angle"), [s for s in SHAPES if s[0] <= MOST_USUAL])
def test_the_nearest_center_is_nearest_by_the_gaussians_own_metric(
    elongation: float, angle: float
) -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform([0, 0], [WIDTH, HEIGHT], (60, 2))
    shape = shapes_of(elongation, np.full(60, angle))
    position = all_positions()
    all_means, cholesky = centers(position, np.repeat(shape[:1], len(position), axis=0))
    found, _ = centers(nearest(points, shape), shape)
    inverse = np.linalg.inv([[cholesky[0, 0], 0], cholesky[0, 1:]])

    def distances(means: np.ndarray, point: np.ndarray) -> np.ndarray:
        return np.square((means - point) @ inverse.T).sum(axis=-1)

    whole = (position < [WHOLE_COLUMNS, WHOLE_ROWS]).all(axis=1)
    inside = (points < [4 * WHOLE_COLUMNS, 4 * WHOLE_ROWS]).all(axis=1)
    for point, mean, in_whole in zip(points, found, inside, strict=True):
        if in_whole:  # its center is in a whole block too
            assert distances(mean, point) <= distances(all_means[whole], point).min() * (1 + 1e-6)
        else:
            assert np.abs(mean - point).max() <= 2 + 1e-9


def test_rounding_a_center_returns_its_position() -> None:
    rng = np.random.default_rng(1)
    position = all_positions()
    angles = rng.uniform(0, np.pi, len(position))
    for elongation in (0.0, 0.7, 1.5, 3.0):
        shape = shapes_of(elongation, angles)
        means, _ = centers(position, shape)
        assert np.array_equal(nearest(means, shape), position)


def test_long_gaussians_are_placed_as_well_as_round_ones() -> None:
    """The mean squared error in units of σ, times σ₁ σ₂ / cell², is that of a square cell, 1/6."""
    rng = np.random.default_rng(2)
    count = 4000
    large = _native.Quantizer(4096, 4096, 1, 0.05, 1.0)
    precision, color = constant(count)
    points = rng.uniform(500, 3500, (count, 2))
    for elongation in (0.0, 0.5, 1.0, 1.5):
        shape = shapes_of(elongation, rng.uniform(0, np.pi, count))
        position = large.nearest_centers(points, precision, color, shape)
        means, cholesky, _ = large.dequantize(precision, position, color, shape)
        first = (means - points)[:, 0] / cholesky[:, 0]
        second = ((means - points)[:, 1] - cholesky[:, 1] * first) / cholesky[:, 2]
        error = np.square(first) + np.square(second)
        assert (error / 16).mean() == pytest.approx(1 / 6, rel=0.05)


def test_points_outside_move_to_the_border() -> None:
    points = np.array([[-9.0, 50.0], [1e9, 50.0], [70.0, -1e9], [70.0, 1e9]])
    means, _ = centers(nearest(points, shapes_of(1.0, np.zeros(4))), shapes_of(1.0, np.zeros(4)))
    assert (means >= 0).all()
    assert (means < [4 * COLUMNS, 4 * ROWS]).all()
    assert means[0, 0] <= 4
    assert means[1, 0] > 4 * COLUMNS - 4
    assert means[2, 1] <= 4
    assert means[3, 1] > 4 * ROWS - 4


def test_no_lattice_is_near_to_another() -> None:
    """Roundings of the formulas decide nothing: no k and no h is within 1e-9 of the next."""
    for first in range(-28, 29):
        for second in range(-28, 29):
            r = math.hypot(first / 4, second / 4)
            if r == 0 or r > 7.3:
                continue
            cosh, sinh = math.cosh(2 * r), math.sinh(2 * r) / r
            xx, xy = cosh + sinh * first / 4, sinh * second / 4
            if first < 0:
                xx = (1 + xy * xy) / (cosh - sinh * first / 4)  # without cancellation
            octaves = math.log2(xx) / 2
            k = min(max(math.floor(octaves), -3), 3)
            assert abs(octaves - round(octaves)) > 1e-9 or first == 0
            steps = 16 * 4.0**k * xy / xx + 0.5
            assert second == 0 or abs(steps - round(steps)) > 1e-9
