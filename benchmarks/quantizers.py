"""The GaussianImage paper's quantizers of color, at a size that takes a CPU minutes.

Usage: python benchmarks/quantizers.py --images FOLDER [--crop 384x256] [-n 250 750 2250]

Table 4 of the paper compares residual vector quantization with and without commitment loss, and
integers of 6 and 8 bits for each channel. Here they are compared at equal rate and at equal quality
over several N. A crop from the middle of every picture is fitted once for each N and fine-tuned
with each quantizer. A crop of 384 x 256 has the paper's number of Gaussians per pixel with a fourth
of the paper's N. Rates are those of the Gaussians alone: codebooks and steps take the same bits at
every N.

The output keeps each result as soon as it is there, and a second call continues where the first
stopped.
"""

import argparse
import copy
import itertools
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from lib.harness import environment, print_environment, print_table, write_json
from lib.pictures import Bytes, Sample, find_pictures, middle

from gaussianimage.metrics.bd_rate import bd_psnr, bd_rate
from gaussianimage.paper.fine_tuning import fine_tune
from gaussianimage.paper.quantized_model import VARIANTS
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.tables import published
from gaussianimage.paper.training import train
from gaussianimage.torch.models.sum import CholeskyModel

HERE = Path(__file__).resolve().parent
FLOAT = "not quantized"


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The paper's quantizers of color.")
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--crop", type=size, default=(384, 256), help="width x height (384x256)")
    parser.add_argument("-n", type=int, nargs="+", default=[250, 750, 2250], help="at least two")
    parser.add_argument("--iterations", type=int, default=3000, help="of the fit (3000)")
    parser.add_argument("--fine-tuning", type=int, default=2000, help="iterations (2000)")
    parser.add_argument("--learning-rate", type=float, default=0.01, help="of the fit (0.01)")
    parser.add_argument("--fine-tuning-rate", type=float, default=0.005, help="(0.005)")
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    parser.add_argument("--output", type=Path, default=HERE / "results/quantizers.json")
    return parser.parse_args(arguments)


def size(text: str) -> tuple[int, int]:
    """Parse a text like 192x128 as width and height."""
    width, height = map(int, text.split("x"))
    if min(width, height) < 1:
        raise ValueError(f"expected sides from 1, got {text}")
    return width, height


