"""How the number of Gaussians, the color step, the size and the error of a file belong together.

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
from numpy.typing import NDArray

from gaussianimage.codec.encoder.local_contrast import printed_share
from gaussianimage.fitting.fit import fit
from gaussianimage.fitting.progress import OnProgress
from gaussianimage.fitting.row_blocks import row_blocks
from gaussianimage.fitting.state import MAX_FITTED_GAUSSIANS
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

# A picture whose pixels deviate less from their mean gets finer steps, in proportion, down to what
# its bit depth can hold.
USUAL_CONTRAST = 0.1
LEAST_CONTRAST = {8: USUAL_CONTRAST / 16, 16: USUAL_CONTRAST / 4096}

# Smaller pictures, in pixels, get finer steps.
SMALL_PICTURE = 64 * 64
SMALL_POWER = 0.4
# So do pages: pictures of which most is small things on a plain ground.
PRINTED_SHARES = (0.5, 0.7)
PRINTED_STEPS = (1.0, 0.4)

# Short fits that show how the error of a picture falls with N: Gaussians per pixel, iterations, by
# how much a whole fit is better in PSNR (1 to 3 dB on photos), and how much steeper its power law.
PROBES = (1 / 260, 1 / 100)
PROBE_ITERATIONS = 50
PROBE_LACK = 2.0
PROBE_SLOPE_LACK = 0.1
# Squared error per pixel that leaves nothing to foretell the next from, the steepest law that is
# believed, and the range of a picture without anything in it.
EXPLAINED = 1e-6
STEEPEST = 3.0
FLAT = 1e-6
# Those that don't earn their bits are left out later, but none that is missing here comes back.
LEAST_GAUSSIANS = 32.0
# With more Gaussians than the probes have, the error of a whole fit falls more steeply still.
STEEPER = 0.4


def most_gaussians(picture: Picture) -> int:
    """Return how many Gaussians a fit of a picture can have."""
    return min(picture.height * picture.width, MAX_FITTED_GAUSSIANS)


def step_for_quality(quality: float) -> float:
    """Return the color step Δ of a quality from 0 to 100."""
    return float(COARSEST_STEP * (FINEST_STEP / COARSEST_STEP) ** (quality / 100))


def step_for_picture(picture: Picture, quality: float) -> float:
    """Return the color step Δ of a quality for a picture: a finer one where there is little to see.

    What a person sees of a picture is relative to its contrast. With the same step for all, a
    picture of little contrast would turn into its mean color. In an icon, each pixel counts, and on
    a page, faint words are words.
    """
    step = step_for_quality(quality)
    contrast = max(_contrast(picture.pixels), LEAST_CONTRAST[picture.bit_depth])
    by_contrast = min(1.0, contrast / USUAL_CONTRAST)
    pixels = picture.height * picture.width
    by_size = min(1.0, (pixels / SMALL_PICTURE) ** SMALL_POWER)
    by_print = np.interp(printed_share(picture.pixels, step), PRINTED_SHARES, PRINTED_STEPS)
    return float(step * min(by_contrast, by_print) * by_size)


def _contrast(pixels: NDArray[np.float32]) -> float:
    """Return the standard deviation of pixels (H, W, C) from the mean of their channel."""
    count = pixels.shape[0] * pixels.shape[1]
    total, square = np.zeros(pixels.shape[2]), np.zeros(pixels.shape[2])
    first = pixels[0, 0].astype(np.float64)
    for rows in row_blocks(pixels.shape[0], pixels.shape[1]):
        values = pixels[rows] - first
        total += values.sum(axis=(0, 1))
        square += np.square(values).sum(axis=(0, 1))
    variance = np.maximum(square / count - np.square(total / count), 0)
    return float(np.sqrt(variance.mean()))


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


def gaussians_for_step(
    picture: Picture, step: float, *, threads: int | None, progress: OnProgress | None = None
) -> int:
    """Return how many Gaussians of a picture belong with a color step Δ.

    Solves N = SSE(N) (PROBE_BALANCE / Δ)² for the power law SSE(N) of two short fits.
    """
    law = PowerLaw.probe(picture, threads, progress)
    return law.count(2 * np.log(PROBE_BALANCE / step), 1 + law.slope)


def gaussians_for_size(
    picture: Picture, size: float, *, threads: int | None, progress: OnProgress | None = None
) -> int:
    """Return how many Gaussians to fit for a file of so many bytes, about."""
    law = PowerLaw.probe(picture, threads, progress)
    if law.scale == 0:
        return 1
    pixels = picture.height * picture.width
    share = SHARE * (8 * size / pixels) ** SIZE_POWER * np.exp(-STEEPNESS * law.slope)
    return int(np.clip(np.rint(share * pixels), 1, law.most))


def gaussians_for_psnr(
    picture: Picture, psnr: float, *, threads: int | None, progress: OnProgress | None = None
) -> int:
    """Return how many Gaussians fit a picture with a PSNR in dB, about."""
    law = PowerLaw.probe(picture, threads, progress)
    count = law.count(psnr * np.log(10) / 10 - np.log(picture.pixels.size), law.slope)
    known = max(1.0, PROBES[-1] * picture.height * picture.width)
    if count > known:
        count = round(known * (count / known) ** (law.slope / (law.slope + STEEPER)))
    return count


@dataclass(frozen=True)
class PowerLaw:
    """The squared error of a picture's fits as scale · N^(−slope)."""

    scale: float
    slope: float
    most: int

    @classmethod
    def probe(cls, picture: Picture, threads: int | None, progress: OnProgress | None) -> Self:
        """Fit the law to the errors of two short fits."""
        pixels = picture.height * picture.width
        most = most_gaussians(picture)
        if np.ptp(picture.pixels, axis=(0, 1)).max() <= FLAT:
            return cls(0.0, 1.0, most)
        few, many = (max(2, round(pixels * share)) for share in PROBES)
        error_of_few = _probe(picture, few, threads, progress)
        error_of_many = _probe(picture, many, threads, progress)
        # A sparse picture is explained by a handful of Gaussians: more of them tell nothing.
        while error_of_few <= EXPLAINED * pixels and few > 2:
            many, error_of_many = few, error_of_few
            few = max(2, few // 8)
            error_of_few = _probe(picture, few, threads, progress)
        error_of_many = max(error_of_many, 1e-3 * EXPLAINED * pixels)
        slope = 1.0
        if error_of_few > error_of_many and few < many:
            slope = float(np.log(error_of_few / error_of_many) / np.log(many / few))
            slope = min(slope + PROBE_SLOPE_LACK, STEEPEST)
        return cls(error_of_many * many**slope, slope, most)

    def count(self, logarithm: float, power: float) -> int:
        """Return N = (scale · exp(logarithm))^(1 / power), within what there can be."""
        if self.scale == 0:
            return 1
        logarithm += np.log(self.scale)
        least = np.log(min(LEAST_GAUSSIANS, self.most))
        return int(np.exp(np.clip(logarithm / power, least, np.log(self.most))).round())


def _probe(
    picture: Picture, gaussians: int, threads: int | None, progress: OnProgress | None
) -> float:
    """Return the squared error that a whole fit of so many Gaussians would have, about."""
    result = fit(
        picture,
        gaussians,
        iterations=PROBE_ITERATIONS,
        threads=threads,
        progress=progress,
    )
    return float(10 ** (-(result.psnr + PROBE_LACK) / 10) * picture.pixels.size)
