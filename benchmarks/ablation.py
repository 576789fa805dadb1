"""The GaussianImage paper's ablations, at a size and length that take a CPU minutes.

Usage: python benchmarks/ablation.py --images FOLDER [--scale 4] [-n 1500] [--iterations 1000]

The ablations are losses, α-blending against summation, separate against merged opacity, Cholesky
factors against scales and rotation, and the offset of ½ px, each beside the paper's figure. The
paper has 30,000 Gaussians on 768 x 512 pixels, 50,000 iterations at a rate of 0.001, and means over
24 pictures. Compare the differences from the paper's own choice, on the same pictures.

The output keeps each run as soon as it ends, and a second call continues where the first stopped.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch
from lib.harness import environment, print_environment, print_table, write_json
from lib.measure import MS_SSIM_SIDE
from lib.pictures import Sample, find_pictures
from PIL import Image

from gaussianimage.metrics import ms_ssim
from gaussianimage.paper.models import MODELS
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.settings import FitSettings
from gaussianimage.paper.tables import published
from gaussianimage.paper.training import train

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Variant:
    """A model, loss and offset to compare."""

    model: str = "cholesky"
    loss: str = "l2"
    offset: bool = True


@dataclass(frozen=True)
class Row:
    """A row of a table: the paper's name of a variant, and its figure."""

    name: str
    variant: Variant
    psnr: float  # dB, the paper's


FINAL = Variant()
OFFSET_NAMES = {"cholesky": "Cholesky", "rs": "scale-rotation"}
TABLES = {
    "Table 3: from 3D splatting to GaussianImage": [
        Row(row.variant, Variant(row.model, row.loss), row.psnr) for row in published.COMPONENTS
    ],
    "Table 3: losses": [
        Row(row.variant, Variant(row.model, row.loss), row.psnr) for row in published.LOSSES
    ],
    "Table 5: offset of ½ px": [
        Row(
            f"{OFFSET_NAMES[row.model]}, {'with' if row.offset else 'without'}",
            Variant(row.model, offset=row.offset),
            row.kodak,
        )
        for row in published.INITIALIZATION
    ],
}

# The paper's claims: the first variant is better than the second.
CLAIMS = [
    *(
        (f"L2 over {row.variant}", FINAL, Variant(row.model, row.loss))
        for row in published.LOSSES
        if row.loss != "l2"
    ),
    *(
        (f"alpha-blending over {row.variant}", Variant("alpha"), Variant(row.model, row.loss))
        for row in published.COMPONENTS
        if row.model == "3dgs"
    ),
    ("summation over alpha-blending", Variant("opacity"), Variant("alpha")),
    ("scale-rotation over Cholesky", Variant("rs"), FINAL),
    ("offset over none, Cholesky", FINAL, replace(FINAL, offset=False)),
    ("offset over none, scale-rotation", Variant("rs"), Variant("rs", offset=False)),
]


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The ablations of the GaussianImage paper.")
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--scale", type=int, default=4, help="divide both sides by this (4)")
    parser.add_argument("-n", type=int, default=1500, help="Gaussians (1500)")
    parser.add_argument("--iterations", type=int, default=1000, help="(1000)")
    parser.add_argument(
        "--learning-rate", type=float, default=0.01, help="halved after each 2/5 of a run (0.01)"
    )
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=list(MODELS), help="(all; 3dgs is slow)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="(1)")
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    parser.add_argument("--output", type=Path, default=HERE / "results/ablation.json")
    return parser.parse_args(arguments)


def variants(models: Sequence[str]) -> list[Variant]:
    """Return all variants of some models, each once and the quick ones first."""
    found = dict.fromkeys(
        row.variant for rows in TABLES.values() for row in rows if row.variant.model in models
    )
    return sorted(found, key=lambda v: (v.model == "3dgs", v.model == "alpha", "ssim" in v.loss))


