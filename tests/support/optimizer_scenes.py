"""Gaussians, targets and optimizers for the tests of the native optimizer."""

import numpy as np
from strategies import random_gaussians

from gaussianimage import _native, reference
from gaussianimage.fitting.memory import begin_newton, measure_overlaps
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


def rest(o):
    """Give an optimizer what Gauss–Newton steps start with: no velocity, and the overlaps."""
    begin_newton(o)
    measure_overlaps(o)
    return o


def newton(o, rates, energy, step, bits=0.0, area=0.0):
    """Do Gauss–Newton steps from rest; return the loss before each."""
    return rest(o).gauss_newton(rates, energy, step, bits, area)


def state(o):
    return {name: getattr(o, name) for name in STATE}


def assert_same_state(a, b):
    for name, values in state(a).items():
        assert np.array_equal(values, getattr(b, name), equal_nan=True), name


def half_squared_error(g, target):
    return np.sum((reference.render(g) - target) ** 2) / 2


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