def measure(pixels: Bytes, count: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Fit a picture and fine-tune it with every quantizer: dB, and bits for each Gaussian."""
    target = torch.tensor(pixels, dtype=torch.float32) / 255
    fit = Recipe().shortened(arguments.iterations, learning_rate=arguments.learning_rate)
    tuning = Recipe().shortened(arguments.fine_tuning, learning_rate=arguments.fine_tuning_rate)
    model = CholeskyModel.random(count, *target.shape[:2])
    found: dict[str, Any] = {"psnr": {FLOAT: train(model, target, fit).psnr}, "bits": {}}
    for name, settings in VARIANTS.items():
        tuned = fine_tune(copy.deepcopy(model), target, tuning, settings)
        found["psnr"][name] = tuned.psnr
        found["bits"][name] = sum(tuned.record.widths)
    return found


def run(
    pictures: Sequence[Sample], arguments: argparse.Namespace, report: dict[str, Any]
) -> list[dict[str, Any]]:
    """Measure the runs without a result, and write each result as soon as it is there."""
    names = ("iterations", "fine_tuning", "learning_rate", "fine_tuning_rate")
    settings = {name: getattr(arguments, name) for name in names} | {"crop": list(arguments.crop)}
    kept: list[dict[str, Any]] = []
    if arguments.output.exists() and not arguments.fresh:
        kept = json.loads(arguments.output.read_text())["runs"]
    found = []
    for picture in pictures:
        for count in sorted(arguments.n):
            task = settings | {"picture": picture.name, "digest": picture.digest, "n": count}
            if not any(task.items() <= done.items() for done in kept):
                crop = middle(picture.pixels, arguments.crop)
                kept.append(task | measure(crop, count, arguments))
                results = {"benchmark": "quantizers", "environment": report, "runs": kept}
                write_json(arguments.output, results)
                decibels = ", ".join(f"{k} {v:.2f}" for k, v in kept[-1]["psnr"].items())
                print(f"{picture.name}, N={count}: {decibels} dB", file=sys.stderr)
            found.append(next(done for done in kept if task.items() <= done.items()))
    return found


def compare(runs: Sequence[dict[str, Any]], variant: str) -> tuple[list[float], list[float]]:
    """Return BD-PSNR in dB and BD-rate in % of a quantizer against the final one, by picture.

    The BD-rate of curves without a quality in common is NaN. Both are NaN for a picture where a
    curve falls: a quantizer with more Gaussians may end below one with fewer in a short run.
    """
    gains, rates = [], []
    for picture in dict.fromkeys(run["picture"] for run in runs):
        own = [run for run in runs if run["picture"] == picture]
        curves = []
        for name in ("final", variant):
            curves += [[r["n"] * r["bits"][name] for r in own], [r["psnr"][name] for r in own]]
        if falls(curves[0], curves[1]) or falls(curves[2], curves[3]):
            gains.append(math.nan)
            rates.append(math.nan)
            continue
        gains.append(bd_psnr(*curves))
        apart = min(curves[1]) >= max(curves[3]) or min(curves[3]) >= max(curves[1])
        rates.append(math.nan if apart else bd_rate(*curves))
    return gains, rates


def falls(rates: Sequence[float], qualities: Sequence[float]) -> bool:
    """Whether a quality does not rise with the rate everywhere."""
    ordered = [quality for _, quality in sorted(zip(rates, qualities, strict=True))]
    return any(after <= before for before, after in itertools.pairwise(ordered))


def known(values: Sequence[float]) -> list[float]:
    """Return the values that are not NaN; a NaN alone if there are none."""
    return [value for value in values if not math.isnan(value)] or [math.nan]


def or_none(values: Sequence[float]) -> list[float | None]:
    """Return the values with None, which JSON has, for NaN."""
    return [None if math.isnan(value) else value for value in values]


def judge(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each quantizer whether the final one is better at equal rate, as in the paper.

    The verdict is None where a curve falls in every picture, so that none is left to compare.
    """
    verdicts = []
    for name, theirs in zip(VARIANTS, published.QUANTIZATION, strict=True):
        if name != "final":
            gains, rates = compare(runs, name)
            gain = mean(known(gains))
            verdicts.append(
                {
                    "claim": f"final over {theirs.variant}",
                    "holds": None if math.isnan(gain) else gain < 0,
                    "bd_psnr": or_none(gains),
                    "bd_rate": or_none(rates),
                }
            )
    return verdicts


def print_results(runs: Sequence[dict[str, Any]]) -> None:
    counts = sorted({run["n"] for run in runs})
    header = ["color", "bits", *(f"N={count}: dB" for count in counts)]
    header += ["BD-PSNR", "from", "to", "BD-rate", "paper: BD-PSNR", "BD-rate"]
    reported = dict(zip(VARIANTS, published.QUANTIZATION, strict=True))
    rows = []
    for name in (FLOAT, *VARIANTS):
        decibels = [mean(r["psnr"][name] for r in runs if r["n"] == count) for count in counts]
        row = [name, "", *(f"{value:.2f}" for value in decibels)]
        if name in VARIANTS:
            theirs = reported[name]
            row[0], row[1] = theirs.variant, str(runs[0]["bits"][name])
            gains, rates = compare(runs, name)
            some = known(gains)
            told = (mean(some), min(some), max(some))
            row += ["" if math.isnan(gain) else f"{gain:+.2f}" for gain in told]
            row.append("" if math.isnan(mean(rates)) else f"{mean(rates):+.0f} %")
            row += [f"{theirs.bd_psnr:+.2f}", f"{theirs.bd_rate_psnr:+.0f} %"]
        else:
            row += [""] * 6
        rows.append(row)
    print_table(header, rows)


def describe(verdict: dict[str, Any]) -> str:
    """Return a verdict of `judge` as a line."""
    claim = f"{verdict['claim']}, at equal rate"
    gains = [gain for gain in verdict["bd_psnr"] if gain is not None]
    left = len(verdict["bd_psnr"]) - len(gains)
    if verdict["holds"] is None:
        return f"{claim}: no verdict, because a curve falls in {left} of {left} pictures"
    line = f"{claim}: {'holds' if verdict['holds'] else 'DOES NOT HOLD'}, "
    line += f"{sum(gain < 0 for gain in gains)} of {len(gains)} pictures"
    return line + (f"; {left} left out, where a curve falls" if left else "")


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)
    if len(set(arguments.n)) < 2:
        raise SystemExit("-n: expected at least two numbers, for a curve")
    pictures = find_pictures(arguments.images)
    report = environment(threads=[1]) | {"torch": torch.__version__}
    runs = run(pictures, arguments, report)
    print_environment(report)
    print(
        f"\n{len(pictures)} pictures, crops of {arguments.crop[0]} x {arguments.crop[1]}, "
        f"{arguments.iterations} + {arguments.fine_tuning} iterations; bits for each Gaussian\n"
    )
    print_results(runs)
    verdicts = judge(runs)
    print()
    for verdict in verdicts:
        print(describe(verdict))
    everything = json.loads(arguments.output.read_text())
    write_json(arguments.output, everything | {"claims": verdicts})
    print(f"\nWritten to {arguments.output}")


if __name__ == "__main__":
    main()