def load_pixels(picture: Sample, scale: int) -> torch.Tensor:
    """Return the pixels (H, W, 3) of a picture, averaged over squares of `scale` pixels a side."""
    pixels = picture.pixels
    height, width = (side // scale * scale for side in pixels.shape[:2])
    reduced = Image.fromarray(pixels[:height, :width]).reduce(scale)
    return torch.tensor(np.asarray(reduced), dtype=torch.float32) / 255


def measure(
    variant: Variant, target: torch.Tensor, arguments: argparse.Namespace
) -> dict[str, Any]:
    recipe = replace(Recipe(), loss=variant.loss, seed=arguments.seed).shortened(
        arguments.iterations, learning_rate=arguments.learning_rate
    )
    settings = FitSettings(
        arguments.n,
        model=variant.model,
        recipe=recipe,
        offset=variant.offset,
        # In this few iterations, the paper's start from a cube would not fill the picture.
        fill=variant.model == "3dgs",
    )
    model = settings.make_model(*target.shape[:2])
    began = time.process_time()
    result = train(model, target, recipe)
    seconds = time.process_time() - began
    with torch.no_grad():
        image = model().clamp(0, 1).numpy()
    enough = min(target.shape[:2]) >= MS_SSIM_SIDE
    return {
        "psnr": result.psnr,
        "ms_ssim": ms_ssim(image, target.numpy()) if enough else None,
        "cpu_seconds": seconds,
        "parameters_per_gaussian": sum(p.numel() for p in model.parameters()) // arguments.n,
    }


def run(
    pictures: Sequence[Sample], arguments: argparse.Namespace, report: dict[str, Any]
) -> list[dict[str, Any]]:
    """Measure the variants without a result, and write each result as soon as it is there."""
    settings = {
        name: getattr(arguments, name)
        for name in ("scale", "n", "iterations", "learning_rate", "seed", "threads")
    }
    kept: list[dict[str, Any]] = []
    if arguments.output.exists() and not arguments.fresh:
        kept = json.loads(arguments.output.read_text())["runs"]
    wanted = [
        settings | asdict(variant) | {"picture": picture.name, "digest": picture.digest}
        for variant in variants([FINAL.model, *arguments.models])
        for picture in pictures
    ]
    by_name = {picture.name: picture for picture in pictures}
    began = time.perf_counter()
    for number, task in enumerate(wanted, 1):
        if any(task.items() <= done.items() for done in kept):
            continue
        variant = Variant(task["model"], task["loss"], task["offset"])
        measured = measure(
            variant, load_pixels(by_name[task["picture"]], arguments.scale), arguments
        )
        kept.append(task | measured)
        # The file keeps results of other settings too.
        write_json(arguments.output, {"benchmark": "ablation", "environment": report, "runs": kept})
        print(
            f"[{number}/{len(wanted)}] {task['picture']}, {variant.model} {variant.loss}"
            f"{'' if variant.offset else ' without offset'}: {measured['psnr']:.2f} dB, "
            f"{measured['cpu_seconds']:.1f} s ({time.perf_counter() - began:.0f} s in all)",
            file=sys.stderr,
        )
    return [next(done for done in kept if task.items() <= done.items()) for task in wanted]


def by_variant(runs: Sequence[dict[str, Any]]) -> dict[Variant, list[dict[str, Any]]]:
    """Return the runs of each variant, in the order of the pictures."""
    found: dict[Variant, list[dict[str, Any]]] = {}
    for done in runs:
        variant = Variant(done["model"], done["loss"], done["offset"])
        found.setdefault(variant, []).append(done)
    return found


def gains(better: Sequence[dict[str, Any]], than: Sequence[dict[str, Any]]) -> list[float]:
    """Return the differences between two variants in dB, picture by picture."""
    return [a["psnr"] - b["psnr"] for a, b in zip(better, than, strict=True)]


def print_tables(results: dict[Variant, list[dict[str, Any]]]) -> None:
    with_ms_ssim = all(done["ms_ssim"] is not None for runs in results.values() for done in runs)
    final = next(row.psnr for rows in TABLES.values() for row in rows if row.variant == FINAL)
    for title, rows in TABLES.items():
        print(f"\n{title}\n")
        header = ["", "paper: dB", "difference", "here: dB", "difference", "from", "to"]
        header += ["MS-SSIM"] * with_ms_ssim + ["CPU s", "parameters"]
        lines = []
        for row in rows:
            if row.variant not in results:
                continue
            runs = results[row.variant]
            differences = gains(runs, results[FINAL])
            line = [row.name, f"{row.psnr:.2f}", f"{row.psnr - final:+.2f}"]
            line += [f"{mean(r['psnr'] for r in runs):.2f}"]
            line += [f"{d:+.2f}" for d in (mean(differences), min(differences), max(differences))]
            if with_ms_ssim:
                line.append(f"{mean(r['ms_ssim'] for r in runs):.4f}")
            line.append(f"{median(r['cpu_seconds'] for r in runs):.1f}")
            line.append(str(runs[0]["parameters_per_gaussian"]))
            lines.append(line)
        print_table(header, lines)


def judge(results: dict[Variant, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return for each claim whether it holds in the mean, and for how many pictures."""
    verdicts = []
    for name, better, worse in CLAIMS:
        if better not in results or worse not in results:
            continue
        differences = gains(results[better], results[worse])
        verdicts.append(
            {
                "claim": name,
                "holds": mean(differences) > 0,
                "mean_gain": mean(differences),
                "pictures": sum(difference > 0 for difference in differences),
                "of": len(differences),
            }
        )
    return verdicts


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    pictures = find_pictures(arguments.images)
    report = environment(threads=[arguments.threads]) | {"torch": torch.__version__}
    runs = run(pictures, arguments, report)
    results = by_variant(runs)
    print_environment(report)
    print(
        f"\n{len(pictures)} pictures at 1/{arguments.scale} of their size, "
        f"{arguments.n} Gaussians, {arguments.iterations} iterations from a rate of "
        f"{arguments.learning_rate:g}; differences are from the paper's choice (Cholesky, L2)"
    )
    print_tables(results)
    verdicts = judge(results)
    print()
    for verdict in verdicts:
        print(
            f"{verdict['claim']}: {'holds' if verdict['holds'] else 'DOES NOT HOLD'}, "
            f"{verdict['mean_gain']:+.2f} dB, {verdict['pictures']} of {verdict['of']} pictures"
        )
    everything = json.loads(arguments.output.read_text())
    write_json(arguments.output, everything | {"claims": verdicts})
    print(f"\nWritten to {arguments.output}")


if __name__ == "__main__":
    main()
