"""What an optimizer remembers from step to step: Adam's moments, or velocities and overlaps.

Both kinds of steps keep it in the same two arrays, so whoever changes from one kind to the other
says so here.
"""

import numpy as np

from gaussianimage.backends import FitOptimizer


def begin_adam(optimizer: FitOptimizer) -> None:
    """Forget everything: the next step is Adam's first one for every Gaussian."""
    optimizer.first = np.zeros_like(optimizer.first)
    optimizer.second = np.zeros_like(optimizer.second)
    optimizer.age = np.zeros_like(optimizer.age)


def begin_newton(optimizer: FitOptimizer) -> None:
    """Let Gauss–Newton steps begin at rest; `measure_overlaps` must follow."""
    optimizer.first = np.zeros_like(optimizer.first)


def measure_overlaps(optimizer: FitOptimizer) -> None:
    """Measure the overlaps by which Gauss–Newton steps are divided from here on.

    They change slowly. New Gaussians have none until they are measured: their steps are whole.
    """
    columns = optimizer.second.shape[1]
    overlaps = optimizer.overlaps().astype(np.float32)
    optimizer.second = np.repeat(overlaps[:, None], columns, axis=1)
