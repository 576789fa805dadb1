"""From what a user asks for to the numbers that an encoder works with.

Two numbers make a file's size and quality: how many Gaussians there are, N, and how coarsely they
are rounded, Δ. They belong together: a bit spent on one more Gaussian must buy as much as a bit
spent on rounding more finely. The error of a fit falls about as 1/N, so another Gaussian removes
SSE / N of it for some 30 bits; a bit on each number removes ln 2 / 6 Δ² ≈ 0.1155 Δ² each. Equal
shares give Δ² = SSE / (30 · 0.1155 N), or Δ ≈ 0.53 √(SSE / N). Rounding that weighs bits against
error and Gaussians that are left out make coarser steps pay, so measurement finds about 1; 0.7
and 1.4 cost up to 0.2 dB.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from gaussianimage.arguments import integer
from gaussianimage.fitting.fit import fit
from gaussianimage.fitting.state import MAX_GAUSSIANS
from gaussianimage.picture import Picture

BALANCE = 0.92
# The same with the error of a fit as short ones foretell it, which is more than it comes to.
PROBE_BALANCE = 0.72

# Gaussians to fit for a file: SHARE · bpp^SIZE_POWER · exp(−STEEPNESS · s) of a pixel, where s is
# the slope of the picture's power law. In fine texture it is small: many are fitted there, of which
# few are worth their bits.
SHARE = 0.125
SIZE_POWER = 0.7
STEEPNESS = 1.4

# Quality 0 and 100 as steps Δ: on photos about 0.03 and 2 bits per pixel. A file's step is 1 at
# most; where a quality asks for a coarser one, only the number of Gaussians still falls.
COARSEST_STEP = 2.7
FINEST_STEP = 0.078
DEFAULT_QUALITY = 60.0

_RANGES = {
    "quality": (0.0, 100.0),
    "gaussians": (1.0, float(MAX_GAUSSIANS)),
    "bpp": (1e-4, 64.0),
    "size": (1.0, 2.0**40),
    "psnr": (1.0, 100.0),
    "ssim": (0.0, 0.9999),
}

# Short fits that show how the error of a picture falls with N: Gaussians per pixel, iterations, by
# how much a whole fit is better in PSNR (1 to 3 dB on photos), and how much steeper its power law.
PROBES = (1 / 260, 1 / 100)
PROBE_ITERATIONS = 50
PROBE_LACK = 2.0
PROBE_SLOPE_LACK = 0.1
# With more Gaussians than the probes have, the error of a whole fit falls more steeply still.
STEEPER = 0.4


def most_gaussians(picture: Picture) -> int:
    """Return how many Gaussians a fit of a picture can have."""
    return min(picture.height * picture.width, MAX_GAUSSIANS)


def step_for_quality(quality: float) -> float:
    """Return the color step Δ of a quality from 0 to 100."""
    return float(COARSEST_STEP * (FINEST_STEP / COARSEST_STEP) ** (quality / 100))


def step_for_fit(squared_error: float, gaussians: int) -> float:
    """Return the color step Δ that suits a fit.

    Parameters
    ----------
    squared_error : float
        Sum over pixels and channels, for values of 0 to 1.
    gaussians : int
        Their number, at least 1.
    """
    return BALANCE * float(np.sqrt(squared_error / gaussians))


def gaussians_for_step(picture: Picture, step: float, *, threads: int | None) -> int:
    """Return how many Gaussians of a picture belong with a color step Δ.

    Solves N = SSE(N) (PROBE_BALANCE / Δ)² for the power law SSE(N) of two short fits.
    """
    law = _PowerLaw.of(picture, threads)
    return law.count(2 * np.log(PROBE_BALANCE / step), 1 + law.slope)


def gaussians_for_size(picture: Picture, size: float, *, threads: int | None) -> int:
    """Return how many Gaussians to fit for a file of so many bytes, about."""
    law = _PowerLaw.of(picture, threads)
    if law.scale == 0:
        return 1
    pixels = picture.height * picture.width
    share = SHARE * (8 * size / pixels) ** SIZE_POWER * np.exp(-STEEPNESS * law.slope)
    return int(np.clip(np.rint(share * pixels), 1, law.most))


def gaussians_for_psnr(picture: Picture, psnr: float, *, threads: int | None) -> int:
    """Return how many Gaussians fit a picture with a PSNR in dB, about."""
    law = _PowerLaw.of(picture, threads)
    count = law.count(psnr * np.log(10) / 10 - np.log(picture.pixels.size), law.slope)
    known = max(1.0, PROBES[-1] * picture.height * picture.width)
    if count > known:
        count = round(known * (count / known) ** (law.slope / (law.slope + STEEPER)))
    return count


@dataclass(frozen=True)
class _PowerLaw:
    """The squared error of a picture's fits as scale · N^(−slope)."""

    scale: float
    slope: float
    most: int

    @classmethod
    def of(cls, picture: Picture, threads: int | None) -> Self:
        pixels = picture.height * picture.width
        counts = [max(2, round(pixels * share)) for share in PROBES]
        errors = []
        for count in counts:
            result = fit(picture, count, iterations=PROBE_ITERATIONS, threads=threads)
            if result.interrupted:
                raise KeyboardInterrupt  # nothing is there yet that could be kept
            errors.append(10 ** (-(result.psnr + PROBE_LACK) / 10) * picture.pixels.size)
        most = most_gaussians(picture)
        if errors[-1] <= 1e-6 * pixels:
            return cls(0.0, 1.0, most)
        slope = 1.0
        if errors[0] > errors[1] and counts[0] < counts[1]:
            slope = float(np.log(errors[0] / errors[1]) / np.log(counts[1] / counts[0]))
            slope += PROBE_SLOPE_LACK
        return cls(errors[1] * counts[1] ** slope, slope, most)

    def count(self, logarithm: float, power: float) -> int:
        """Return N = (scale · exp(logarithm))^(1 / power), within what there can be."""
        if self.scale == 0:
            return 1
        logarithm += np.log(self.scale)
        return int(np.exp(np.clip(logarithm / power, 0, np.log(self.most))).round())


@dataclass(frozen=True)
class Target:
    """What an encoder aims at: ``kind`` is one of the six arguments of `encode`."""

    kind: str
    value: float

    @classmethod
    def of(
        cls,
        *,
        quality: float | None = None,
        gaussians: int | None = None,
        bpp: float | None = None,
        size: int | None = None,
        psnr: float | None = None,
        ssim: float | None = None,
    ) -> Self:
        """Check that at most one target is given and that it is in range.

        Raises
        ------
        TypeError, ValueError
            If more than one is given, or it is no number, or out of range.
        """
        everything = {
            "quality": quality,
            "gaussians": gaussians,
            "bpp": bpp,
            "size": size,
            "psnr": psnr,
            "ssim": ssim,
        }
        given = {kind: value for kind, value in everything.items() if value is not None}
        if len(given) > 1:
            raise ValueError(f"expected one target, got {' and '.join(given)}")
        kind, value = next(iter(given.items()), ("quality", DEFAULT_QUALITY))
        if kind in ("gaussians", "size"):
            value = integer(kind, value)
        low, high = _RANGES[kind]
        return cls(kind, _number(kind, value, low, high))


def _number(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    if not low <= value <= high:
        raise ValueError(f"{name}: expected {low:.10g} to {high:.10g}, got {value}")
    return float(value)
