"""The paper's rate–distortion figure, drawn from measured results with matplotlib."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from gaussianimage.paper.tables import published
from gaussianimage.paper.tables.comparison import Group, Row
from gaussianimage.paper.tables.text import SETS, by_count, measured_on

__all__ = ["MissingMatplotlibError", "draw_rate_distortion"]

# Okabe and Ito's colors are distinct for all kinds of color vision.
_OURS, _PAPER = "#0072B2", "#D55E00"
# Label, dashes and marker of each stream of a file.
_STREAMS = {
    "plain": ("no entropy coding", "-", "o"),
    "bits-back": ("bits-back", "--", "s"),
    "entropy-interleaved": ("entropy coding and bits-back", ":", "^"),
}
_METRICS = {"psnr": "PSNR (dB)", "ms_ssim": "MS-SSIM"}
# Number of letters of the title that fit over a panel.
_LETTERS = 72


class MissingMatplotlibError(ImportError):
    """Raised if a figure cannot be drawn because matplotlib is not installed."""


def draw_rate_distortion(group: Group, path: Path) -> None:
    """Draw measured and published PSNR and MS-SSIM over bits per pixel into a file.

    Parameters
    ----------
    group : Group
        Results of the codec that differ in the number of Gaussians.
    path : Path
        File to write; the extension selects PNG, SVG or PDF. Its folder is made.

    Raises
    ------
    MissingMatplotlibError
        If matplotlib isn't installed.
    OSError
        If the file can't be written.
    """
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        message = "figures need matplotlib: pip install gaussianimage[bench]"
        raise MissingMatplotlibError(message) from None
    mpl.use("agg")
    import matplotlib.pyplot as plt

    rows = by_count(group.rows)
    metrics = [name for name in _METRICS if all(row.mean(name) is not None for row in rows)]
    figure, panels = plt.subplots(
        1, len(metrics), figsize=(6.4 * len(metrics), 5.0), layout="constrained", squeeze=False
    )
    try:
        for axes, metric in zip(panels[0], metrics, strict=True):
            for stream, (name, dashes, marker) in _STREAMS.items():
                points = _ours(rows, stream, metric)
                style = {"linestyle": dashes, "marker": marker, "markersize": 4}
                if points:
                    axes.plot(*zip(*points, strict=True), color=_OURS, label=name, **style)
                points = _theirs(group.dataset, stream, metric)
                if points:
                    label = f"{name}, published"
                    axes.plot(*zip(*points, strict=True), color=_PAPER, label=label, **style)
            axes.set_xlabel("bits per pixel")
            axes.set_ylabel(_METRICS[metric])
            axes.grid(color="#dddddd", linewidth=0.6)
            axes.spines[["top", "right"]].set_visible(False)
        panels[0][0].legend(frameon=False, loc="lower right")
        note = measured_on(group).split(". ")[0]
        title = [f"Rate–distortion on {SETS[group.dataset]}"]
        title += textwrap.wrap(note, _LETTERS * len(metrics))
        figure.suptitle("\n".join(title), fontsize=10)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
    finally:
        plt.close(figure)


def _ours(rows: Sequence[Row], stream: str, metric: str) -> list[tuple[float, float]]:
    points = [(row.mean("bpp", stream), row.mean(metric)) for row in rows]
    return [(rate, value) for rate, value in points if rate is not None and value is not None]


def _theirs(dataset: str, stream: str, metric: str) -> list[tuple[float, float]]:
    fields = {"plain": "bpp", "bits-back": "bits_back"}
    if stream not in fields:
        return []
    known = published.RATE_DISTORTION.get(dataset, ())
    return [(getattr(p, fields[stream]), getattr(p, metric)) for p in known]
