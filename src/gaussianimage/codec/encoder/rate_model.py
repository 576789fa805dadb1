"""The rate model: how Gaussians, color step, size and error of a file depend on each other.

Two numbers determine a file's size and quality: the number of Gaussians N and the color step Δ. The
best Δ follows from N: a bit for one more Gaussian must reduce the error as much as a bit for finer
rounding. The squared error SSE of a fit falls about as 1/N, so another Gaussian removes SSE / N of
it for about 30 bits. A bit more for one number removes ln 2 / 6 Δ² ≈ 0.1155 Δ². If both gains per
bit are equal, Δ² = SSE / (30 · 0.1155 N), or Δ ≈ 0.53 √(SSE / N). Rate-distortion quantization and
pruning favor coarser steps: the measured optimum of the factor is about 1, and factors of 0.7 and
1.4 cost up to 0.2 dB.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from gaussianimage.codec.encoder.gray_in_rgb import step_share
from gaussianimage.codec.encoder.local_contrast import printed_share
from gaussianimage.codec.encoder.probe import PROBES, Prober
from gaussianimage.codec.encoder.stretch import channel_range
from gaussianimage.fitting.progress import OnProgress
from gaussianimage.fitting.state import MAX_FITTED_GAUSSIANS
from gaussianimage.picture import Picture

# The factor of √(SSE / N), for a fit that is done.
BALANCE = 0.92
# The same for an error that probes predict, which is larger than that of the fit.
PROBE_BALANCE = 0.72

# Gaussians per pixel to fit for a size: SHARE · bpp^SIZE_POWER · exp(−STEEPNESS · s), where s is
# the slope of the picture's power law. In fine texture s is small: the fit needs many Gaussians,
# and few of them are worth their bits.
SHARE = 0.125
SIZE_POWER = 0.7
STEEPNESS = 1.4

# Color steps Δ of quality 0 and 100; photos take about 0.03 and 2 bits per pixel. A file's step is
# at most 1; for a coarser step, only the number of Gaussians falls.
COARSEST_STEP = 2.7
FINEST_STEP = 0.045

# A picture whose standard deviation is below USUAL_CONTRAST gets steps that are finer in
# proportion, down to LEAST_CONTRAST of its bit depth.
USUAL_CONTRAST = 0.1
LEAST_CONTRAST = {8: USUAL_CONTRAST / 16, 16: USUAL_CONTRAST / 4096}

# Pictures of fewer pixels than this get finer steps.
SMALL_PICTURE = 64 * 64
SMALL_POWER = 0.4
# Printed pages get finer steps: shares of blocks with a plain ground, and factors of the step.
PRINTED_SHARES = (0.5, 0.7)
PRINTED_STEPS = (1.0, 0.4)

# The most Gaussians per pixel that are fitted for a step, except in small pictures, and that the
# rounds after the fit may add to. Of more than that, most drawings keep fewer than half in the end;
# dithered pictures need them all.
MOST_FITTED = 0.25
MOST_GROWN = 0.6

# A whole fit's power law is steeper than that of the probes by this much.
PROBE_SLOPE_LACK = 0.1
# Squared error per pixel below which a probe predicts nothing, the largest slope of a power law,
# and the largest range of a constant picture.
EXPLAINED = 1e-6
STEEPEST = 3.0
FLAT = 1e-6
# Later stages prune surplus Gaussians, but never have more Gaussians than the fit.
LEAST_GAUSSIANS = 32.0
# Further slope of a whole fit's power law beyond the number of Gaussians of the larger probe.
STEEPER = 0.4


class CountsForStep(NamedTuple):
    """Numbers of Gaussians for a color step."""

    fitted: int
    most: int  # in the rounds of pruning and regrowing


def most_gaussians(picture: Picture) -> int:
    """Return the largest number of Gaussians of a picture's fit."""
    return min(picture.height * picture.width, MAX_FITTED_GAUSSIANS)


def step_for_quality(quality: float) -> float:
    """Return the color step Δ of a quality from 0 to 100."""
    return float(COARSEST_STEP * (FINEST_STEP / COARSEST_STEP) ** (quality / 100))


def step_for_picture(picture: Picture, quality: float, *, threads: int | None = None) -> float:
    """Return the color step Δ of a quality for a picture.

    Pictures of little contrast, icons and printed pages get a finer step than photos. With the step
    of photos, a faint picture would become its mean color; an icon needs every pixel, and a page
    its faint words. Gray pictures get one with which they look like the same picture in RGB.
    """
    return adapted_step(
        quality,
        pixels=picture.height * picture.width,
        channels=picture.channels,
        contrast=_contrast(picture.pixels),
        printed=printed_share(picture.pixels, step_for_quality(quality), threads=threads),
        bit_depth=picture.bit_depth,
    )


