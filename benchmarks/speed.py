"""The time of decoding, beside JPEG and other decoders, and how it grows.

Usage: python benchmarks/speed.py [--image PICTURE] [--bpp 0.13 0.45] [-n N ...] [--quick]

The picture is encoded at each rate and with each number of Gaussians. The file of a rival is its
smallest with at least our PSNR, or the one of best PSNR if none reaches ours. All decoders take
turns, in an order reversed from round to round. Further parts measure many files at a time, the
import, the memory, and files with more Gaussians, pixels and threads.
"""

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from lib.decoders import OURS, compare
from lib.footprint import BARE, DECODER, IMPORT, import_times, peak_memory
from lib.harness import (
    environment,
    milliseconds,
    print_environment,
    print_table,
    write_json,
)
from lib.rival_decoders import RIVAL_DECODERS, RivalDecoder
from lib.scaling import Fit, Point, by_gaussians, by_size, explain, time_files
from PIL import Image

import gaussianimage
from gaussianimage import _native

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RATES = (0.13, 0.45)  # bits per pixel
GAUSSIANS = 3000  # in the files that memory and growth are measured with


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time decoding, from bytes to pixels.")
    parser.add_argument(
        "--image", type=Path, default=ROOT / "examples/pictures/kodim23.png", metavar="PICTURE"
    )
    parser.add_argument(
        "--bpp", type=float, nargs="+", help="(0.13 0.45, or none if -n is given)", metavar="RATE"
    )
    parser.add_argument("-n", type=int, nargs="+", default=[], help="numbers of Gaussians")
    parser.add_argument("--effort", type=int, default=3, help="of our encoder (3)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of ours (1 2)")
    parser.add_argument("--rounds", type=int, default=60, help="(60)")
    parser.add_argument("--quick", action="store_true", help="few rounds and small files")
    parser.add_argument("--output", type=Path, default=HERE / "results/speed.json")
    arguments = parser.parse_args()
    rates = arguments.bpp or ([] if arguments.n else RATES)
    arguments.targets = {f"{rate:g} bpp": {"bpp": rate} for rate in rates}
    arguments.targets |= {f"{n} Gaussians": {"gaussians": n} for n in arguments.n}
    if arguments.quick:
        arguments.targets, arguments.effort = dict([next(iter(arguments.targets.items()))]), 1
        arguments.rounds = min(arguments.rounds, 5)
    return arguments


def rivals_here() -> list[RivalDecoder]:
    """Return the installed rivals, and report each missing one on stderr."""
    for rival in RIVAL_DECODERS:
        if rival.missing:
            print(f"{rival.name} is left out: {rival.missing} is not installed.", file=sys.stderr)
    return [rival for rival in RIVAL_DECODERS if not rival.missing]


