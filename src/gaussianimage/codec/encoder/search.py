"""Finding the file of a given size, PSNR or SSIM, with few fits and few quantizations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussianimage.codec.encoder.quantize_fit import DEAREST_STEP, Draft, Writer
from gaussianimage.codec.encoder.rate_control import SIZE_POWER
from gaussianimage.codec.format.quantizer import MOST_STEP

# A file may be this much smaller than asked for.
SIZE_TOLERANCE = 0.02

# A file that is larger by no more than this is cut to size rather than made again, one that is
# larger by no more than the other by weighing its bits more.
SIZE_SURPLUS = 0.03
WEIGHED_SURPLUS = 0.15
# A PSNR may be this much off, in dB, and −10 log₁₀(1 − SSIM) too.
QUALITY_TOLERANCE = 0.1
# A fit may be this much off, which another step makes up for.
REFIT_DECIBELS = 0.7

# Outside of these a size is reached better by another number of Gaussians than by another step. Too
# many cost little, the step makes up for them; too few cost more.
REFIT_BELOW, REFIT_ABOVE = 0.75, 1.5

# What doubling the step takes off the bits of a file, about, in octaves.
OCTAVES_PER_OCTAVE = 0.7

MAX_FITS = 6
STEPS_PER_OCTAVE = 16

Pixels = NDArray[Any]
MakeWriter = Callable[[int], Writer]  # fits that many Gaussians


@dataclass(frozen=True)
class Measure:
    """A measure of quality in dB, and how it goes, about.

    Attributes
    ----------
    of : callable
        Gives it for the pixels that a writer's file or fit decodes to.
    loss : float
        What quantizing takes off it when the step suits the fit.
    per_octave : float
        What doubling the step takes off it.
    slope : float
        How much of 10 dB ten times the Gaussians bring.
    """

    of: Callable[[Writer, Pixels], float]
    loss: float
    per_octave: float
    slope: float


def decibels_of_ssim(ssim: float) -> float:
    """Return −10 log₁₀(1 − SSIM): what rises as evenly as a PSNR, 120 at most."""
    return float(-10 * np.log10(max(1 - ssim, 1e-12)))


PSNR = Measure(lambda writer, pixels: writer.psnr(pixels), 1.8, 2.3, 1.0)
SSIM = Measure(lambda writer, pixels: decibels_of_ssim(writer.ssim(pixels)), 1.0, 1.5, 0.5)


def search_size(
    make: MakeWriter, gaussians: int, most_bytes: float, drafts: int
) -> tuple[Writer, Draft]:
    """Find the largest file of at most so many bytes, metadata aside.

    Parameters
    ----------
    make : callable
        Fits a number of Gaussians.
    gaussians : int
        A guess of how many.
    most_bytes : float
    drafts : int
        Quantizations at most.

    Returns
    -------
    Writer, Draft
        If even no Gaussian at all is too much, the file without any.
    """
    writer = make(gaussians)
    draft = writer.draft(writer.balanced_step())
    for _ in range(MAX_FITS - 1):
        ratio = draft.picture_bytes / most_bytes
        if writer.interrupted or REFIT_BELOW <= ratio <= REFIT_ABOVE:
            break
        wanted = _within(gaussians / ratio**SIZE_POWER, writer)
        if wanted == gaussians:
            break
        gaussians = wanted
        writer = make(gaussians)
        draft = writer.draft(writer.balanced_step())

    # The largest that fits, and the smallest that doesn't.
    below: Draft | None = None
    above: Draft | None = None
    steps = _Steps(np.log2(most_bytes), OCTAVES_PER_OCTAVE)
    for left in range(drafts, 0, -1):
        if writer.interrupted and below is not None:
            break  # what has been cut short is no better
        size = draft.picture_bytes
        if size <= most_bytes:
            if below is None or size > below.picture_bytes:
                below = draft
        elif above is None or size < above.picture_bytes:
            above = draft
        if (1 - SIZE_TOLERANCE) * most_bytes <= size <= (1 + SIZE_SURPLUS) * most_bytes:
            break
        step = steps.after(draft.step, np.log2(size))
        if left == 1 or step is None or writer.interrupted:
            break
        draft = writer.draft(step)
    if above is not None and (
        below is None or below.picture_bytes < (1 - SIZE_TOLERANCE) * most_bytes
    ):
        cut = _cut(writer, above, most_bytes)
        if below is None or most_bytes >= cut.picture_bytes > below.picture_bytes:
            below = cut
    assert below is not None
    return writer, below


def _cut(writer: Writer, draft: Draft, most_bytes: float) -> Draft:
    """Return a file of at most so many bytes, if there is one, from a draft that is larger."""
    if draft.picture_bytes <= (1 + WEIGHED_SURPLUS) * most_bytes and not writer.interrupted:
        for lighter in writer.lighter(draft):
            if lighter.picture_bytes < (1 - SIZE_TOLERANCE) * most_bytes:
                break
            draft = lighter
            if draft.picture_bytes <= most_bytes:
                return draft
    return writer.shortened(draft, most_bytes)


def search_quality(
    make: MakeWriter, gaussians: int, target: float, measure: Measure, drafts: int
) -> tuple[Writer, Draft]:
    """Find a file of a PSNR or SSIM, or the nearest.

    Parameters
    ----------
    make, gaussians, drafts
        As for `search_size`.
    target : float
        In dB, as the measure.
    measure : Measure
        `PSNR` or `SSIM`.

    Returns
    -------
    Writer, Draft
    """
    writer = _fit_for(make, gaussians, target, measure)
    step = min(writer.balanced_step(), MOST_STEP)
    best: Draft | None = None
    best_off = np.inf
    steps = _Steps(target, measure.per_octave)
    for left in range(drafts, 0, -1):
        draft = writer.draft(step)
        if writer.interrupted:
            best = best or draft  # what has been cut short is no better
            break
        found = measure.of(writer, writer.pixels(draft))
        off = abs(found - target)
        if best is None or off < best_off:
            best, best_off = draft, off
        if off <= QUALITY_TOLERANCE / 2 or left == 1 or writer.interrupted:
            break
        guess = steps.after(draft.step, found)
        if guess is None:
            break
        step = guess
    assert best is not None
    return writer, best


def _fit_for(make: MakeWriter, gaussians: int, target: float, measure: Measure) -> Writer:
    """Return a fit that is better than the target by about what quantizing will cost."""
    slope = measure.slope
    last: tuple[float, float] | None = None
    for left in range(MAX_FITS, 0, -1):
        writer = make(gaussians)
        if writer.fitted.interrupted:
            break
        # Where the step that suits is coarser than any, only the number of Gaussians is left to
        # come down to the target by. They are few then, so a file is soon made.
        if writer.balanced_step() < MOST_STEP:
            found = measure.of(writer, writer.fitted_pixels()) - measure.loss
            enough = REFIT_DECIBELS
        else:
            found = measure.of(writer, writer.pixels(writer.draft(MOST_STEP)))
            enough = QUALITY_TOLERANCE / 2
        lack = target - found
        if left == 1 or writer.interrupted or abs(lack) < enough:
            break
        decibels = 10 * np.log10(gaussians)
        if last is not None and abs(decibels - last[0]) > 0.1:
            rise = (found - last[1]) / (decibels - last[0])
            slope = float(np.clip(rise, 0.1 * measure.slope, 3.0))
        last = decibels, found
        wanted = _within(gaussians * 10 ** (float(np.clip(lack / slope, -10, 10)) / 10), writer)
        if wanted == gaussians:
            break
        gaussians = wanted
    return writer


def _within(gaussians: float, writer: Writer) -> int:
    """Return the nearest number of Gaussians that a picture can have."""
    return int(np.clip(round(gaussians), 1, writer.most_gaussians))


class _Steps:
    """Steps to try: what falls as the step grows is to come down to a value.

    Parameters
    ----------
    value : float
        The PSNR, or the logarithm of a size.
    slope : float
        How much an octave of the step takes off it, about.
    """

    def __init__(self, value: float, slope: float) -> None:
        self._value = value
        self._slope = slope
        self._tried: dict[int, float] = {}

    def after(self, step: float, result: float) -> float | None:
        """Return the next step, given what the last one came to; None if there is none."""
        last = round(STEPS_PER_OCTAVE * np.log2(step))
        self._tried[last] = result
        fine = [number for number, one in self._tried.items() if one > self._value]
        coarse = [number for number, one in self._tried.items() if one <= self._value]
        if fine and coarse:
            low, high = max(fine), min(coarse)
            if high - low <= 1:
                return None
            above, below = self._tried[low] - self._value, self._value - self._tried[high]
            above = min(above, 100.0)  # the PSNR of a file without any error is infinite
            guess = low + (high - low) * above / (above + below)
            number = min(max(round(guess), low + 1), high - 1)
        else:
            octaves = (result - self._value) / self._slope
            move = round(STEPS_PER_OCTAVE * float(np.clip(octaves, -2, 2)))
            number = last + (move or (1 if fine else -1))
        number = min(number, round(STEPS_PER_OCTAVE * np.log2(DEAREST_STEP)))
        if number in self._tried:
            return None
        return float(2.0 ** (number / STEPS_PER_OCTAVE))
