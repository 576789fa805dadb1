"""From what a user asks for to the numbers that an encoder works with.

Two numbers make a file's size and quality: how many Gaussians there are, N, and how coarsely they
are rounded, Δ. They belong together: a bit spent on one more Gaussian must buy as much as a bit
spent on rounding more finely. The error of a fit falls about as 1/N, so another Gaussian removes
SSE / N of it for some 30 bits; a bit on each number removes ln 2 / 6 Δ² ≈ 0.1155 Δ² each. Equal
shares give Δ² = SSE / (30 · 0.1155 N), or Δ ≈ 0.53 √(SSE / N), which is what measurement finds.
"""

import numpy as np

from gaussianimage.arguments import integer
from gaussianimage.fitting.fit import fit
from gaussianimage.fitting.state import MAX_GAUSSIANS
from gaussianimage.picture import Picture

BALANCE = 0.53
BITS_PER_GAUSSIAN = 31.0

# Quality 0 and 100 as steps Δ: on photos about 0.03 and 2 bits per pixel.
COARSEST_STEP = 1.4
FINEST_STEP = 0.025
DEFAULT_QUALITY = 50.0

# Short fits that show how the error of a picture falls with N: Gaussians per pixel, iterations, and
# by how much a whole fit is better in PSNR (0.5 to 2 dB on photos).
PROBES = (1 / 260, 1 / 100)
PROBE_ITERATIONS = 120
PROBE_LACK = 1.3


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

    Solves N = SSE(N) (0.53 / Δ)², with SSE(N) a power law through two short fits.
    """
    pixels = picture.height * picture.width
    counts = [max(2, round(pixels * share)) for share in PROBES]
    errors = []
    for count in counts:
        result = fit(picture, count, iterations=PROBE_ITERATIONS, threads=threads)
        if result.interrupted:
            raise KeyboardInterrupt  # nothing is there yet that could be kept
        errors.append(10 ** (-(result.psnr + PROBE_LACK) / 10) * picture.pixels.size)
    if errors[-1] <= 1e-6 * pixels:
        return 1
    slope = 1.0
    if errors[0] > errors[1] and counts[0] < counts[1]:
        slope = float(np.log(errors[0] / errors[1]) / np.log(counts[1] / counts[0]))
    # ln N = ln SSE₁ - slope (ln N - ln N₁) + 2 ln(0.53 / Δ)
    logarithm = (np.log(errors[1]) + slope * np.log(counts[1]) + 2 * np.log(BALANCE / step)) / (
        1 + slope
    )
    return int(np.clip(round(float(np.exp(logarithm))), 1, min(pixels, MAX_GAUSSIANS)))


def check_targets(
    quality: float | None, gaussians: int | None, bpp: float | None
) -> tuple[float | None, int | None, float | None]:
    """Check that at most one target is given and that it is in range.

    Raises
    ------
    TypeError, ValueError
        If more than one is given, or it is no number, or out of range.
    """
    given = {"quality": quality, "gaussians": gaussians, "bpp": bpp}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise ValueError(f"expected one target, got {' and '.join(names)}")
    if gaussians is not None:
        count = integer("gaussians", gaussians)
        if not 1 <= count <= MAX_GAUSSIANS:
            raise ValueError(f"gaussians: expected 1 to {MAX_GAUSSIANS}, got {count}")
        return None, count, None
    if bpp is not None:
        return None, None, _number("bpp", bpp, 1e-4, 64.0)
    return _number("quality", DEFAULT_QUALITY if quality is None else quality, 0, 100), None, None


def _number(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    if not low <= value <= high:
        raise ValueError(f"{name}: expected {low:g} to {high:g}, got {value}")
    return float(value)