def scaling(pixels: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """Time files of more and more Gaussians, and of more and more pixels at one density."""
    quick, threads = arguments.quick, arguments.threads
    first = max(50, min(GAUSSIANS, pixels.shape[0] * pixels.shape[1] // 40))
    counts = [first // 2, first] if quick else [first // 3, first, 2 * first, 3 * first, 5 * first]
    more = by_gaussians(pixels, counts, 1)
    # 4 x 5 of 768 x 512 pixels are 3840 x 2048; with 5,000 Gaussians each, 100,000.
    base = more[f"{counts[1]} Gaussians"] if quick else by_gaussians(pixels, [5000], 1).popitem()[1]
    tiles = [(1, 2)] if quick else [(1, 1), (1, 2), (2, 2), (3, 3), (4, 5)]
    rounds = max(2, arguments.rounds // 3)
    used = sorted({*threads, 1, _native.cpus()})
    points = time_files(more | by_size(base, tiles), used, rounds)
    return {
        "points": [point._asdict() for point in points],
        "fits": {str(count): explain(points, count)._asdict() for count in used},
    }


def footprint(pixels: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """Time the import, and measure the memory of a decode."""
    times = import_times(max(2, arguments.rounds // 6))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.gimg"
        path.write_bytes(gaussianimage.encode(pixels, gaussians=GAUSSIANS, effort=1))
        memory = peak_memory(path, arguments.threads)
    return {
        "import_seconds": {code: asdict(timing) for code, timing in times.items()},
        "decode_peak_bytes": memory,
    }


def print_decoders(result: dict[str, Any]) -> None:
    timings = result["seconds"]
    rows = []
    for name, timing in timings.items():
        codec, _, used = name.rpartition(", ")
        file = result["files"].get(codec)
        ours = timings.get(f"{OURS}, {used}") or timings[f"{OURS}, 1 thread"]
        rows.append(
            [
                name,
                f"{file['bytes'] / 1000:.1f}" if file else "",
                f"{file['bpp']:.3f}" if file else "",
                f"{file['psnr']:.2f}" if file else "",
                milliseconds(timing["median"]),
                milliseconds(timing["iqr"]),
                f"{1 / timing['median']:.0f}",
                f"{ours['median'] / timing['median']:.2f}",
            ]
        )
    print_table(["decoder", "kB", "bpp", "dB", "ms", "IQR", "per second", "ours / it"], rows)
    print()
    rows = [[name, f"{fps:.0f}"] for name, fps in result["frames_per_second"].items()]
    print_table(["many pictures", "per second"], rows)


def print_footprint(found: dict[str, Any]) -> None:
    seconds = {code: timing["median"] for code, timing in found["import_seconds"].items()}
    print("\nTo import, beyond NumPy:", end=" ")
    print(f"{milliseconds(seconds[IMPORT] - seconds[BARE])} ms, with the decoder", end=" ")
    print(f"{milliseconds(seconds[DECODER] - seconds[BARE])} ms")
    for count, peak in (found["decode_peak_bytes"] or {}).items():
        print(f"Memory to decode, beyond NumPy: {peak / 1e6:.1f} MB on {count} threads")


def print_scaling(found: dict[str, Any]) -> None:
    points = [Point(**point) for point in found["points"]]
    used = list(points[0].seconds)
    rows = []
    for point in points:
        times = [milliseconds(point.seconds[count]) for count in used]
        size = f"{point.width} x {point.height}"
        rows.append([point.name, size, point.gaussians, point.work, *times])
    header = ["file", "pixels", "Gaussians", "blocks", *(f"ms, {count} threads" for count in used)]
    print()
    print_table(header, rows)
    for count, values in found["fits"].items():
        fit = Fit(**values)
        terms = " + ".join(f"{1e9 * c:.3g} ns / {name}" for name, c in fit.coefficients.items())
        print(f"{count} threads: {terms}; R² {fit.r_squared:.4f}, worst error {fit.worst:.0%}")


def main() -> None:
    arguments = parse_arguments()
    pixels = np.asarray(Image.open(arguments.image).convert("RGB"))
    report, rivals = environment(threads=arguments.threads), rivals_here()
    results = {
        name: compare(pixels, target, arguments.effort, rivals, arguments.threads, arguments.rounds)
        for name, target in arguments.targets.items()
    }
    beginning, growth = footprint(pixels, arguments), scaling(pixels, arguments)
    print_environment(report)
    for name, result in results.items():
        print(f"\n{arguments.image.name}, {name}: {result['gaussians']} Gaussians", end="")
        print(f", encoded in {result['encode_seconds'][OURS]:.2f} s\n")
        print_decoders(result)
    print_footprint(beginning)
    print_scaling(growth)
    write_json(
        arguments.output,
        {
            "benchmark": "speed",
            "environment": report,
            "settings": {
                "effort": arguments.effort,
                "rounds": arguments.rounds,
                "quick": arguments.quick,
                "rivals": {
                    rival.name: f"{rival.rival.description}; {rival.version}" for rival in rivals
                },
            },
            "results": results,
            "footprint": beginning,
            "scaling": growth,
        },
    )
    print(f"\nWritten to {arguments.output}")


if __name__ == "__main__":
    main()
