"""Rate–distortion curves: their means over pictures, and comparisons over a range of rates.

A curve is the interpolant of `gaussianimage.metrics.bd_rate`: quality in dB over the logarithm of
the bits per pixel. There are three ways to get one number from the curves of many pictures, and
they answer different questions; `benchmarks/README.md` explains them. The report has all three.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gaussianimage.metrics import bd_psnr, bd_rate
from gaussianimage.metrics.bd_rate import _interpolate

GRID = 64


@dataclass(frozen=True)
class Curve:
    """At least two points of bits per pixel and dB, both strictly rising."""

    rates: tuple[float, ...]
    qualities: tuple[float, ...]

    @classmethod
    def through(cls, points: Iterable[tuple[float, float]]) -> "Curve | None":
        """Return the curve through (bpp, dB), or None if fewer than two points are left.

        A point that needs more bits than another and is no better is left out: nobody would use
        that setting, and an interpolant that falls has no inverse. A point without any error is
        left out too.
        """
        kept: list[tuple[float, float]] = []
        finite = [point for point in points if math.isfinite(point[1])]
        for rate, quality in sorted(finite, key=lambda point: (point[0], -point[1])):
            if not kept or (rate > kept[-1][0] and quality > kept[-1][1]):
                kept.append((rate, quality))
        if len(kept) < 2:
            return None
        return cls(tuple(rate for rate, _ in kept), tuple(quality for _, quality in kept))

    def at(self, rate: float) -> float:
        """Return the quality at a rate inside the curve."""
        if not self.rates[0] <= rate <= self.rates[-1]:
            raise ValueError(f"the curve has no rate {rate}: {self.rates[0]}..{self.rates[-1]}")
        return _interpolate(np.log(self.rates), np.array(self.qualities), math.log(rate))

    def span(self, rates: tuple[float, float]) -> tuple[float, float] | None:
        """Return the lowest and highest quality that the curve has at rates inside a range."""
        low, high = max(rates[0], self.rates[0]), min(rates[1], self.rates[-1])
        return (self.at(low), self.at(high)) if low < high else None


@dataclass(frozen=True)
class Comparison:
    """A codec against an anchor, over the qualities that both have at rates inside a range.

    Attributes
    ----------
    bd_rate : float
        Percent of the anchor's rate; negative if the codec needs less.
    bd_psnr : float or None
        dB at equal rate, over the rates that both curves have inside the range.
    qualities : (low, high)
        Range of qualities of the BD-rate in dB.
    anchor_rates, codec_rates : (low, high)
        Rates of both curves at these qualities, in bits per pixel.
    """

    bd_rate: float
    bd_psnr: float | None
    qualities: tuple[float, float]
    anchor_rates: tuple[float, float]
    codec_rates: tuple[float, float]


def compare(
    anchor: Curve | None, codec: Curve | None, rates: tuple[float, float]
) -> Comparison | None:
    """Compare two curves; None if they share no quality at rates inside the range."""
    if anchor is None or codec is None:
        return None
    spans = anchor.span(rates), codec.span(rates)
    if spans[0] is None or spans[1] is None:
        return None
    low, high = max(spans[0][0], spans[1][0]), min(spans[0][1], spans[1][1])
    if not low < high:
        return None
    pair = anchor.rates, anchor.qualities, codec.rates, codec.qualities
    common = max(anchor.rates[0], codec.rates[0], rates[0])
    shared = common < min(anchor.rates[-1], codec.rates[-1], rates[1])
    return Comparison(
        bd_rate=bd_rate(*pair, rates=rates),
        bd_psnr=bd_psnr(*pair, rates=rates) if shared else None,
        qualities=(low, high),
        anchor_rates=(_rate_at(anchor, low), _rate_at(anchor, high)),
        codec_rates=(_rate_at(codec, low), _rate_at(codec, high)),
    )


def _rate_at(curve: Curve, quality: float) -> float:
    """Return the rate at which a curve has a quality."""
    logarithms, qualities = np.log(curve.rates), np.array(curve.qualities)
    low, high = float(logarithms[0]), float(logarithms[-1])
    for _ in range(50):
        middle = (low + high) / 2
        if _interpolate(logarithms, qualities, middle) < quality:
            low = middle
        else:
            high = middle
    return math.exp(high)


def mean_at_equal_rates(curves: Sequence[Curve | None]) -> Curve | None:
    """Average the qualities of all pictures at the same rate, where every picture has that rate."""
    if not curves or None in curves:
        return None
    whole = [curve for curve in curves if curve is not None]
    low = max(curve.rates[0] for curve in whole)
    high = min(curve.rates[-1] for curve in whole)
    if not low < high:
        return None
    # The grid ends just inside, so that rounding puts no rate outside of a curve.
    grid = np.geomspace(low * (1 + 1e-9), high * (1 - 1e-9), GRID)
    points = [(float(r), float(np.mean([c.at(float(r)) for c in whole]))) for r in grid]
    return Curve.through(points)


def mean_per_setting(points: Sequence[Sequence[tuple[float, float]]]) -> Curve | None:
    """Average rates and qualities over pictures setting by setting: points[setting][picture]."""
    means = [tuple(float(mean) for mean in np.mean(setting, axis=0)) for setting in points]
    return Curve.through([(rate, quality) for rate, quality in means])


def decibels(ms_ssim: float) -> float:
    """Return MS-SSIM m in dB, −10 log₁₀(1 − m), which separates codecs better than m."""
    return -10 * math.log10(max(1 - ms_ssim, 1e-12))
