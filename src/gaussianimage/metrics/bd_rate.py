"""Bjøntegaard deltas: the mean distance between two rate–distortion curves."""

import numpy as np
import numpy.typing as npt

__all__ = ["bd_psnr", "bd_rate"]

_Curve = npt.NDArray[np.float64]


def bd_rate(
    rate_a: npt.ArrayLike,
    psnr_a: npt.ArrayLike,
    rate_b: npt.ArrayLike,
    psnr_b: npt.ArrayLike,
    *,
    rates: tuple[float, float] | None = None,
) -> float:
    """Return the mean difference in rate, at equal quality, of codec B against the anchor A.

    The logarithm of the rate is interpolated over the quality by shape-preserving cubics
    (PCHIP) and averaged over the qualities that both curves reach.

    Parameters
    ----------
    rate_a, psnr_a : array_like, shape (N,)
        The anchor: rates (bits per pixel, or any unit) and qualities (dB), in any order.
    rate_b, psnr_b : array_like, shape (M,)
        The codec that is compared, in the same units.
    rates : (low, high), optional
        Compare only the qualities that both curves reach at rates inside this range.

    Returns
    -------
    float
        BD-rate in percent; −25 means that B needs a quarter fewer bits than A.

    Raises
    ------
    ValueError
        A curve has fewer than two points, a rate that is not positive and finite, or a quality that
        does not rise with the rate, or the curves have no quality in common.

    References
    ----------
    G. Bjøntegaard: Calculation of average PSNR differences between RD-curves. VCEG-M33, 2001.
    F. N. Fritsch, J. Butland: A method for constructing local monotone piecewise cubic
    interpolants. SIAM Journal on Scientific and Statistical Computing 5(2), 1984.
    """
    log_a, quality_a = _curve(rate_a, psnr_a, "a")
    log_b, quality_b = _curve(rate_b, psnr_b, "b")
    low, high = _common(quality_a, quality_b, "quality")
    if rates is not None:
        ends = _log_range(rates)
        for log_rate, quality in ((log_a, quality_a), (log_b, quality_b)):
            inside = np.clip(ends, log_rate[0], log_rate[-1])
            reached = [_interpolate(log_rate, quality, end) for end in inside]
            low, high = max(low, reached[0]), min(high, reached[1])
        if not low < high:
            raise ValueError(f"the curves share no quality at rates {rates[0]}..{rates[1]}")
    difference = _mean(quality_b, log_b, low, high) - _mean(quality_a, log_a, low, high)
    return 100 * float(np.expm1(difference))


def bd_psnr(
    rate_a: npt.ArrayLike,
    psnr_a: npt.ArrayLike,
    rate_b: npt.ArrayLike,
    psnr_b: npt.ArrayLike,
    *,
    rates: tuple[float, float] | None = None,
) -> float:
    """Return the mean difference in quality, at equal rate, of codec B against the anchor A.

    The quality is interpolated over the logarithm of the rate by PCHIP and averaged over the
    rates that both curves have.

    Parameters
    ----------
    rate_a, psnr_a, rate_b, psnr_b : array_like
        The two curves; see `bd_rate`.
    rates : (low, high), optional
        Compare only the rates inside this range.

    Returns
    -------
    float
        BD-PSNR in dB; positive if B is better than A.

    Raises
    ------
    ValueError
        A curve is not valid, as for `bd_rate`, or the curves have no rate in common.
    """
    log_a, quality_a = _curve(rate_a, psnr_a, "a")
    log_b, quality_b = _curve(rate_b, psnr_b, "b")
    low, high = _common(log_a, log_b, "rate")
    if rates is not None:
        ends = _log_range(rates)
        low, high = max(low, ends[0]), min(high, ends[1])
        if not low < high:
            raise ValueError(f"the curves share no rate in {rates[0]}..{rates[1]}")
    return _mean(log_b, quality_b, low, high) - _mean(log_a, quality_a, low, high)