def adapted_step(
    quality: float, *, pixels: int, channels: int, contrast: float, printed: float, bit_depth: int
) -> float:
    """Return the color step Δ of a quality for a picture of which one knows these numbers.

    Parameters
    ----------
    quality : float
    pixels, channels : int
        Number of pixels, and of channels.
    contrast : float
        Standard deviation of the pixels from the mean of their channel.
    printed : float
        See `Printed.share`.
    bit_depth : int
        8 or 16.
    """
    step = step_for_quality(quality) * step_share(channels)
    by_contrast = min(1.0, max(contrast, LEAST_CONTRAST[bit_depth]) / USUAL_CONTRAST)
    by_size = min(1.0, (pixels / SMALL_PICTURE) ** SMALL_POWER)
    by_print = np.interp(printed, PRINTED_SHARES, PRINTED_STEPS)
    return float(step * min(by_contrast, by_print) * by_size)


def _contrast(pixels: NDArray[np.float32]) -> float:
    """Return the standard deviation of pixels (H, W, C) from the mean of their channel."""
    height, width, channels = pixels.shape
    first = np.tile(pixels[0, 0], width)
    total, square = np.zeros(width * channels), np.zeros(width * channels)
    for row in pixels.reshape(height, width * channels):
        values = (row - first).astype(np.float64)
        total += values
        square += values * values
    total, square = (sums.reshape(width, channels).sum(axis=0) for sums in (total, square))
    count = height * width
    variance = np.maximum(square / count - np.square(total / count), 0)
    return float(np.sqrt(variance.mean()))


def step_for_fit(squared_error: float, gaussians: int) -> float:
    """Return the color step Δ that suits a fit.

    Parameters
    ----------
    squared_error : float
        Sum of squares over pixels and channels, for values of 0 to 1.
    gaussians : int
        Number of Gaussians, at least 1.
    """
    return BALANCE * float(np.sqrt(squared_error / gaussians))


def gaussians_for_step(
    picture: Picture, step: float, *, threads: int | None, progress: OnProgress | None = None
) -> CountsForStep:
    """Return the numbers of Gaussians that suit a color step Δ.

    They solve N = SSE(N) (PROBE_BALANCE / Δ)² for the power law SSE(N) of two probes, with limits
    in a picture that is not small.
    """
    law = PowerLaw.probe(picture, threads, progress)
    count = law.count(2 * np.log(PROBE_BALANCE / step), 1 + law.slope)
    pixels = picture.height * picture.width
    if pixels < SMALL_PICTURE:
        return CountsForStep(count, count)
    fitted, most = (min(count, round(share * pixels)) for share in (MOST_FITTED, MOST_GROWN))
    return CountsForStep(fitted, most)


def gaussians_for_size(
    picture: Picture, size: float, *, threads: int | None, progress: OnProgress | None = None
) -> int:
    """Estimate the number of Gaussians to fit for a file of `size` bytes."""
    law = PowerLaw.probe(picture, threads, progress)
    if law.scale == 0:
        return 1
    pixels = picture.height * picture.width
    share = SHARE * (8 * size / pixels) ** SIZE_POWER * np.exp(-STEEPNESS * law.slope)
    return int(np.clip(np.rint(share * pixels), 1, law.most))


def gaussians_for_psnr(
    picture: Picture, psnr: float, *, threads: int | None, progress: OnProgress | None = None
) -> int:
    """Estimate the number of Gaussians whose fit has a PSNR in dB."""
    law = PowerLaw.probe(picture, threads, progress)
    count = law.count(psnr * np.log(10) / 10 - np.log(picture.pixels.size), law.slope)
    known = max(1.0, PROBES[-1] * picture.height * picture.width)
    if count > known:
        count = round(known * (count / known) ** (law.slope / (law.slope + STEEPER)))
    return count


@dataclass(frozen=True)
class PowerLaw:
    """The squared error of a picture's fits as scale · N^(−slope), for N up to `most`."""

    scale: float
    slope: float
    most: int

    @classmethod
    def probe(cls, picture: Picture, threads: int | None, progress: OnProgress | None) -> Self:
        """Derive the law from the errors of two probes."""
        pixels = picture.height * picture.width
        most = most_gaussians(picture)
        low, high = channel_range(picture.pixels)
        if (high - low).max() <= FLAT:
            return cls(0.0, 1.0, most)
        prober = Prober(picture, threads, progress)
        few, many = (max(2, round(pixels * share)) for share in PROBES)
        error_of_few, error_of_many = prober.squared_error(few), prober.squared_error(many)
        # A handful of Gaussians explains a sparse picture, so larger probes predict nothing.
        while error_of_few <= EXPLAINED * pixels and few > 2:
            many, error_of_many = few, error_of_few
            few = max(2, few // 8)
            error_of_few = prober.squared_error(few)
        error_of_many = max(error_of_many, 1e-3 * EXPLAINED * pixels)
        slope = 1.0
        if error_of_few > error_of_many and few < many:
            slope = float(np.log(error_of_few / error_of_many) / np.log(many / few))
            slope = min(slope + PROBE_SLOPE_LACK, STEEPEST)
        return cls(error_of_many * many**slope, slope, most)

    def count(self, logarithm: float, power: float) -> int:
        """Return N = (scale · exp(logarithm))^(1 / power), within its bounds."""
        if self.scale == 0:
            return 1
        logarithm += np.log(self.scale)
        least = np.log(min(LEAST_GAUSSIANS, self.most))
        return int(np.exp(np.clip(logarithm / power, least, np.log(self.most))).round())
