"""The rate–distortion figure: mean quality over bits per pixel, by matplotlib."""

from collections.abc import Sequence
from pathlib import Path

from lib import paper_curve
from lib.analysis import Measurements
from lib.curves import Curve
from lib.measure import OURS
from lib.qualities import QUALITIES
from lib.tables import NAMES

# Okabe and Ito's colors, which people with any color vision tell apart; ours is thick and black.
STYLES = {
    OURS: ("#000000", "-", 2.6),
    "jpeg": ("#E69F00", "-", 1.5),
    "jpeg2000": ("#0072B2", "-", 1.5),
    "webp": ("#009E73", "-", 1.5),
    "avif": ("#D55E00", "-", 1.5),
    "avif-psnr": ("#D55E00", "--", 1.5),
    "jpeg-xl": ("#56B4E9", "-", 1.5),
    paper_curve.KEY: ("#CC79A7", ":", 1.8),
}
OTHER_EFFORT = ("#888888", "-.", 1.2)
TICKS = (0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 1.5)
RATES = (0.04, 1.1)


def draw(measured: Measurements, path: Path) -> None:
    """Draw the mean curves at equal rates into a file, PNG, SVG or PDF by its extension."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    metrics = measured.metrics
    figure, panels = plt.subplots(
        1, len(metrics), figsize=(6.4 * len(metrics), 5.2), layout="constrained", squeeze=False
    )
    codecs = [*measured.codecs, paper_curve.KEY]
    for axes, metric in zip(panels[0], metrics, strict=True):
        for codec in codecs:
            curve = measured.equal_rates(codec, metric)
            if curve is None:
                continue
            color, dashes, width = STYLES.get(codec, OTHER_EFFORT)
            shown = _inside(curve, RATES)
            points = "o" if codec == paper_curve.KEY else None
            axes.plot(
                *shown,
                color=color,
                linestyle=dashes,
                linewidth=width,
                marker=points,
                markersize=4,
                label=NAMES[codec],
                zorder=3 if codec == OURS else 2,
            )
        axes.set_xscale("log")
        axes.set_xlim(*RATES)
        ticks = [tick for tick in TICKS if RATES[0] <= tick <= RATES[1]]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("bits per pixel")
        quality = QUALITIES[metric]
        axes.set_ylabel(f"{quality.name} ({quality.ordinate})")
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = panels[0][0].get_legend_handles_labels()
    panels[0][0].legend(handles, labels, frameon=False, loc="upper left")
    count = len(measured.pictures)
    figure.suptitle(
        f"Mean of {count} picture{'s' if count > 1 else ''} at equal rates "
        "(where every picture has that rate)",
        fontsize=11,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _inside(curve: Curve, rates: tuple[float, float]) -> tuple[Sequence[float], Sequence[float]]:
    points = [
        (rate, quality)
        for rate, quality in zip(curve.rates, curve.qualities, strict=True)
        if rates[0] <= rate <= rates[1]
    ]
    return [rate for rate, _ in points], [quality for _, quality in points]
