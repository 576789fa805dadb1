"""Pictures of a few pixels are fitted from several starts, and the best draft is kept.

A fit of a handful of Gaussians depends much on where they start.
"""

from dataclasses import replace
from typing import Protocol

import numpy as np

from gaussianimage.codec.encoder.draft import Draft
from gaussianimage.codec.encoder.prepare import PreparedPicture
from gaussianimage.codec.encoder.quantize_fit import FitQuantizer
from gaussianimage.codec.encoder.rate_model import most_gaussians
from gaussianimage.codec.encoder.search import StepSearch
from gaussianimage.codec.encoder.source_quality import SourceQuality
from gaussianimage.codec.format.quantizer import MOST_STEP
from gaussianimage.fitting.placement import one_per_pixel
from gaussianimage.fitting.state import TRAIN_ALL, FitState

# The number of starts is STARTS_OF_PIXELS / pixels, within these bounds.
LEAST_STARTS, MOST_STARTS = 6, 64
STARTS_OF_PIXELS = 1024

# In pictures of at most this many pixels, one start has a Gaussian for each pixel.
PIXEL_BY_PIXEL = 64


# Factor by which a small file shrinks when the step doubles, in octaves; an estimate. About
# half of such a file does not depend on the step.
OCTAVES_PER_OCTAVE = 0.3

# A size is searched for with this many steps.
STEPS = 8


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
    drafts = _from_all_starts(fit, source, gaussians, step)
    return min(drafts, key=lambda draft: quality.cost(draft, step))


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
    first = fit(gaussians)
    step = min(first.balanced_step(), MOST_STEP)
    steps = StepSearch(np.log2(most_bytes), OCTAVES_PER_OCTAVE)
    found: list[Draft] = []
    for _ in range(STEPS):
        made = _from_all_starts(fit, source, gaussians, step)
        found += made
        best = min(made, key=lambda draft: quality.cost(draft, draft.step))
        guess = steps.after(best.step, np.log2(best.picture_bytes))
        if guess is None or first.interrupted:
            break
        step = guess
    within = [draft for draft in found if draft.picture_bytes <= most_bytes]
    if not within:
        return min(found, key=lambda draft: draft.picture_bytes).shortened(most_bytes)
    return max(within, key=lambda draft: quality.psnr(quality.decode(draft)))


def _from_all_starts(fit: Fit, source: PreparedPicture, gaussians: int, step: float) -> list[Draft]:
    """Quantize fits from several starts, until Ctrl-C comes."""
    most = most_gaussians(source.fitted)
    starts = max(LEAST_STARTS, min(MOST_STARTS, STARTS_OF_PIXELS // most))
    drafts = []
    for start in range(starts):
        if start == 0 and most <= PIXEL_BY_PIXEL:
            quantizer = _fit_pixels(fit, source)
        else:
            quantizer = fit(gaussians if start % 2 == 0 else most, start)
        drafts.append(quantizer.quantize(step))
        if quantizer.interrupted:
            break
    return drafts


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
