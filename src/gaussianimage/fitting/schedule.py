"""The schedule of a fit: step sizes by iteration, and when Gaussians are added or replaced."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Step sizes at the start: position in units of the Gaussian's own shape, factors of the
# covariance, colors in units of the picture's range.
START_RATES = (0.2, 0.12, 0.03)
END_FRACTION = 0.01

FIRST_FRACTION = 0.1  # part of the Gaussians that a fit starts with
GROWTH_UNTIL = 0.4  # part of the iterations

# A renewal removes some of the weakest Gaussians and adds new ones where the error is largest.
RENEWAL_EVERY = 25  # iterations
RENEWAL_UNTIL = 0.75  # part of the iterations
REPLACED_FRACTION = 0.03


@dataclass(frozen=True)
class Schedule:
    """The schedule of a fit of `iterations` iterations that ends with `gaussians` Gaussians."""

    iterations: int
    gaussians: int

    @property
    def first(self) -> int:
        """Gaussians to start with."""
        if not self.renewal_steps():
            return self.gaussians
        return max(1, round(self.gaussians * FIRST_FRACTION))

    @property
    def every(self) -> int:
        """Iterations from one renewal to the next."""
        return min(RENEWAL_EVERY, max(1, self.iterations // 12))

    def renewal_steps(self) -> range:
        """Return the iterations before which Gaussians are added or replaced."""
        return range(self.every, int(self.iterations * RENEWAL_UNTIL) + 1, self.every)

    def target(self, iteration: int) -> int:
        """Return how many Gaussians there are after the renewal before `iteration`."""
        end = max(int(self.iterations * GROWTH_UNTIL), self.every)
        done, steps = (min(last, end) // self.every for last in (iteration, self.iterations))
        if done >= steps:
            return self.gaussians
        return self.first + (self.gaussians - self.first) * done // steps

    def rates(self, begin: int, end: int) -> NDArray[np.float32]:
        """Return step sizes of iterations `begin` to `end`, (end − begin, 3): a cosine to 1 %."""
        phase = np.arange(begin, end) / self.iterations
        factor = END_FRACTION + (1 - END_FRACTION) * 0.5 * (1 + np.cos(np.pi * phase))
        rates: NDArray[np.float32] = (factor[:, None] * np.array(START_RATES)).astype(np.float32)
        return rates
