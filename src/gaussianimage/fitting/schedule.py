"""The schedule of a fit: steps by iteration, and when Gaussians are added or replaced."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Step sizes of Adam at the start: position in units of the Gaussian's own shape, factors of the
# covariance, colors in units of the picture's range.
START_RATES = (0.2, 0.12, 0.03)
END_FRACTION = 0.01

FIRST_FRACTION = 0.1  # part of the Gaussians that a fit starts with
GROWTH_UNTIL = 0.4  # part of the iterations

# A renewal removes some of the weakest Gaussians and adds new ones where the error is largest.
RENEWAL_EVERY = 25  # iterations

# Gauss–Newton steps take over from Adam, and their rates fall from the first to the last. Above 1.5
# some pictures come near to where steps overshoot together.
NEWTON_FROM = 0.4  # part of the iterations
NEWTON_RATES = (1.5, 1.0)
OVERLAPS_EVERY = 25  # iterations


@dataclass(frozen=True)
class Renewals:
    """Which part of the Gaussians each renewal replaces."""

    until: float  # part of the iterations
    first: float  # part of the Gaussians at the beginning
    last: float  # and at `until`


# Gauss–Newton steps pull a new Gaussian into place within some twenty iterations, so that more of
# them can be replaced.
WITH_NEWTON = Renewals(until=0.8, first=0.2, last=0.06)
ADAM_ALONE = Renewals(until=0.75, first=0.03, last=0.03)


@dataclass(frozen=True)
class Schedule:
    """The schedule of a fit of `iterations` iterations that ends with `gaussians` Gaussians.

    With `newton` false, all iterations are Adam's.
    """

    iterations: int
    gaussians: int
    newton: bool = True

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
        last = int(self.iterations * self._renewals.until)
        return range(self.every, last + 1, self.every)

    def replaced(self, iteration: int) -> float:
        """Return the part of the Gaussians that the renewal before `iteration` replaces."""
        renewals = self._renewals
        phase = iteration / (renewals.until * self.iterations)
        return float(renewals.first * (renewals.last / renewals.first) ** phase)

    @property
    def newton_from(self) -> int:
        """The iteration of the first Gauss–Newton step."""
        if not self.newton:
            return self.iterations
        earliest = int(self.iterations * NEWTON_FROM)
        return next((step for step in self.renewal_steps() if step >= earliest), earliest)

    def overlap_steps(self) -> set[int]:
        """Return the iterations before which the overlaps of the Gaussians are measured."""
        begin = self.newton_from
        renewed = {step for step in self.renewal_steps() if step >= begin}
        return renewed | set(range(begin, self.iterations, OVERLAPS_EVERY))

    def target(self, iteration: int) -> int:
        """Return how many Gaussians there are after the renewal before `iteration`."""
        end = max(int(self.iterations * GROWTH_UNTIL), self.every)
        done, steps = (min(last, end) // self.every for last in (iteration, self.iterations))
        if done >= steps:
            return self.gaussians
        return self.first + (self.gaussians - self.first) * done // steps

    def rates(self, begin: int, end: int) -> NDArray[np.float32]:
        """Return Adam's step sizes of iterations `begin` to `end`, (end − begin, 3).

        They fall along a cosine, to 1 % at the end of the fit.
        """
        phase = np.arange(begin, end) / self.iterations
        factor = END_FRACTION + (1 - END_FRACTION) * 0.5 * (1 + np.cos(np.pi * phase))
        rates: NDArray[np.float32] = (factor[:, None] * np.array(START_RATES)).astype(np.float32)
        return rates

    def newton_rates(self, begin: int, end: int) -> NDArray[np.float32]:
        """Return the rates of the Gauss–Newton steps of iterations `begin` to `end`."""
        first, last = NEWTON_RATES
        phase = (np.arange(begin, end) - self.newton_from) / (self.iterations - self.newton_from)
        rates: NDArray[np.float32] = (first + (last - first) * phase).astype(np.float32)
        return rates

    @property
    def _renewals(self) -> Renewals:
        return WITH_NEWTON if self.newton else ADAM_ALONE
