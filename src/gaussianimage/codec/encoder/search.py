"""The search for a file of a given size, PSNR or SSIM, with few fits and few quantizations."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gaussianimage.codec.encoder.draft import Draft
from gaussianimage.codec.encoder.quantize_fit import DEAREST_STEP, FitQuantizer
from gaussianimage.codec.encoder.rate_model import SIZE_POWER
from gaussianimage.codec.encoder.source_quality import Pixels, SourceQuality
from gaussianimage.codec.format.quantizer import MOST_STEP, STEPS_PER_OCTAVE

# A file may be this much smaller than its target.
SIZE_TOLERANCE = 0.02

# A file that is too large by at most SIZE_SURPLUS is cut to size; the fit is not quantized again. A
# file that is too large by at most WEIGHED_SURPLUS is first refined with a larger weight of bits.
SIZE_SURPLUS = 0.03
WEIGHED_SURPLUS = 0.15
# Largest error in dB of a PSNR, and of −10 log₁₀(1 − SSIM).
QUALITY_TOLERANCE = 0.1
# Up to FURTHER_DRAFTS follow if all drafts are far off, by FAR_OFF dB or by WEIGHED_SURPLUS of the
# size, or if they have few Gaussians: each of these counts, and drafts of them are quick.
FURTHER_DRAFTS = 4
FAR_OFF = 0.5
FEW_GAUSSIANS = 500
# A file or fit that lacks a decibel is as far off as one that has so many too many: what is lost in
# a drawing of few Gaussians may be all of it.
LACKING = 2
# Largest error in dB of a fit before it is quantized: the step can make up for that much.
REFIT_DECIBELS = 0.7

# If a draft's size, relative to the target, is outside of this range, the search changes the number
# of Gaussians and not the step alone. The range is wider above 1, because too many Gaussians cost
# less than too few.
REFIT_BELOW, REFIT_ABOVE = 0.75, 1.5

# Factor by which the size of a file falls when the step doubles, in octaves; an estimate.
OCTAVES_PER_OCTAVE = 0.7

MAX_FITS = 6

Fit = Callable[[int], FitQuantizer]  # fits a given number of Gaussians


@dataclass(frozen=True)
class Measure:
    """A measure of quality in dB, and estimates of how it changes.

    Attributes
    ----------
    decibels : callable
        Function that returns the quality of decoded pixels in dB.
    loss : float
        Loss in dB when a fit is quantized with its balanced step.
    per_octave : float
        Loss in dB when the step doubles.
    slope : float
        Gain in units of 10 dB when the number of Gaussians grows tenfold.
    """

    decibels: Callable[[SourceQuality, Pixels], float]
    loss: float
    per_octave: float
    slope: float


def decibels_of_ssim(ssim: float) -> float:
    """Return −10 log₁₀(1 − SSIM), at most 120 dB; it grows with the rate as evenly as a PSNR."""
    return float(-10 * np.log10(max(1 - ssim, 1e-12)))


PSNR = Measure(lambda quality, pixels: quality.psnr(pixels), 1.8, 2.3, 1.0)
SSIM = Measure(lambda quality, pixels: decibels_of_ssim(quality.ssim(pixels)), 1.0, 1.5, 0.5)


def search_size(fit: Fit, gaussians: int, most_bytes: float, drafts: int) -> Draft:
    """Find the file of least error within a size.

    Parameters
    ----------
    fit : callable
        Function that fits a given number of Gaussians.
    gaussians : int
        Number of Gaussians of the first fit.
    most_bytes : float
        Largest size of the file in bytes, without metadata.
    drafts : int
        Largest number of quantizations.

    Returns
    -------
    Draft
        The file without Gaussians if every other file is larger than `most_bytes`.
    """
    quantizer, draft = _fit_for_size(fit, gaussians, most_bytes)
    # The drafts that are small enough, and the smallest that is too large.
    fitting: list[Draft] = []
    above: Draft | None = None
    near = False  # whether new integers alone can bring a draft to the size
    steps = StepSearch(np.log2(most_bytes), OCTAVES_PER_OCTAVE)
    for number in range(1, drafts + FURTHER_DRAFTS + 1):
        if quantizer.interrupted and fitting:
            break  # a draft that was cut short is no better
        size = draft.picture_bytes
        if size <= most_bytes:
            fitting.append(draft)
        elif above is None or size < above.picture_bytes:
            above = draft
        if (1 - SIZE_TOLERANCE) * most_bytes <= size <= (1 + SIZE_SURPLUS) * most_bytes:
            break
        near = near or abs(np.log(size / most_bytes)) <= np.log(1 + WEIGHED_SURPLUS)
        step = steps.after(draft.step, np.log2(size))
        if step is None or quantizer.interrupted:
            break
        if number >= drafts and draft.gaussians >= FEW_GAUSSIANS and near:
            break
        draft = quantizer.quantize(step)
    largest = max((one.picture_bytes for one in fitting), default=0)
    if above is not None and largest < (1 - SIZE_TOLERANCE) * most_bytes:
        cut = _cut(quantizer, above, most_bytes)
        fitting += [one for one in cut if not fitting or one.picture_bytes <= most_bytes]
    # More bytes are not always better: what is cut to half its size is worse than what a coarser
    # step makes, and of two drafts of about the same size, one has come closer to the picture.
    best = fitting[0] if len(fitting) == 1 else min(fitting, key=quantizer.error)
    lack = most_bytes / best.picture_bytes
    if quantizer.interrupted or not 1 + SIZE_TOLERANCE < lack <= 1 + WEIGHED_SURPLUS:
        return best
    for richer in quantizer.richer(best):
        if richer.picture_bytes > most_bytes:
            break
        best = richer
    return best


def _fit_for_size(fit: Fit, gaussians: int, most_bytes: float) -> tuple[FitQuantizer, Draft]:
    """Return a fit whose draft with the balanced step has about a size, and that draft."""
    best: tuple[FitQuantizer, Draft] | None = None
    counts = CountSearch()
    for left in range(MAX_FITS, 0, -1):
        quantizer = fit(gaussians)
        draft = quantizer.quantize(quantizer.balanced_step())
        lack = float(np.log2(most_bytes / draft.picture_bytes))
        if counts.add(gaussians, lack):
            best = quantizer, draft
        if left == 1 or quantizer.interrupted or REFIT_BELOW <= 2**-lack <= REFIT_ABOVE:
            break
        wanted = counts.after(gaussians * 2 ** (SIZE_POWER * lack), quantizer.most_gaussians)
        if wanted is None:
            break
        gaussians = wanted
    assert best is not None
    return best


def _cut(quantizer: FitQuantizer, draft: Draft, most_bytes: float) -> list[Draft]:
    """Make drafts of one that is too large, each within `most_bytes` if any file is that small."""
    smaller = []
    if draft.picture_bytes <= (1 + WEIGHED_SURPLUS) * most_bytes and not quantizer.interrupted:
        for lighter in quantizer.lighter(draft):
            if lighter.picture_bytes <= most_bytes:
                smaller.append(lighter)
                break
            draft = lighter
    if not smaller or smaller[0].picture_bytes < (1 - SIZE_TOLERANCE) * most_bytes:
        smaller.append(draft.shortened(most_bytes))
    return smaller


def search_quality(
    fit: Fit, quality: SourceQuality, gaussians: int, target: float, measure: Measure, drafts: int
) -> Draft:
    """Find the file that comes closest to a PSNR or SSIM.

    Parameters
    ----------
    fit, gaussians, drafts
        See `search_size`.
    quality : SourceQuality
    target : float
        The quality to reach in dB, in terms of the measure.
    measure : Measure
        `PSNR` or `SSIM`.

    Returns
    -------
    Draft
    """
    nearest, above = _fit_for(fit, quality, gaussians, target, measure)
    draft, off = _nearest_draft(nearest, quality, target, measure, drafts)
    # A fit that lacks little may have no integers that make up for it.
    if above is not None and draft.gaussians < FEW_GAUSSIANS and off > FAR_OFF:
        other, other_off = _nearest_draft(above, quality, target, measure, drafts)
        if other_off < off:
            return other
    return draft


def _nearest_draft(
    quantizer: FitQuantizer, quality: SourceQuality, target: float, measure: Measure, drafts: int
) -> tuple[Draft, float]:
    """Return the draft of a fit that comes closest to a quality, and how far off it is."""
    step = min(quantizer.balanced_step(), MOST_STEP)
    best: Draft | None = None
    best_off = np.inf
    steps = StepSearch(target, measure.per_octave)
    for number in range(1, drafts + FURTHER_DRAFTS + 1):
        draft = quantizer.quantize(step)
        if quantizer.interrupted:
            best = best or draft  # a draft that was cut short is no better
            break
        found = measure.decibels(quality, quality.decode(draft))
        off = _distance(_lack_of(draft, target - found))
        if best is None or off < best_off:
            best, best_off = draft, off
        if off <= QUALITY_TOLERANCE / 2 or quantizer.interrupted:
            break
        if number >= drafts and draft.gaussians >= FEW_GAUSSIANS and best_off <= FAR_OFF:
            break
        guess = steps.after(draft.step, found)
        if guess is None:
            break
        step = guess
    assert best is not None
    return best, best_off


def _fit_for(
    fit: Fit, quality: SourceQuality, gaussians: int, target: float, measure: Measure
) -> tuple[FitQuantizer, FitQuantizer | None]:
    """Return a fit that exceeds the target by about the loss of quantizing it.

    If that one lacks something, the second result is the nearest one that does not.
    """
    slope = measure.slope
    last: tuple[int, float] | None = None
    best: FitQuantizer | None = None
    above: tuple[float, FitQuantizer] | None = None
    counts = CountSearch()
    for left in range(MAX_FITS, 0, -1):
        quantizer = fit(gaussians)
        if quantizer.fitted.interrupted:
            return best or quantizer, None
        # If the balanced step is beyond a file's coarsest, only fewer Gaussians lower the quality.
        # There are few of them then, and quantizing them is quick.
        if quantizer.balanced_step() < MOST_STEP:
            found = measure.decibels(quality, quality.draw(quantizer.fitted)) - measure.loss
            lack, enough = target - found, REFIT_DECIBELS
        else:
            draft = quantizer.quantize(MOST_STEP)
            found = measure.decibels(quality, quality.decode(draft))
            lack, enough = _lack_of(draft, target - found), QUALITY_TOLERANCE / 2
        if counts.add(gaussians, lack):
            best = quantizer
        if lack <= 0 and (above is None or -lack < above[0]):
            above = -lack, quantizer
        if left == 1 or quantizer.interrupted or abs(lack) < enough:
            break
        if last is not None:
            decibels, gain = 10 * np.log10(gaussians / last[0]), last[1] - lack
            if abs(decibels) > 0.1 and np.isfinite(gain):
                slope = float(np.clip(gain / decibels, 0.1 * measure.slope, 3.0))
        last = gaussians, lack
        guess = gaussians * 10 ** (float(np.clip(lack / slope, -10, 10)) / 10)
        wanted = counts.after(guess, quantizer.most_gaussians)
        if wanted is None:
            break
        gaussians = wanted
    assert best is not None
    return best, None if above is None or above[1] is best else above[1]


def _lack_of(draft: Draft, decibels: float) -> float:
    """Return what a draft lacks in dB; all if it lacks some and shows nothing but one color."""
    return np.inf if decibels > QUALITY_TOLERANCE and draft.gaussians == 0 else decibels


def _distance(lack: float) -> float:
    """Return how far off a file or fit is that lacks so many dB or octaves."""
    return LACKING * lack if lack > 0 else -lack


class CountSearch:
    """Chooses the next number of Gaussians between those known to be too few and too many."""

    def __init__(self) -> None:
        self._tried: dict[int, float] = {}
        self._least = np.inf

    def add(self, gaussians: int, lack: float) -> bool:
        """Add what a number lacks, in dB or octaves; return whether none before it is nearer."""
        self._tried[gaussians] = lack
        nearest = _distance(lack) <= self._least
        self._least = min(self._least, _distance(lack))
        return nearest

    def after(self, guess: float, most: int) -> int | None:
        """Return the number to try next; None if it was tried.

        Parameters
        ----------
        guess : float
            The number that a slope predicts.
        most : int
            The largest number that a fit of the picture can have.
        """
        tried = self._tried.items()
        many = min((number for number, lack in tried if lack <= 0), default=np.inf)
        few = max((number for number, lack in tried if lack > 0 and number < many), default=1)
        if many < np.inf and not few < guess < many:
            guess = np.sqrt(few * many)
        number = int(np.clip(round(guess), 1, most))
        return None if number in self._tried else number


class StepSearch:
    """Chooses the next step so that a measure which decreases with the step reaches a target.

    Parameters
    ----------
    value : float
        The measure to reach: a PSNR in dB, or log₂ of a size in bytes.
    slope : float
        Decrease of the measure when the step doubles; an estimate.
    """

    def __init__(self, value: float, slope: float) -> None:
        self._value = value
        self._slope = slope
        self._tried: dict[int, float] = {}

    def after(self, step: float, result: float) -> float | None:
        """Return the next step after one with this result; None if no better one is left."""
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
