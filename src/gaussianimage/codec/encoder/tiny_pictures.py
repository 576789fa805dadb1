"""Pictures of a few pixels are fitted from several starts, and the best draft is kept.

A fit of a handful of Gaussians depends much on where they start.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Protocol

import numpy as np

from gaussianimage.codec.encoder.draft import Draft
from gaussianimage.codec.encoder.prepare import PreparedPicture
from gaussianimage.codec.encoder.quantize_fit import FitQuantizer
from gaussianimage.codec.encoder.rate_model import most_gaussians
from gaussianimage.codec.encoder.search import QUALITY_TOLERANCE, Measure, StepSearch
from gaussianimage.codec.encoder.source_quality import SourceQuality
from gaussianimage.codec.format.quantizer import MOST_STEP
from gaussianimage.fitting.placement import one_per_pixel
from gaussianimage.fitting.state import TRAIN_ALL, FitState

# The number of starts is STARTS_OF_PIXELS / pixels, within these bounds.
LEAST_STARTS, MOST_STARTS = 6, 64
STARTS_OF_PIXELS = 1024

# In pictures of at most this many pixels, one start has a Gaussian for each pixel.
PIXEL_BY_PIXEL = 64

# A search for a target looks for the step with a few of the starts, then takes all of them, and
# ends with the best. These are the steps that it tries with few starts, and with the best.
STEPS, LAST_STEPS = 8, 4
FEW_STARTS, BEST_STARTS = 3, 8

# Factor by which a small file shrinks when the step doubles, in octaves; an estimate. About
# half of such a file does not depend on the step.
OCTAVES_PER_OCTAVE = 0.3


class Fit(Protocol):
    """Fits a number of Gaussians to the picture, from a numbered start or from a state."""

    def __call__(
        self, gaussians: int, start: int = 0, resume: FitState | None = None
    ) -> FitQuantizer:
        """Return the fit, ready to be quantized."""


def best_start(
    fit: Fit, quality: SourceQuality, source: PreparedPicture, gaussians: int, step: float
) -> Draft:
    """Quantize fits from several starts, and return the draft of least rate-distortion cost.

    Parameters
    ----------
    fit : callable
        Function that fits a given number of Gaussians; see `Fit`.
    quality : SourceQuality
    source : PreparedPicture
    gaussians : int
        Number of Gaussians that suits the step.
    step : float
        The color step Δ.
    """
    starts = _Starts(fit, source, gaussians)
    return min(starts.quantized(step), key=lambda draft: quality.cost(draft, step))


def best_start_within_size(
    fit: Fit,
    quality: SourceQuality,
    source: PreparedPicture,
    gaussians: int,
    most_bytes: float,
) -> Draft:
    """Return the draft of least error within a size, of fits from several starts.

    Parameters
    ----------
    fit, quality, source
        See `best_start`.
    gaussians : int
        Number of Gaussians that suits the size.
    most_bytes : float
        Largest size of the file in bytes, without metadata.

    Returns
    -------
    Draft
        The file without Gaussians if every other file is larger than `most_bytes`.
    """

    def is_exact(draft: Draft) -> bool:
        return draft.picture_bytes <= most_bytes and quality.psnr_of(draft) == np.inf

    found = _search(
        _Starts(fit, source, gaussians),
        quality,
        lambda draft: float(np.log2(draft.picture_bytes)),
        lambda: StepSearch(np.log2(most_bytes), OCTAVES_PER_OCTAVE),
        is_exact,
    )
    within = [draft for draft in found if draft.picture_bytes <= most_bytes]
    if not within:
        return min(found, key=lambda draft: draft.picture_bytes).shortened(most_bytes)
    return max(within, key=quality.psnr_of)


def best_start_for_quality(
    fit: Fit,
    quality: SourceQuality,
    source: PreparedPicture,
    gaussians: int,
    target: float,
    measure: Measure,
) -> Draft:
    """Return the smallest draft that reaches a PSNR or SSIM, or the one that comes closest to it.

    Parameters
    ----------
    fit, quality, source
        See `best_start`.
    gaussians : int
        Number of Gaussians that suits the target.
    target : float
        The quality to reach in dB, in terms of the measure.
    measure : Measure
        `PSNR` or `SSIM`.
    """

    def decibels(draft: Draft) -> float:
        return measure.decibels(quality, quality.decode(draft))

    found = _search(
        _Starts(fit, source, gaussians),
        quality,
        decibels,
        lambda: StepSearch(target, measure.per_octave),
    )

    def rank(draft: Draft) -> tuple[float, int]:
        return max(target - QUALITY_TOLERANCE - decibels(draft), 0.0), draft.picture_bytes

    return min(found, key=rank)


def _search(
    starts: "_Starts",
    quality: SourceQuality,
    measure: Callable[[Draft], float],
    begin: Callable[[], StepSearch],
    is_enough: Callable[[Draft], bool] = lambda _: False,
) -> list[Draft]:
    """Return drafts from several starts with steps that lead to a target.

    Parameters
    ----------
    starts : _Starts
    quality : SourceQuality
    measure : callable
        Function that returns the value of a draft, which the target is for.
    begin : callable
        Function that makes a search for the step of the target.
    is_enough : callable, optional
        Function that tells whether a draft ends the search.
    """
    found: list[Draft] = []

    def cost(draft: Draft) -> float:
        return quality.cost(draft, draft.step)

    def follow(some: list[int], step: float, steps: int) -> float | None:
        """Search for the step with some starts; return the last one tried, None to end."""
        search = begin()
        for _ in range(steps):
            made = list(starts.quantized(step, some))
            found.extend(made)
            best = min(made, key=cost)
            if starts.interrupted or is_enough(best):
                return None
            guess = search.after(best.step, measure(best))
            if guess is None:
                return best.step
            step = guess
        return step

    step = follow(list(range(FEW_STARTS)), starts.balanced_step, STEPS)
    if step is None:
        return found
    made = list(starts.quantized(step))
    found += made
    if not starts.interrupted:
        best = sorted(range(len(made)), key=lambda number: cost(made[number]))
        follow(best[:BEST_STARTS], step, LAST_STEPS)
    return found


class _Starts:
    """The fits of a picture from its starts. Each is made when it is quantized first.

    Parameters
    ----------
    fit, source, gaussians
        See `best_start`.
    """

    def __init__(self, fit: Fit, source: PreparedPicture, gaussians: int) -> None:
        self._fit = fit
        self._source = source
        self._gaussians = gaussians
        self._most = most_gaussians(source.fitted)
        self._count = max(LEAST_STARTS, min(MOST_STARTS, STARTS_OF_PIXELS // self._most))
        self._made: dict[int, FitQuantizer] = {}

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C has come."""
        return any(one.interrupted for one in self._made.values())

    @cached_property
    def balanced_step(self) -> float:
        """The color step Δ that suits the error of the number of Gaussians, at most a file's."""
        return min(self._fit(self._gaussians).balanced_step(), MOST_STEP)

    def quantized(self, step: float, numbers: Iterable[int] | None = None) -> Iterator[Draft]:
        """Quantize the fits from some starts, by default all, until Ctrl-C comes."""
        for number in range(self._count) if numbers is None else numbers:
            if number not in self._made:
                self._made[number] = self._make(number)
            quantizer = self._made[number]
            yield quantizer.quantize(step)
            if quantizer.interrupted:
                return

    def _make(self, number: int) -> FitQuantizer:
        if number == 0 and self._most <= PIXEL_BY_PIXEL:
            return _fit_pixels(self._fit, self._source)
        return self._fit(self._gaussians if number % 2 == 0 else self._most, number)


def _fit_pixels(fit: Fit, source: PreparedPicture) -> FitQuantizer:
    """Return a fit of one narrow Gaussian for each pixel."""
    state = fit(1).fitted.state
    pixels = one_per_pixel(source.fitted.pixels, state.colors[0])
    count = 1 + len(pixels.means)
    width = 5 + source.fitted.channels
    return fit(
        1,
        resume=replace(
            state,
            means=np.concatenate((state.means, pixels.means)),
            cholesky=np.concatenate((state.cholesky, pixels.cholesky)),
            colors=np.concatenate((state.colors, pixels.colors)),
            first=np.zeros((count, width), np.float32),
            second=np.zeros((count, width), np.float32),
            age=np.zeros(count, np.uint32),
            trainable=np.append(state.trainable, np.full(count - 1, TRAIN_ALL, np.uint8)),
            iteration=state.iterations,
            target=count,
        ),
    )
