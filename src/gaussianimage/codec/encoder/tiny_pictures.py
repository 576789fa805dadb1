"""Pictures of a few pixels are fitted from several starts, and the best draft is kept.

A fit of a handful of Gaussians depends much on where they start.
"""

import math
from dataclasses import replace
from typing import Protocol

import numpy as np

from gaussianimage.codec.encoder.draft import Draft
from gaussianimage.codec.encoder.prepare import PreparedPicture
from gaussianimage.codec.encoder.quantize_fit import FitQuantizer
from gaussianimage.codec.encoder.rate_model import most_gaussians
from gaussianimage.codec.encoder.source_quality import SourceQuality
from gaussianimage.fitting.placement import one_per_pixel
from gaussianimage.fitting.state import TRAIN_ALL, FitState

# The number of starts is STARTS_OF_PIXELS / pixels, within these bounds.
LEAST_STARTS, MOST_STARTS = 6, 64
STARTS_OF_PIXELS = 1024

# In pictures of at most this many pixels, one start has a Gaussian for each pixel.
PIXEL_BY_PIXEL = 64


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
    most = most_gaussians(source.fitted)
    starts = max(LEAST_STARTS, min(MOST_STARTS, STARTS_OF_PIXELS // most))
    best: Draft | None = None
    least = math.inf
    for start in range(starts):
        if start == 0 and most <= PIXEL_BY_PIXEL:
            quantizer = _fit_pixels(fit, source)
        else:
            quantizer = fit(gaussians if start % 2 == 0 else most, start)
        draft = quantizer.quantize(step)
        cost = quality.cost(draft, step)
        if cost < least:
            best, least = draft, cost
        if quantizer.interrupted:
            break
    assert best is not None
    return best


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
