"""`gaussianimage.fit` against the GaussianImage paper's recipe: equal N, equal time, the same CPU.

Usage: python benchmarks/fit_vs_paper.py --images FOLDER [-n 5000] [--seconds 5 10 30 100]

Three contestants fit every picture with kernels of the same engine, one after the other on a single
thread:

- ours: `fit`, a run for each time, with as many iterations as end within it;
- shortened: the paper's model, optimizer and schedule, a run for each time, with as many iterations
  as end within it. The rate is higher by the factor by which the iterations are fewer than 50,000,
  but at most --rate, above which short runs get worse;
- paper: the published recipe, 50,000 iterations at a rate of 0.001, stopped when the time is over.

Seconds are CPU time of the process, so other processes have no influence. PSNR is that of the
picture clamped to 0..1. The output keeps each result as soon as it is there, and a second call
continues where the first stopped.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from lib.harness import environment, print_environment, print_table, write_json
from lib.pictures import Bytes, Sample, find_pictures

import gaussianimage
from gaussianimage.metrics import psnr
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.training import TrainingPoint, train
from gaussianimage.torch import CholeskyModel

HERE = Path(__file__).resolve().parent

CONTESTANTS = {
    "ours": "gaussianimage.fit",
    "shortened": "paper's recipe, shortened",
    "paper": "paper's recipe",
}
# Okabe and Ito's colors, which people with any color vision tell apart.
STYLES = {"ours": ("#000000", "o"), "shortened": ("#0072B2", "s"), "paper": ("#D55E00", "")}

# A run aims at AIM of its time, so that noise seldom makes it late. A run that ends before LEAST of
# its time, because the guess of its pace was too low, is repeated.
AIM = 0.97
LEAST = 0.85
TRIES = 3
CURVE_POINTS = 60
PANELS = 4
PROBE = 30  # iterations that measure the pace


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Our fit against the paper's recipe.")
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("-n", type=int, default=5000, help="Gaussians (5000)")
    parser.add_argument("--seconds", type=float, nargs="+", default=[5, 10, 30, 100])
    parser.add_argument("--rate", type=float, default=0.1, help="at most, when shortened (0.1)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    parser.add_argument("--output", type=Path, default=HERE / "results/fit_vs_paper.json")
    parser.add_argument("--plot", type=Path, help="(the output with .png)")
    return parser.parse_args(arguments)


def fit_within(
    pixels: Bytes, seconds: float, pace: float, arguments: argparse.Namespace
) -> tuple[dict[str, float], float]:
    """Fit by `gaussianimage.fit` within `seconds`; return the result and the pace, iterations/s."""
    for _ in range(TRIES):
        began = time.process_time()
        result = gaussianimage.fit(
            pixels,
            arguments.n,
            iterations=max(1, round(AIM * seconds * pace)),
            seed=arguments.seed,
            threads=1,
        )
        took = time.process_time() - began
        pace = result.iterations / took
        if LEAST * seconds <= took <= seconds:
            break
    image = gaussianimage.render(result.gaussians, threads=1)
    quality = psnr(pixels, np.clip(image, 0, 1))
    return {"psnr": quality, "seconds": took, "iterations": result.iterations}, pace


def follow(
    target: torch.Tensor, recipe: Recipe, arguments: argparse.Namespace
) -> list[dict[str, float]]:
    """Train the paper's model; return its PSNR over the seconds of training, and at the end."""
    began = time.process_time()
    points: list[dict[str, float]] = []

    def note(point: TrainingPoint) -> None:
        seconds = time.process_time() - began
        points.append({"psnr": point.psnr, "seconds": seconds, "iterations": point.iteration})

    model = CholeskyModel.random(arguments.n, *target.shape[:2], seed=arguments.seed)
    result = train(model, target, recipe, progress=note)
    start = {"psnr": result.history[0].psnr, "seconds": 0.0, "iterations": 0}
    return [start, *points]


def at(points: Sequence[dict[str, float]], seconds: float) -> dict[str, float]:
    """Return the last point of a run within a time."""
    return [point for point in points if point["seconds"] <= seconds][-1]


