"""Mean curves of single measurements, and Bjøntegaard deltas against every rival."""

from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

import numpy as np

from lib import published_curves
from lib.curves import Comparison, Curve, compare, mean_at_equal_rates, mean_per_setting
from lib.harness import timing
from lib.measure import OURS, Record
from lib.qualities import QUALITIES

# Ranges of rates in bits per pixel. The last is for JPEG alone, whose files are hardly smaller.
RANGES = ((0.05, 0.3), (0.06, 0.9), (0.08, 0.7))
ONLY_FOR = {(0.08, 0.7): "jpeg"}


class Measurements:
    """The records of a run, and curves through them."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = list(records)
        self.pictures = list(dict.fromkeys(record.picture for record in records))
        self.codecs = list(dict.fromkeys(record.codec for record in records))
        self.metrics = [
            key
            for key, quality in QUALITIES.items()
            if all(quality.of(record) is not None for record in records)
        ]

    def dials(self, codec: str) -> list[str]:
        """Return the kinds of settings that a codec was measured at."""
        return list(dict.fromkeys(r.dial for r in self.records if r.codec == codec))

    def main_dial(self, codec: str) -> str:
        """Return the dial of a codec's means per setting: bits per pixel if the codec has two."""
        dials = self.dials(codec)
        return "bpp" if "bpp" in dials else dials[0]

    def select(self, codec: str, dial: str) -> list[Record]:
        """Return the records of a codec at one dial, for all pictures."""
        return [r for r in self.records if r.codec == codec and r.dial == dial]

    def picture_curve(self, codec: str, picture: str, metric: str) -> Curve | None:
        """Return a picture's curve through all of a codec's files."""
        records = [r for r in self.records if r.codec == codec and r.picture == picture]
        return Curve.through([(r.bpp, _quality(r, metric)) for r in records])

    def equal_rates(self, codec: str, metric: str) -> Curve | None:
        """Return the mean over pictures at equal rates; a published curve as it is."""
        if codec in published_curves.NAMES:
            return published_curves.curve(codec, metric)
        return mean_at_equal_rates([self.picture_curve(codec, p, metric) for p in self.pictures])

    def per_setting(self, codec: str, dial: str, metric: str) -> Curve | None:
        """Return the mean over pictures of rates and qualities, setting by setting."""
        if codec in published_curves.NAMES:
            return published_curves.curve(codec, metric)
        records = self.select(codec, dial)
        settings = dict.fromkeys(r.setting for r in records)
        points = [
            [(r.bpp, _quality(r, metric)) for r in records if r.setting == setting]
            for setting in settings
        ]
        return mean_per_setting(points) if points else None


def _quality(record: Record, metric: str) -> float:
    quality = QUALITIES[metric].of(record)
    assert quality is not None
    return quality


def analyze(measured: Measurements) -> dict[str, Any]:
    """Return the contents of all tables as plain values."""
    rivals = [*(codec for codec in measured.codecs if codec != OURS), *published_curves.NAMES]
    return {
        "mean_curves": _mean_curves(measured),
        "comparisons": [
            _against(measured, rival, metric, rates)
            for rival in rivals
            for metric in measured.metrics
            for rates in RANGES
            if ONLY_FOR.get(rates, rival) == rival
            if rival not in published_curves.NAMES or published_curves.curve(rival, metric)
        ],
        "unequal_shares": {codec: _unequal_shares(measured, codec) for codec in measured.codecs},
        "rate_control": _rate_control(measured),
        "seconds": [_seconds(measured, codec) for codec in measured.codecs],
    }


def _mean_curves(measured: Measurements) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for metric in measured.metrics:
        for codec in measured.codecs:
            curves = {"equal_rates": measured.equal_rates(codec, metric)}
            for dial in measured.dials(codec):
                curves[f"per_setting_{dial}"] = measured.per_setting(codec, dial, metric)
            plain = {name: asdict(curve) if curve else None for name, curve in curves.items()}
            result.setdefault(metric, {})[codec] = plain
    return result


def _against(
    measured: Measurements, rival: str, metric: str, rates: tuple[float, float]
) -> dict[str, Any]:
    """Compare our codec with one rival in three ways."""
    pictures: dict[str, Comparison | None] = {}
    if rival not in published_curves.NAMES:
        for name in measured.pictures:
            curves = [measured.picture_curve(codec, name, metric) for codec in (rival, OURS)]
            pictures[name] = compare(*curves, rates)
    deltas = {name: c.bd_rate for name, c in pictures.items() if c is not None}
    # Both codecs must have the same kind of dial: with one quality for all pictures, a codec
    # divides its bits among them otherwise than with one rate, and that alone changes the mean.
    dial = "bpp" if rival in published_curves.NAMES else measured.main_dial(rival)
    settings = None
    if dial in measured.dials(OURS):
        pair = [measured.per_setting(codec, dial, metric) for codec in (rival, OURS)]
        settings = compare(*pair, rates)
    equal = compare(measured.equal_rates(rival, metric), measured.equal_rates(OURS, metric), rates)
    return {
        "rival": rival,
        "metric": metric,
        "rates": list(rates),
        "equal_rates": _plain(equal),
        "pictures": {name: _plain(comparison) for name, comparison in pictures.items()},
        "pictures_mean": fmean(deltas.values()) if deltas else None,
        "pictures_best": min(deltas, key=lambda n: deltas[n]) if deltas else None,
        "pictures_worst": max(deltas, key=lambda n: deltas[n]) if deltas else None,
        "per_setting": _plain(settings),
        "per_setting_dial": dial,
    }


def _plain(comparison: Comparison | None) -> dict[str, Any] | None:
    return None if comparison is None else asdict(comparison)


def _unequal_shares(measured: Measurements, codec: str) -> float | None:
    """Return how unequal shares of bits among pictures change a codec's own mean curve.

    It is the BD-rate by PSNR of the mean per setting against the mean at equal rates: 0 for a codec
    whose dial is bits per pixel, and positive for one whose dial is a quality.
    """
    equal = measured.equal_rates(codec, "psnr")
    settings = measured.per_setting(codec, measured.main_dial(codec), "psnr")
    comparison = compare(equal, settings, RANGES[1])
    return None if comparison is None else comparison.bd_rate


def _rate_control(measured: Measurements) -> dict[str, float] | None:
    """Return the difference of our files from the target bits per pixel, in percent."""
    records = measured.select(OURS, "bpp")
    if not records:
        return None
    off = [100 * (r.bpp / r.setting - 1) for r in records]
    return {"least": min(off), "median": float(np.median(off)), "most": max(off)}


def _seconds(measured: Measurements, codec: str) -> dict[str, Any]:
    """Return a codec's times at each setting: median and quartiles over the pictures."""
    rows = []
    for dial in measured.dials(codec):
        records = measured.select(codec, dial)
        for setting in dict.fromkeys(r.setting for r in records):
            here = [r for r in records if r.setting == setting]
            rows.append(
                {
                    "dial": dial,
                    "setting": setting,
                    "mean_bpp": fmean(r.bpp for r in here),
                    "encode": _quartiles([r.encode_seconds for r in here]),
                    "decode": _quartiles([r.decode_seconds for r in here]),
                }
            )
    return {"codec": codec, "settings": rows}


def _quartiles(seconds: list[float]) -> dict[str, float]:
    found = timing(seconds)
    return {"median": found.median, "iqr": found.iqr, "most": max(seconds)}
