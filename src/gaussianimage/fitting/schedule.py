"""When a fit does what: step sizes by iteration, and when Gaussians are added."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Step sizes at the start: position in units of the Gaussian's own shape, factors of the
# covariance, colors in units of the picture's range.
START_RATES = (0.2, 0.12, 0.03)
END_FRACTION = 0.01

FIRST_FRACTION = 0.1  # of the Gaussians that a fit starts with
GROWTH_EVERY = 50  # iterations
GROWTH_UNTIL = 0.6  # of the iterations


@dataclass(frozen=True)
class Schedule:
    """The plan of a fit of `iterations` iterations that ends with `gaussians` Gaussians."""

    iterations: int
    gaussians: int

    @property
    def first(self) -> int:
        """Gaussians to start with."""
        if not self.growth_steps():
            return self.gaussians
        return max(1, round(self.gaussians * FIRST_FRACTION))

    def growth_steps(self) -> range:
        """Return the iterations before which Gaussians are added."""
        every = min(GROWTH_EVERY, max(1, self.iterations // 12))
        return range(every, int(self.iterations * GROWTH_UNTIL) + 1, every)

    def target(self, iteration: int) -> int:
        """Return how many Gaussians there are to be once growth before `iteration` is done."""
        steps = self.growth_steps()
        done = sum(1 for step in steps if step <= iteration)
        if done == len(steps):
            return self.gaussians
        return self.first + (self.gaussians - self.first) * done // len(steps)

    def rates(self, begin: int, end: int) -> NDArray[np.float32]:
        """Return step sizes of iterations `begin` to `end`, (end − begin, 3): a cosine to 1 %."""
        phase = np.arange(begin, end) / self.iterations
        factor = END_FRACTION + (1 - END_FRACTION) * 0.5 * (1 + np.cos(np.pi * phase))
        rates: NDArray[np.float32] = (factor[:, None] * np.array(START_RATES)).astype(np.float32)
        return rates