def ours(picture: Sample, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the end of a run of `fit` for each time."""
    times = sorted(arguments.seconds)
    _, pace = fit_within(picture.pixels, times[0] / 5, 50, arguments)
    ends = []
    for seconds in times:
        end, pace = fit_within(picture.pixels, seconds, pace, arguments)
        ends.append(end)
    return {"ends": ends}


def paper(picture: Sample, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the points of the paper's run at each time, and its curve."""
    target, times = as_target(picture), sorted(arguments.seconds)
    whole = Recipe(seed=arguments.seed)
    points = follow(target, replace(whole, iterations=PROBE), arguments)
    # The first part of a run does not depend on its length.
    part = min(whole.iterations, max(1, round(1.05 * times[-1] * iterations_per_second(points))))
    points = follow(target, replace(whole, iterations=part), arguments)
    curve = [at(points, seconds) for seconds in np.geomspace(times[0], times[-1], CURVE_POINTS)]
    return {
        "ends": [at(points, seconds) for seconds in times],
        "curve": [[point["seconds"], point["psnr"]] for point in curve],
    }


def shortened(picture: Sample, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the end of a run of the shortened recipe for each time."""
    target, whole = as_target(picture), Recipe(seed=arguments.seed)
    way = whole.iterations * whole.learning_rate
    pace = iterations_per_second(
        follow(target, whole.shortened(PROBE, learning_rate=arguments.rate), arguments)
    )
    ends = []
    for seconds in sorted(arguments.seconds):
        iterations = max(1, round(AIM * seconds * pace))
        rate = min(arguments.rate, way / iterations)
        recipe = whole.shortened(iterations, learning_rate=rate)
        points = follow(target, recipe, arguments)
        pace = iterations_per_second(points)
        ends.append(at(points, seconds) | {"rate": rate})
    return {"ends": ends}


def as_target(picture: Sample) -> torch.Tensor:
    return torch.tensor(picture.pixels, dtype=torch.float32) / 255


def iterations_per_second(points: Sequence[dict[str, float]]) -> float:
    """Return the mean iterations per second of a run."""
    return points[-1]["iterations"] / points[-1]["seconds"]


def measure(
    pictures: Sequence[Sample], arguments: argparse.Namespace, results: dict[str, Any]
) -> list[dict[str, Any]]:
    """Measure the runs without a result, and write each result as soon as it is there."""
    runs: list[dict[str, Any]] = []
    if arguments.output.exists() and not arguments.fresh:
        before = json.loads(arguments.output.read_text())
        runs = before["runs"] if before["settings"] == results["settings"] else []
    found = []
    for picture in pictures:
        for name, contestant in (("ours", ours), ("shortened", shortened), ("paper", paper)):
            key = {"picture": picture.name, "digest": picture.digest, "contestant": name}
            if not any(key.items() <= run.items() for run in runs):
                runs.append(key | contestant(picture, arguments))
                write_json(arguments.output, results | {"runs": runs})
                decibels = ", ".join(f"{end['psnr']:.2f}" for end in runs[-1]["ends"])
                print(f"{picture.name}, {CONTESTANTS[name]}: {decibels} dB", file=sys.stderr)
            found.append(next(run for run in runs if key.items() <= run.items()))
    return found


def select_ends(runs: Sequence[dict[str, Any]], name: str) -> list[list[dict[str, float]]]:
    """Return the ends of a contestant's runs, picture by picture."""
    return [run["ends"] for run in runs if run["contestant"] == name]


def print_results(runs: Sequence[dict[str, Any]], times: Sequence[float]) -> None:
    header = ["dB (iterations) after"] + [f"{seconds:g} s" for seconds in times]
    rows: list[list[str]] = []
    for run in runs:
        cells = [f"{end['psnr']:.2f} ({end['iterations']})" for end in run["ends"]]
        rows.append([f"{run['picture']}, {CONTESTANTS[run['contestant']]}", *cells])
    for rival in ("shortened", "paper"):
        pairs = list(zip(select_ends(runs, "ours"), select_ends(runs, rival), strict=True))
        ahead = [
            mean(mine[place]["psnr"] - theirs[place]["psnr"] for mine, theirs in pairs)
            for place in range(len(times))
        ]
        label = f"mean: {CONTESTANTS['ours']} above {CONTESTANTS[rival]}"
        rows.append([label, *(f"{decibels:+.2f}" for decibels in ahead)])
    print_table(header, rows)


def draw(runs: Sequence[dict[str, Any]], times: Sequence[float], title: str, path: Path) -> None:
    """Draw the PSNR over time, a panel for each picture."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    shown = list(dict.fromkeys(run["picture"] for run in runs))[:PANELS]
    size = (1.2 + 3.8 * len(shown), 4.2)
    figure, panels = plt.subplots(
        1, len(shown), figsize=size, layout="constrained", squeeze=False, sharey=True
    )
    for axes, picture in zip(panels[0], shown, strict=True):
        for run in (run for run in runs if run["picture"] == picture):
            color, marker = STYLES[run["contestant"]]
            label = CONTESTANTS[run["contestant"]]
            ends = [(seconds, end["psnr"]) for seconds, end in zip(times, run["ends"], strict=True)]
            line = zip(*run.get("curve", ends), strict=True)
            axes.plot(*line, color=color, marker=marker, label=label, linewidth=1.8)
        axes.set_xscale("log")
        axes.set_xticks(times, [f"{seconds:g}" for seconds in times])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("seconds on one core")
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(picture, fontsize=11)
    panels[0][0].set_ylabel("PSNR (dB)")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title, fontsize=12)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)
    pictures = find_pictures(arguments.images)
    times = sorted(arguments.seconds)
    settings = {"seconds": times} | {
        name: getattr(arguments, name) for name in ("n", "seed", "rate")
    }
    report = environment(threads=[1]) | {"torch": torch.__version__}
    results = {"benchmark": "fit_vs_paper", "environment": report, "settings": settings}
    # The first picture's time must not include imports and first calls.
    gaussianimage.fit(pictures[0].pixels, 100, iterations=10, threads=1)
    train(CholeskyModel.random(100, 20, 20), torch.zeros(20, 20, 3), Recipe(iterations=10))
    runs = measure(pictures, arguments, results)
    print_environment(report)
    print(f"\n{arguments.n} Gaussians, one thread, seconds of CPU time\n")
    print_results(runs, times)
    if find_spec("matplotlib") is None:
        print("\nNo figure: matplotlib is not installed (pip install gaussianimage[bench]).")
    else:
        plot = arguments.plot or arguments.output.with_suffix(".png")
        sizes = {f"{p.pixels.shape[1]} × {p.pixels.shape[0]}" for p in pictures}
        draw(runs, times, f"{', '.join(sorted(sizes))} pixels, {arguments.n} Gaussians", plot)
    print(f"\nWritten to {arguments.output}")


if __name__ == "__main__":
    main()
