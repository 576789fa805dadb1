"""From the bytes of a file to 8-bit pixels: ours beside Pillow's decoders at equal PSNR.

Usage: python benchmarks/speed.py --image PICTURE [-n 3000 9000] [--rounds 60]

For each number of Gaussians the picture is encoded, and each rival's file is the smallest that
Pillow makes of it whose PSNR is not below ours (or its best, if none reaches that). All decoders
then take turns, in an order reversed from round to round. Pillow's AVIF decoder may use all CPUs;
the others use one.
"""

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np
from harness import (
    environment,
    milliseconds,
    print_environment,
    print_table,
    take_turns,
    timings_as_json,
    write_json,
)
from pictures import Bytes
from PIL import Image
from rivals import RIVALS, Rival, decode

import gaussianimage
from gaussianimage.metrics import psnr

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
OURS = "gaussianimage"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time decoders, from bytes to pixels.")
    parser.add_argument(
        "--image", type=Path, default=ROOT / "examples/pictures/kodim23.png", metavar="PICTURE"
    )
    parser.add_argument("-n", type=int, nargs="+", default=[3000, 9000], help="(3000 9000)")
    parser.add_argument("--effort", type=int, default=3, help="of our encoder (3)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of ours (1 2)")
    parser.add_argument("--rounds", type=int, default=60, help="(60)")
    parser.add_argument("--output", type=Path, default=HERE / "results/speed.json")
    return parser.parse_args()


def at_psnr(rival: Rival, pixels: Bytes, target: float) -> bytes:
    """Return the rival's first file, by rising settings, whose PSNR is not below the target."""
    data = b""
    for setting in rival.settings:
        data = rival.encode(pixels, setting)
        if psnr(pixels, decode(data)) >= target:
            break
    return data


def decoded(data: bytes) -> Bytes:
    """Decode with Pillow to an array, as `gaussianimage.decode` does."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


def measure(pixels: Bytes, count: int, arguments: argparse.Namespace) -> dict[str, Any]:
    data = gaussianimage.encode(pixels, gaussians=count, effort=arguments.effort)
    ours = psnr(pixels, gaussianimage.decode(data))
    files = {OURS: data}
    contestants: dict[str, Any] = {
        f"{OURS}, {threads} threads": (
            lambda threads=threads: gaussianimage.decode(data, threads=threads)
        )
        for threads in arguments.threads
    }
    gaussians = gaussianimage.decode_gaussians(data)
    for threads in arguments.threads:
        contestants[f"render alone, {threads} threads"] = lambda threads=threads: (
            gaussianimage.render(gaussians, dtype=np.uint8, threads=threads)
        )
    for rival in RIVALS:
        if rival.available:
            files[rival.name] = at_psnr(rival, pixels, ours)
            contestants[rival.name] = lambda file=files[rival.name]: decoded(file)
    timings = take_turns(contestants, rounds=arguments.rounds)
    return {
        "gaussians": gaussianimage.info(data).gaussians,
        "files": {
            name: {"bytes": len(file), "psnr": psnr(pixels, _pixels(name, file))}
            for name, file in files.items()
        },
        "seconds": timings_as_json(timings),
    }


def _pixels(name: str, file: bytes) -> Bytes:
    return gaussianimage.decode(file) if name == OURS else decode(file)


def print_results(result: dict[str, Any]) -> None:
    ours = next(iter(result["seconds"].values()))["median"]
    rows = []
    for name, timing in result["seconds"].items():
        file = result["files"].get(OURS if name.startswith(OURS) else name)
        rows.append(
            [
                name,
                f"{file['bytes'] / 1000:.1f}" if file else "",
                f"{file['psnr']:.2f}" if file else "",
                milliseconds(timing["median"]),
                milliseconds(timing["iqr"]),
                f"{1 / timing['median']:.0f}",
                f"{ours / timing['median']:.2f}",
            ]
        )
    print_table(["decoder", "kB", "dB", "ms", "IQR", "per second", "ours, first row / it"], rows)


def main() -> None:
    arguments = parse_arguments()
    pixels = np.asarray(Image.open(arguments.image).convert("RGB"))
    report = environment(threads=arguments.threads)
    results = {str(count): measure(pixels, count, arguments) for count in arguments.n}
    print_environment(report)
    for result in results.values():
        print(f"\n{arguments.image.name}, {result['gaussians']} Gaussians\n")
        print_results(result)
    write_json(
        arguments.output,
        {
            "benchmark": "speed",
            "environment": report,
            "settings": {"effort": arguments.effort, "rounds": arguments.rounds},
            "results": results,
        },
    )
    print(f"\nWritten to {arguments.output}")


if __name__ == "__main__":
    main()
