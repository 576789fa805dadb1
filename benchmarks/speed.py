"""The time of decoding, beside Pillow's decoders, and how it grows.

Usage: python benchmarks/speed.py [--image PICTURE] [-n 3000 9000] [--rounds 60] [--quick]

The picture is encoded with each number of Gaussians. The file of a rival is the smallest that
Pillow makes with at least our PSNR, or the one of best PSNR if none reaches ours. All decoders take
turns, in an order reversed from round to round. Further parts measure many files at a time, the
import, the memory, and files with more Gaussians, pixels and threads.
"""

import argparse
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
from lib.scaling import Fit, Point, by_gaussians, by_size, explain, time_files
from PIL import Image

import gaussianimage
from gaussianimage import _native

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time decoding, from bytes to pixels.")
    parser.add_argument(
        "--image", type=Path, default=ROOT / "examples/pictures/kodim23.png", metavar="PICTURE"
    )
    parser.add_argument("-n", type=int, nargs="+", default=[3000, 9000], help="(3000 9000)")
    parser.add_argument("--effort", type=int, default=3, help="of our encoder (3)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of ours (1 2)")
    parser.add_argument("--rounds", type=int, default=60, help="(60)")
    parser.add_argument("--quick", action="store_true", help="few rounds and small files")
    parser.add_argument("--output", type=Path, default=HERE / "results/speed.json")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.n, arguments.effort = arguments.n[:1], 1
        arguments.rounds = min(arguments.rounds, 5)
    return arguments


def scaling(pixels: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """Time files of more and more Gaussians, and of more and more pixels at one density."""
    quick, threads = arguments.quick, arguments.threads
    first = max(50, min(arguments.n[0], pixels.shape[0] * pixels.shape[1] // 40))
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
        path.write_bytes(gaussianimage.encode(pixels, gaussians=arguments.n[0], effort=1))
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
                f"{file['psnr']:.2f}" if file else "",
                milliseconds(timing["median"]),
                milliseconds(timing["iqr"]),
                f"{1 / timing['median']:.0f}",
                f"{ours['median'] / timing['median']:.2f}",
            ]
        )
    print_table(["decoder", "kB", "dB", "ms", "IQR", "per second", "ours / it"], rows)
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
    report = environment(threads=arguments.threads)
    results = {
        str(count): compare(pixels, count, arguments.effort, arguments.threads, arguments.rounds)
        for count in arguments.n
    }
    beginning, growth = footprint(pixels, arguments), scaling(pixels, arguments)
    print_environment(report)
    for result in results.values():
        print(f"\n{arguments.image.name}, {result['gaussians']} Gaussians", end="")
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
            },
            "results": results,
            "footprint": beginning,
            "scaling": growth,
        },
    )
    print(f"\nWritten to {arguments.output}")


if __name__ == "__main__":
    main()
