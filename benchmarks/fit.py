"""PSNR and time of fits with a given number of Gaussians.

Usage: python benchmarks/fit.py --images FOLDER [-n 3000 9000] [--iterations 500]

Nothing is quantized. The optimizer's PSNR is that of the float picture before values outside of
0..1 are clamped. The PSNR of the clamped picture is a little higher; the JSON has both.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from lib.harness import environment, print_environment, print_table, timing, write_json
from lib.pictures import Sample, find_pictures

import gaussianimage
from gaussianimage.metrics import psnr

HERE = Path(__file__).resolve().parent


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fit Gaussians to pictures: dB and seconds.")
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("-n", type=int, nargs="+", default=[3000, 9000], help="(3000 9000)")
    parser.add_argument("--iterations", type=int, default=500, help="of the optimizer (500)")
    parser.add_argument("--threads", type=int, default=2, help="(2)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=HERE / "results/fit.json")
    return parser.parse_args()


def measure(picture: Sample, count: int, arguments: argparse.Namespace) -> dict[str, Any]:
    start = time.perf_counter()
    result = gaussianimage.fit(
        picture.pixels,
        count,
        iterations=arguments.iterations,
        threads=arguments.threads,
        seed=arguments.seed,
    )
    seconds = time.perf_counter() - start
    shown = np.clip(gaussianimage.render(result.gaussians), 0, 1)
    return {
        "picture": picture.name,
        "asked_for": count,
        "gaussians": len(result.gaussians),
        "psnr": result.psnr,
        "psnr_clamped": psnr(picture.pixels, shown),
        "seconds": seconds,
    }


def summary(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Return the summary of all runs with one number of Gaussians."""
    decibels = [run["psnr"] for run in runs]
    seconds = [run["seconds"] for run in runs]
    spread = timing(seconds)
    return {
        "mean_psnr": float(np.mean(decibels)),
        "mean_psnr_clamped": float(np.mean([run["psnr_clamped"] for run in runs])),
        "mean_seconds": float(np.mean(seconds)),
        "median_seconds": spread.median,
        "seconds_iqr": spread.iqr,
        "most_seconds": max(seconds),
    }


def print_results(pictures: list[Sample], runs: list[dict[str, Any]], counts: list[int]) -> None:
    by_place = {(run["picture"], run["asked_for"]): run for run in runs}
    header = ["picture"]
    for count in counts:
        header += [f"N={count}: dB", "s"]
    rows = []
    for picture in pictures:
        cells = [by_place[picture.name, count] for count in counts]
        rows.append(
            [picture.name, *(f"{c[key]:.2f}" for c in cells for key in ("psnr", "seconds"))]
        )
    means = [summary([r for r in runs if r["asked_for"] == count]) for count in counts]
    keys = ("mean_psnr", "mean_seconds")
    rows.append(["mean", *(f"{mean[key]:.2f}" for mean in means for key in keys)])
    print_table(header, rows)


def main() -> None:
    arguments = parse_arguments()
    pictures = find_pictures(arguments.images)
    counts = list(dict.fromkeys(arguments.n))
    report = environment(threads=[arguments.threads])
    # The first picture's time must not include imports, the thread pool's start and a slow CPU
    # clock.
    gaussianimage.fit(pictures[0].pixels, 100, iterations=10, threads=arguments.threads)
    runs = []
    for count in counts:
        for picture in pictures:
            runs.append(measure(picture, count, arguments))
            run = runs[-1]
            line = f"{picture.name}, N={count}: {run['psnr']:.2f} dB, {run['seconds']:.1f} s"
            print(line, file=sys.stderr)
    print_environment(report)
    print(f"\n{arguments.iterations} iterations, {arguments.threads} threads\n")
    print_results(pictures, runs, counts)
    write_json(
        arguments.output,
        {
            "benchmark": "fit",
            "environment": report,
            "settings": {
                "iterations": arguments.iterations,
                "threads": arguments.threads,
                "seed": arguments.seed,
            },
            "runs": runs,
            "summary": {
                str(count): summary([r for r in runs if r["asked_for"] == count])
                for count in counts
            },
        },
    )
    print(f"\nWritten to {arguments.output}")


if __name__ == "__main__":
    main()