def _curve(rate: npt.ArrayLike, quality: npt.ArrayLike, name: str) -> tuple[_Curve, _Curve]:
    """Return (log rate, quality), both strictly rising."""
    rates, qualities = np.asarray(rate, np.float64), np.asarray(quality, np.float64)
    if rates.ndim != 1 or rates.shape != qualities.shape or rates.size < 2:
        raise ValueError(
            f"rate_{name}, psnr_{name}: expected two lists of one length, at least 2, "
            f"got shapes {rates.shape} and {qualities.shape}"
        )
    if not (np.isfinite(rates).all() and np.isfinite(qualities).all() and rates.min() > 0):
        raise ValueError(f"rate_{name}, psnr_{name}: expected finite numbers, and positive rates")
    order = np.argsort(rates)
    rates, qualities = rates[order], qualities[order]
    if (np.diff(rates) <= 0).any() or (np.diff(qualities) <= 0).any():
        raise ValueError(f"psnr_{name}: expected to rise with rate_{name} from point to point")
    return np.log(rates), qualities


def _common(a: _Curve, b: _Curve, what: str) -> tuple[float, float]:
    low, high = max(a[0], b[0]), min(a[-1], b[-1])
    if not low < high:
        raise ValueError(f"the curves share no {what}")
    return float(low), float(high)


def _log_range(rates: tuple[float, float]) -> tuple[float, float]:
    low, high = rates
    if not 0 < low < high < np.inf:
        raise ValueError(f"rates: expected (low, high) with 0 < low < high, got {rates}")
    return float(np.log(low)), float(np.log(high))


def _mean(x: _Curve, y: _Curve, low: float, high: float) -> float:
    """Return the mean over low..high of the interpolant through (x, y)."""
    return (_integral(x, y, high) - _integral(x, y, low)) / (high - low)


def _interpolate(x: _Curve, y: _Curve, at: float) -> float:
    i, t, step, slopes = _segment(x, y, at)
    rest = 1 - t
    return float(
        rest**2 * ((1 + 2 * t) * y[i] + t * step * slopes[i])
        + t**2 * ((3 - 2 * t) * y[i + 1] - rest * step * slopes[i + 1])
    )


def _integral(x: _Curve, y: _Curve, to: float) -> float:
    """Integrate the cubic Hermite interpolant from x[0]."""
    i, t, step, slopes = _segment(x, y, to)
    steps = np.diff(x)
    whole = steps * (y[:-1] + y[1:]) / 2 + steps**2 * (slopes[:-1] - slopes[1:]) / 12
    part = step * (
        y[i] * (t - t**3 + t**4 / 2)
        + y[i + 1] * (t**3 - t**4 / 2)
        + step * slopes[i] * (t**2 / 2 - 2 * t**3 / 3 + t**4 / 4)
        + step * slopes[i + 1] * (t**4 / 4 - t**3 / 3)
    )
    return float(whole[:i].sum() + part)


def _segment(x: _Curve, y: _Curve, at: float) -> tuple[int, float, float, _Curve]:
    """Find the segment around `at`: its index, the place in it (0..1), its length, all slopes."""
    i = int(np.clip(np.searchsorted(x, at, side="right") - 1, 0, x.size - 2))
    step = float(x[i + 1] - x[i])
    return i, (at - float(x[i])) / step, step, _slopes(x, y)


def _slopes(x: _Curve, y: _Curve) -> _Curve:
    """Return slopes at the points that keep the interpolant between them monotone (PCHIP).

    An inner slope is the harmonic mean of the two secants, weighted by the steps. An end slope is
    that of the three-point formula, but at least 0. The curves rise strictly, so every secant is
    positive.
    """
    steps = np.diff(x)
    secants = np.diff(y) / steps
    if secants.size == 1:
        return np.repeat(secants, 2)
    before, after = 2 * steps[1:] + steps[:-1], steps[1:] + 2 * steps[:-1]
    inside = (before + after) / (before / secants[:-1] + after / secants[1:])
    first = _end_slope(steps[0], steps[1], secants[0], secants[1])
    last = _end_slope(steps[-1], steps[-2], secants[-1], secants[-2])
    return np.concatenate([[first], inside, [last]])


def _end_slope(step: float, next_step: float, secant: float, next_secant: float) -> float:
    slope = ((2 * step + next_step) * secant - step * next_secant) / (step + next_step)
    return max(slope, 0.0)
