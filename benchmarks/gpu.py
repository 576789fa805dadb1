"""The paper's model on an NVIDIA GPU: times, frames a second, memory, and runs of its recipe.

Usage: python benchmarks/gpu.py [--images FOLDER] [--quick]

The first part times forward, backward and a whole training iteration on one picture at two sizes,
for every number of Gaussians and by the GPU's own clock, once pixels and gradient have been checked
against the CPU. A plain loop, and gsplat where it is installed, draw the same Gaussians. The second
part fits some pictures by the paper's recipe, 50,000 iterations each, beside its Table 1.
Everything is printed, and written as JSON and Markdown. --quick takes a minute or two and shows
that everything runs; its figures mean little.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lib.gpu_rivals import RIVALS
from lib.harness import environment, write_json
from lib.pictures import find_pictures
from lib.scene_cost import ROUNDS, Cost, EventClock, measure
from PIL import Image
from torch import Tensor

from gaussianimage._util.files import write_atomic
from gaussianimage.paper.datasets import Dataset, find_dataset
from gaussianimage.paper.environment import parse_device
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.represent import Job, represent
from gaussianimage.paper.results import Record, Results
from gaussianimage.paper.settings import FitSettings
from gaussianimage.paper.tables.make import make_tables
from gaussianimage.paper.tables.published import REPRESENTATIONS
from gaussianimage.paper.tables.text import Table

HERE = Path(__file__).resolve().parent
SIZES = ((512, 768), (1356, 2040))  # height and width of Kodak's and DIV2K's pictures
COUNTS = (1000, 3000, 10_000, 30_000, 70_000)
FITS = (9000, 70_000)
# The aims on a current GPU: frames a second at a number of Gaussians, seconds of a fit.
AIMED_FPS, AIMED_COUNT, AIMED_SECONDS = 20_000, 10_000, 15


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Times and whole runs on an NVIDIA GPU.")
    parser.add_argument(
        "--images",
        type=Path,
        nargs="+",
        default=[HERE.parent / "examples/pictures"],
        metavar="FOLDER",
        help="(examples/pictures; the paper has the Kodak set)",
    )
    parser.add_argument("--pictures", type=int, default=3, help="of them to fit, by name (3)")
    parser.add_argument("-n", type=int, nargs="+", help="Gaussians to time (1000 ... 70000)")
    parser.add_argument("--fits", type=int, nargs="*", help="Gaussians to fit (9000 70000)")
    parser.add_argument("--iterations", type=int, help="of a fit (50000)")
    parser.add_argument("--frames", type=int, help="in a row, for one time (500)")
    parser.add_argument("--warmup", type=int, help="iterations before anything is timed (2000)")
    parser.add_argument("--device", default="cuda", help="cuda or cuda:1 ... (cuda)")
    parser.add_argument("--quick", action="store_true", help="small numbers of everything")
    parser.add_argument("--output", type=Path, default=HERE / "results/gpu", metavar="FOLDER")
    found = parser.parse_args(arguments)
    defaults: dict[str, Any] = {"n": COUNTS, "fits": FITS, "iterations": 50_000}
    defaults |= {"frames": 500, "warmup": 2000}
    if found.quick:
        defaults = {"n": (1000, 10_000), "fits": (1000,), "iterations": 500}
        defaults |= {"frames": 20, "warmup": 50}
        found.pictures = min(found.pictures, 1)
    for name, value in defaults.items():
        if getattr(found, name) is None:
            setattr(found, name, value)
    return found


def require_gpu(name: str) -> torch.device:
    """Return the GPU of a name; without one, exit with a line that says why."""
    try:
        device = parse_device(name)
    except ValueError as error:
        raise SystemExit(f"benchmarks/gpu.py: {error}") from None
    if device.type != "cuda":
        raise SystemExit(f"benchmarks/gpu.py: device: expected cuda, got {name}")
    return device


def resized(pixels: np.ndarray[Any, Any], size: tuple[int, int], device: torch.device) -> Tensor:
    """Return a picture at another size, (H, W, 3), from 0 to 1."""
    picture = Image.fromarray(pixels).resize(size[::-1], Image.Resampling.LANCZOS)
    return torch.tensor(np.asarray(picture), device=device, dtype=torch.float32) / 255


def times_table(costs: Sequence[Cost]) -> Table:
    """Return a row for every size and number of Gaussians."""
    header = ("width x height, N", "dB", "forward ms", "backward ms", "iteration ms")
    header += ("50,000 iterations s", "FPS", "FPS, plain calls", "MiB")
    rows = []
    for cost in costs:
        milliseconds = (cost.forward, cost.backward, cost.iteration)
        memory = "–" if cost.memory_mib is None else f"{cost.memory_mib:.0f}"
        rows.append(
            (
                f"{cost.width} x {cost.height}, {cost.gaussians}",
                f"{cost.psnr:.2f}",
                *(f"{1000 * value:.3f}" for value in milliseconds),
                f"{50_000 * cost.iteration:.1f}",
                f"{cost.fps:.0f}",
                f"{cost.plain_fps:.0f}",
                memory,
            )
        )
    note = (
        f"Medians of {ROUNDS} rounds by CUDA events, each with a wait at its end; recorded as CUDA "
        "graphs but for the plain calls, each of which is waited for. Backward: what the gradient "
        "adds to the picture. MiB: peak while training, reserved by PyTorch."
    )
    return Table("Times", header, tuple(rows), note)


def drawings_table(costs: Sequence[Cost]) -> Table:
    """Return a row for every way to draw every scene."""
    header = ("width x height, N", "drawn by", "RMS from the CPU's", "ms", "FPS", "not timed")
    rows = []
    for cost in costs:
        for one in cost.drawings:
            timed = one.seconds is not None
            rows.append(
                (
                    f"{cost.width} x {cost.height}, {cost.gaussians}",
                    one.name,
                    "–" if one.difference is None else f"{one.difference:.1e}",
                    f"{1000 * one.seconds:.3f}" if timed else "–",
                    f"{1 / one.seconds:.0f}" if timed else "–",
                    one.reason,
                )
            )
    note = (
        "The same Gaussians by plain calls in a row, without a CUDA graph. The plain loop has no "
        "lists: every pixel looks at every Gaussian. gsplat from PyPI blends and does not add up; "
        "it stops early where Gaussians hide what is behind them."
    )
    return Table("Ways to draw", header, tuple(rows), note)


def verdict(costs: Sequence[Cost], records: Sequence[Record]) -> str:
    """Compare the figures with the aims and with the paper."""
    aimed = (*SIZES[0], AIMED_COUNT)
    lines = [
        f"Forward at N={AIMED_COUNT}, 768 x 512: {cost.fps:.0f} FPS; aimed at: {AIMED_FPS} or more."
        for cost in costs
        if (cost.height, cost.width, cost.gaussians) == aimed
    ]
    seconds = [r.measured["seconds"] for r in records if r.measured["iterations"] == 50_000]
    if seconds:
        lines.append(
            f"50,000 iterations: {min(seconds):.1f} to {max(seconds):.1f} s; "
            f"aimed at: {AIMED_SECONDS} or less."
        )
    ours = next(row for row in REPRESENTATIONS["kodak"] if row.method == "Ours")
    lines.append(
        f"The paper, Kodak, N=70000, V100: {ours.psnr} dB, {ours.seconds} s, {ours.fps} FPS "
        f"(without waiting), {ours.memory_mib} MiB."
    )
    return "\n".join(f"- {line}" for line in lines) + "\n"


def fit_all(
    dataset: Dataset,
    arguments: argparse.Namespace,
    keep: Callable[[Sequence[Record]], object] = list,
) -> list[Record]:
    """Fit pictures by the paper's recipe; results of an earlier run are not measured again.

    `keep` is called with all results so far whenever there is one more.
    """
    results = Results(arguments.output / "fits")
    recipe = Recipe().shortened(arguments.iterations)
    records = []
    for count in arguments.fits:
        for sample in dataset.samples:
            settings = FitSettings(count, recipe=recipe, device=arguments.device)
            record = represent(Job(sample, dataset, results), settings)
            figures = record.measured
            print(
                f"{sample.name}, N={count}: {figures['psnr']:.2f} dB, {figures['seconds']:.1f} s",
                file=sys.stderr,
            )
            records.append(record)
            keep(records)
    return records


def write(
    arguments: argparse.Namespace,
    report: dict[str, Any],
    costs: Sequence[Cost],
    records: Sequence[Record],
) -> str:
    """Write everything into the output folder, and return the Markdown."""
    names = {"cuda": "CUDA", "torch": "PyTorch", "triton": "Triton", "commit": "gaussianimage"}
    machine = ", ".join([report["gpu"], *(f"{names[key]} {report[key]}" for key in names)])
    sections = [f"# On a GPU\n\n{machine}\n"]
    sections += [table.markdown() for table in (times_table(costs), drawings_table(costs))]
    sections += [table.markdown() for table in make_tables(records)]
    sections.append(f"## Aims\n\n{verdict(costs, records)}")
    text = "\n".join(sections)
    settings = {k: v for k, v in vars(arguments).items() if k not in ("images", "output")}
    results = {"benchmark": "gpu", "environment": report, "settings": settings}
    results["times"] = [
        asdict(cost) | {"backward": cost.backward, "fps": cost.fps} for cost in costs
    ]
    results["fits"] = [asdict(record) for record in records]
    write_json(arguments.output / "gpu.json", results)
    write_atomic(arguments.output / "gpu.md", text.encode())
    return text


def describe(device: torch.device) -> dict[str, Any]:
    import triton

    return environment(threads=[torch.get_num_threads()]) | {
        "torch": torch.__version__,
        "triton": triton.__version__,
        "cuda": torch.version.cuda,
        "gpu": torch.cuda.get_device_name(device),
    }


def main() -> None:
    arguments = parse_arguments()
    device = require_gpu(arguments.device)
    report = describe(device)
    pixels = find_pictures(arguments.images)[0].pixels
    clock = EventClock(device)
    costs = []
    for size in SIZES[: 1 if arguments.quick else None]:
        target = resized(pixels, size, device)
        for count in arguments.n:
            how = arguments.warmup, arguments.frames, clock, RIVALS
            try:
                costs.append(measure(target, count, *how))
            except ArithmeticError as error:
                raise SystemExit(f"benchmarks/gpu.py: N={count}: {error}") from None
            print(f"{size[1]} x {size[0]}, N={count}: {costs[-1].fps:.0f} FPS", file=sys.stderr)
            # An interruption loses only the current figure.
            write(arguments, report, costs, [])
    paths = [sample.path for sample in find_pictures(arguments.images)[: arguments.pictures]]
    keep = partial(write, arguments, report, costs)
    print(keep(fit_all(find_dataset(paths), arguments, keep)))
    print(f"Written to {arguments.output}/gpu.json and gpu.md")


if __name__ == "__main__":
    main()
