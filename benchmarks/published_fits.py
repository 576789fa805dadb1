"""`gaussianimage.fit` beside every published figure at equal numbers of Gaussians.

Usage: python benchmarks/published_fits.py --images kodak/ [--fits 5000 10000:3000] [--clamped]

Every picture is fitted with N Gaussians in 1000 iterations, or as many as stand behind N. PSNR and
MS-SSIM are of the picture clamped to 0..1, in floating point. Seconds are of the fit alone, by the
clock and of all CPUs; memory is the peak of a process that fits one picture, with Python and its
libraries. Published figures are means over the Kodak set, and their seconds are of GPUs.

`--clamped` lets the Gaussians exceed white and black, and cuts them at q = 5.5. Published fits do
both: they clamp the picture before the loss, and draw what is above 1/255.

Each result is kept as soon as it is there; the same command goes on where it was stopped.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from lib.harness import environment, print_environment, print_table, write_json
from lib.pictures import find_pictures

import gaussianimage
from gaussianimage.metrics import ms_ssim, psnr

HERE = Path(__file__).resolve().parent
STATUS = Path("/proc/self/status")

# How far a drawing may exceed the picture with `--clamped`, and its cut-off: ln 255 is 5.54.
CLAMPED = {"beyond": 1.0, "q_max": 5.5}

DEFAULT_FITS = ("5000", "10000:500", "10000:3000", "30000", "50000", "70000")


@dataclass(frozen=True)
class Published:
    """A publication's mean over the Kodak set."""

    gaussians: int
    method: str
    psnr: float  # dB
    ms_ssim: float | None = None
    seconds: float | None = None  # of training on the publication's machine


# SAD has no Gaussians but as many sites; all others are sums or blends of 2D Gaussians.
PUBLISHED = (
    Published(5000, "GaussianImage", 29.85),
    Published(5000, "GaussianImage++", 31.83),
    Published(10000, "GaussianImage", 32.48, 0.982),
    Published(10000, "LIG", 31.00, 0.975),
    Published(10000, "GaussianImage++", 35.41, 0.983),
    Published(10000, "LocoADC", 36.15),
    Published(30000, "GaussianImage", 38.57, 0.9961, 91.06),
    Published(30000, "Structure-Guided", 40.51),
    Published(50000, "Fast-2DGS", 43.13),
    Published(50000, "SAD (no Gaussians)", 46.0),
    Published(70000, "GaussianImage", 44.08, 0.9985, 106.59),
    Published(70000, "Structure-Guided", 45.40),
)


def parse_fit(text: str) -> tuple[int, int]:
    """Return N and the number of iterations of `N` or `N:ITERATIONS`."""
    count, _, iterations = text.partition(":")
    try:
        parsed = int(count), int(iterations or 1000)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected N or N:ITERATIONS, got {text!r}") from None
    if parsed[0] < 1 or parsed[1] < 0:
        raise argparse.ArgumentTypeError(f"expected N from 1 and iterations from 0, got {text!r}")
    return parsed


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Our fit beside every published figure.")
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument(
        "--fits",
        type=parse_fit,
        nargs="+",
        default=[parse_fit(text) for text in DEFAULT_FITS],
        metavar="N[:ITERATIONS]",
        help=f"({' '.join(DEFAULT_FITS)})",
    )
    parser.add_argument("--clamped", action="store_true", help="clamp before the loss")
    parser.add_argument("--threads", type=int, default=0, help="(all CPUs)")
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    parser.add_argument("--output", type=Path, default=HERE / "results/published_fits.json")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def measure(
    path: Path, gaussians: int, iterations: int, threads: int, *, clamped: bool = False
) -> dict[str, Any]:
    """Fit one picture in this process, and return quality, times and memory."""
    (sample,) = find_pictures([path])
    pixels = sample.pixels
    began, cpu = time.perf_counter(), time.process_time()
    result = gaussianimage.fit(
        pixels,
        gaussians,
        iterations=iterations,
        threads=threads or None,
        **(CLAMPED if clamped else {}),
    )
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    memory = peak_memory()
    image = np.clip(gaussianimage.render(result.gaussians), 0, 1)
    original = pixels.astype(np.float32) / 255
    return {
        "psnr": psnr(original, image),
        "ms_ssim": ms_ssim(original, image) if min(pixels.shape[:2]) > 160 else None,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "memory_mib": memory,
        "gaussians": len(result.gaussians),
    }


