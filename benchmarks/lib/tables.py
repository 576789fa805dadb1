"""The tables of a rate–distortion run, in Markdown."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gaussianimage.paper.tables.text import NONE, markdown, percent
from lib import published_curves
from lib.analysis import Measurements
from lib.measure import OURS, at_effort
from lib.qualities import QUALITIES
from lib.rivals import RIVALS

NAMES = (
    {OURS: "gaussianimage", **published_curves.NAMES}
    | {rival.key: rival.name for rival in RIVALS}
    | {at_effort(effort): f"gaussianimage, effort {effort}" for effort in range(1, 11)}
)
RATES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
TIMED_RATES = (0.1, 0.3, 1.0)


def write_report(
    measured: Measurements,
    analysis: Mapping[str, Any],
    report: Mapping[str, Any],
    efforts: Sequence[int],
    jobs: int,
) -> str:
    """Return the report of a run."""
    sections = [
        "# Rate–distortion",
        f"{report['cpu']}, {report['cpus']} CPUs, gaussianimage {report['gaussianimage']} "
        f"({report['commit']}) at effort {efforts[0]} with {report['threads'][0]} threads. "
        f"{len(measured.pictures)} pictures: {', '.join(measured.pictures)}.",
        *[
            f"## BD-rate of gaussianimage by {QUALITIES[metric].name}\n\n"
            f"{_deltas(analysis, metric)}"
            for metric in measured.metrics
        ],
        "Negative: our files are smaller. At equal rates: between the means over pictures at the "
        "same bits per pixel. Pictures: the mean of every picture's own BD-rate, and the best and "
        "worst. Per setting: between the means of bits and of quality setting by setting. Each "
        "over the qualities that both codecs reach inside the range; in brackets the "
        "qualities that this leaves.",
        f"What unequal shares do: {_shares(analysis)}",
        *[
            f"## Mean {QUALITIES[metric].name} ({QUALITIES[metric].ordinate}) at equal rates\n\n"
            f"{_means(measured, metric)}"
            for metric in measured.metrics
        ],
        f"## BD-rate by PSNR, picture by picture (%)\n\n{_pictures(measured, analysis)}",
        f"## Time a picture\n\n{_times(analysis)}",
        "Medians over the pictures"
        + (f", {jobs} jobs at once: not comparable with other runs." if jobs > 1 else "."),
    ]
    control = analysis["rate_control"]
    if control is not None:
        sections.append(
            "Bits asked for and bits got: "
            f"{percent(control['least'])} to {percent(control['most'])}, "
            f"median {percent(control['median'])}."
        )
    return "\n\n".join(sections) + "\n"


def _deltas(analysis: Mapping[str, Any], metric: str) -> str:
    header = ["against", "bpp", "at equal rates", "pictures", "best", "worst", "per setting"]
    rows = []
    for entry in analysis["comparisons"]:
        if entry["metric"] != metric:
            continue
        deltas = {n: c["bd_rate"] for n, c in entry["pictures"].items() if c is not None}
        best, worst = entry["pictures_best"], entry["pictures_worst"]
        mean = percent(entry["pictures_mean"])
        if deltas and len(deltas) < len(entry["pictures"]):
            mean += f" ({len(deltas)} of {len(entry['pictures'])})"
        rows.append(
            [
                NAMES[entry["rival"]],
                _range(entry["rates"]),
                _covered(entry["equal_rates"]),
                mean,
                f"{percent(deltas[best])} {best}" if best else NONE,
                f"{percent(deltas[worst])} {worst}" if worst else NONE,
                _covered(entry["per_setting"]),
            ]
        )
    return markdown(header, rows)


def _shares(analysis: Mapping[str, Any]) -> str:
    shares = {c: d for c, d in analysis["unequal_shares"].items() if d is not None}
    return (
        "a codec that is given one quality for all pictures has another mean per setting than at "
        "equal rates, by a BD-rate of "
        + ", ".join(f"{percent(delta)} ({NAMES[codec]})" for codec, delta in shares.items())
        + ". So per setting, codecs are compared that were given the same kind of setting."
    )


def _means(measured: Measurements, metric: str) -> str:
    rows = []
    for codec in [*measured.codecs, *published_curves.NAMES]:
        curve = measured.equal_rates(codec, metric)
        cells = []
        if curve is None and codec in published_curves.NAMES:
            continue
        for rate in RATES:
            inside = curve is not None and curve.rates[0] <= rate <= curve.rates[-1]
            cells.append(f"{curve.at(rate):.2f}" if curve is not None and inside else NONE)
        rows.append([NAMES[codec], *cells])
    return markdown(["bpp", *(f"{rate:g}" for rate in RATES)], rows)


def _pictures(measured: Measurements, analysis: Mapping[str, Any]) -> str:
    entries = [e for e in analysis["comparisons"] if e["metric"] == "psnr" and e["pictures"]]
    header = ["picture", *(f"{NAMES[e['rival']]}, {_range(e['rates'])}" for e in entries)]
    rows = []
    for name in measured.pictures:
        found = [entry["pictures"][name] for entry in entries]
        rows.append([name, *(percent(c["bd_rate"] if c else None) for c in found)])
    return markdown(header, rows)


def _times(analysis: Mapping[str, Any]) -> str:
    rows = []
    for entry in analysis["seconds"]:
        settings = entry["settings"]
        if not entry["codec"].startswith(OURS):  # at most three rows of a rival
            nearest = (
                min(settings, key=lambda row: abs(math.log(row["mean_bpp"] / rate)))
                for rate in TIMED_RATES
            )
            settings = {row["setting"]: row for row in nearest}.values()
        for row in settings:
            encode, decode = row["encode"], row["decode"]
            rows.append(
                [
                    NAMES[entry["codec"]],
                    f"{row['dial']} {row['setting']:g}",
                    f"{row['mean_bpp']:.3f}",
                    f"{encode['median']:.2f}",
                    f"{encode['iqr']:.2f}",
                    f"{encode['most']:.2f}",
                    f"{1e3 * decode['median']:.1f}",
                    f"{1e3 * decode['iqr']:.1f}",
                ]
            )
    header = ["codec", "setting", "mean bpp", "encode s", "IQR", "most", "decode ms", "IQR"]
    return markdown(header, rows)


def _range(rates: Sequence[float]) -> str:
    return f"{rates[0]:g}–{rates[1]:g}"


def _covered(comparison: Mapping[str, Any] | None) -> str:
    if comparison is None:
        return NONE
    low, high = comparison["qualities"]
    return f"{percent(comparison['bd_rate'])} ({low:.1f}–{high:.1f})"
