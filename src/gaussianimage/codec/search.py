"""Finding the file of a given size or PSNR, with few fits and few quantizations."""

from collections.abc import Callable

import numpy as np

from gaussianimage.codec.writer import Draft, Writer

# A file may be this much smaller than asked for.
SIZE_TOLERANCE = 0.02

# A file that is larger by no more than this is cut to size rather than made again.
SIZE_SURPLUS = 0.03
# A PSNR may be this much off, in dB.
PSNR_TOLERANCE = 0.1

# Outside of these a size is reached better by another number of Gaussians than by another step.
REFIT_BELOW, REFIT_ABOVE = 0.7, 1.4

# Halving the step adds a bit to each of about six numbers of a Gaussian, and about so many dB.
NUMBERS = 6.0
DECIBELS_PER_OCTAVE = 2.0

# What quantizing costs when its step suits the fit, in dB.
QUANTIZATION_LOSS = 1.1

MAX_FITS = 3

MakeWriter = Callable[[int], Writer]  # fits that many Gaussians


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
        wanted = _within(gaussians / ratio, writer)
        if wanted == gaussians:
            break
        gaussians = wanted
        writer = make(gaussians)
        draft = writer.draft(writer.balanced_step())

    # The largest that fits, and the smallest that doesn't.
    below: Draft | None = None
    above: Draft | None = None
    for left in range(drafts, 0, -1):
        size = draft.picture_bytes
        if size <= most_bytes:
            if below is None or size > below.picture_bytes:
                below = draft
        elif above is None or size < above.picture_bytes:
            above = draft
        if (1 - SIZE_TOLERANCE) * most_bytes <= size <= (1 + SIZE_SURPLUS) * most_bytes:
            break
        bits = 8.0 * (most_bytes - size)
        step = _between(
            draft.step * 2.0 ** (-bits / (NUMBERS * max(draft.gaussians, 1))),
            draft.step,
            above.step if above else 0.0,
            below.step if below else np.inf,
        )
        if left == 1 or step is None or writer.interrupted:
            break
        draft = writer.draft(step)
    if above is not None and (
        below is None or below.picture_bytes < (1 - SIZE_TOLERANCE) * most_bytes
    ):
        shortened = writer.shortened(above, most_bytes)
        if below is None or most_bytes >= shortened.picture_bytes > below.picture_bytes:
            below = shortened
    assert below is not None
    return writer, below


def search_psnr(
    make: MakeWriter, gaussians: int, target: float, drafts: int
) -> tuple[Writer, Draft]:
    """Find a file of this PSNR in dB, or the nearest; arguments and results as `search_size`."""
    writer = make(gaussians)
    for _ in range(MAX_FITS - 1):
        lack = target + QUANTIZATION_LOSS - writer.fitted.psnr
        if writer.interrupted or abs(lack) < QUANTIZATION_LOSS / 2:
            break
        # The squared error falls about as 1 / N.
        wanted = _within(gaussians * 10 ** (float(np.clip(lack, -10, 10)) / 10), writer)
        if wanted == gaussians:
            break
        gaussians = wanted
        writer = make(gaussians)

    step = writer.balanced_step()
    best: Draft | None = None
    best_off = np.inf
    too_fine, too_coarse = 0.0, np.inf
    for left in range(drafts, 0, -1):
        draft = writer.draft(step)
        off = writer.psnr(draft) - target
        if best is None or abs(off) < best_off:
            best, best_off = draft, abs(off)
        if abs(off) <= PSNR_TOLERANCE / 2 or left == 1 or writer.interrupted:
            break
        if off > 0:
            too_fine = max(too_fine, draft.step)
        else:
            too_coarse = min(too_coarse, draft.step)
        guess = _between(
            draft.step * 2.0 ** (off / DECIBELS_PER_OCTAVE), draft.step, too_fine, too_coarse
        )
        if guess is None:
            break
        step = guess
    assert best is not None
    return writer, best


def _within(gaussians: float, writer: Writer) -> int:
    """Return the nearest number of Gaussians that a picture can have."""
    return int(np.clip(round(gaussians), 1, writer.most_gaussians))


def _between(guess: float, last: float, low: float, high: float) -> float | None:
    """Return a step to try next, strictly between two that were tried; None if there is none."""
    guess = float(np.clip(guess, last / 4, last * 4, dtype=np.float64))
    if low > 0 and high < np.inf:
        # Steps are a sixteenth of an octave apart.
        if np.log2(high / low) < 1.5 / 16:
            return None
        octave = np.log2(high / low)
        guess = float(np.clip(guess, low * 2 ** (0.2 * octave), high / 2 ** (0.2 * octave)))
    nearest = 2.0 ** (np.round(16 * np.log2(guess)) / 16)
    if abs(np.log2(nearest / last)) < 1 / 32:
        nearest = last * 2.0 ** ((1 if guess > last else -1) / 16)
    return float(nearest)