def peak_memory() -> float | None:
    """Return the peak memory of this process in MiB, or None if the system is not Linux."""
    if not STATUS.exists():
        return None
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def measure_apart(
    path: Path, gaussians: int, iterations: int, threads: int, *, clamped: bool
) -> dict[str, Any]:
    """Do `measure` in a process of its own, so that memory is of this fit alone."""
    command = [sys.executable, str(Path(__file__).resolve()), "--one", "--images", str(path)]
    command += ["--fits", f"{gaussians}:{iterations}", "--threads", str(threads)]
    command += ["--clamped"] if clamped else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def load_runs(output: Path) -> list[dict[str, Any]]:
    """Return the runs of an earlier call."""
    if not output.exists():
        return []
    runs: list[dict[str, Any]] = json.loads(output.read_text())["runs"]
    return runs


def table(runs: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return the rows of the table: our means, and below each N the published ones."""
    rows: list[tuple[str, ...]] = []
    for gaussians in sorted({run["n"] for run in runs}):
        here = [run for run in runs if run["n"] == gaussians]
        for kind in sorted({(run["iterations"], run.get("clamped", False)) for run in here}):
            row = [run for run in here if (run["iterations"], run.get("clamped", False)) == kind]
            name = f"ours, {kind[0]} iterations" + ", clamped" * kind[1]
            rows.append((f"{gaussians}", name, *_figures(row)))
        for line in PUBLISHED:
            if line.gaussians == gaussians:
                known = (_text(line.ms_ssim, 4), _text(line.seconds, 1), "", "", "24")
                rows.append(("", f"{line.method}, published", f"{line.psnr:.2f}", *known))
    return rows


def _figures(row: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    digits = {"psnr": 2, "ms_ssim": 4, "seconds": 1, "cpu_seconds": 1, "memory_mib": 0}
    cells = []
    for name, places in digits.items():
        values = [run[name] for run in row]
        cells.append("" if None in values else f"{mean(values):.{places}f}")
    return (*cells, str(len(row)))


def _text(value: float | None, places: int) -> str:
    return "" if value is None else f"{value:.{places}f}"


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    if options.one:
        ((gaussians, iterations),) = options.fits
        found = measure(
            options.images[0], gaussians, iterations, options.threads, clamped=options.clamped
        )
        print(json.dumps(found))
        return
    pictures = find_pictures(options.images)
    runs = [] if options.fresh else load_runs(options.output)
    keys = ("digest", "n", "iterations", "threads", "clamped")
    known = {tuple(run.get(key, False) for key in keys) for run in runs}
    report = environment(threads=[options.threads])
    print_environment(report)
    for gaussians, iterations in options.fits:
        for sample in pictures:
            key = (sample.digest, gaussians, iterations, options.threads, options.clamped)
            if key in known:
                continue
            found = measure_apart(
                sample.path, gaussians, iterations, options.threads, clamped=options.clamped
            )
            run = dict(zip(keys, key, strict=True)) | {"picture": sample.name} | found
            runs.append(run)
            write_json(options.output, {"environment": report, "runs": runs} | _published())
            print(f"{sample.name}, N = {gaussians}, {iterations}: {run['psnr']:.2f} dB", flush=True)
    mine = {(sample.digest, *fit) for sample in pictures for fit in options.fits}
    shown = [
        run
        for run in runs
        if (run["digest"], run["n"], run["iterations"]) in mine
        and run["threads"] == options.threads
        and run.get("clamped", False) == options.clamped
    ]
    header = ("N", "", "PSNR", "MS-SSIM", "s", "CPU s", "MiB", "pictures")
    print()
    print_table(header, table(shown))


def _published() -> dict[str, Any]:
    return {"published": [asdict(line) for line in PUBLISHED]}


if __name__ == "__main__":
    main()
