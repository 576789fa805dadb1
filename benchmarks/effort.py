"""CPU time and BD-rate of effort 1 to 10, against effort 5.

Usage: python benchmarks/effort.py --images FOLDER [--efforts 1 3 5 7] [--qualities 25 45 65 85]
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from lib.harness import environment, print_environment, print_table, write_json
from lib.pictures import find_pictures

import gaussianimage
from gaussianimage.metrics import bd_rate

HERE = Path(__file__).resolve().parent
ANCHOR = 5


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time and BD-rate of the encoder's efforts.")
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--efforts", type=int, nargs="+", default=list(range(1, 11)))
    parser.add_argument("--qualities", type=float, nargs="+", default=[25, 45, 65, 85])
    parser.add_argument("--threads", type=int, default=2, help="(2)")
    parser.add_argument("--output", type=Path, default=HERE / "results/effort.json")
    return parser.parse_args()


def bd_rates(runs: list[dict[str, Any]], effort: int) -> list[float]:
    """Return the BD-rate of an effort against the anchor in percent, picture by picture."""
    deltas = []
    for picture in sorted({run["picture"] for run in runs}):
        ours, anchor = (
            [run for run in runs if run["picture"] == picture and run["effort"] == level]
            for level in (effort, ANCHOR)
        )
        curves = ([run[key] for run in part] for part in (anchor, ours) for key in ("bpp", "psnr"))
        deltas.append(bd_rate(*curves))
    return deltas


def main() -> None:
    arguments = parse_arguments()
    efforts = sorted({*arguments.efforts, ANCHOR})
    report = environment(threads=[arguments.threads])
    runs = []
    for picture in find_pictures(arguments.images):
        for effort in efforts:
            for quality in arguments.qualities:
                began = time.process_time()
                encoded = gaussianimage.encode_with_result(
                    picture.pixels,
                    quality=quality,
                    effort=effort,
                    tune="psnr",
                    threads=arguments.threads,
                )
                runs.append(
                    {
                        "picture": picture.name,
                        "effort": effort,
                        "quality": quality,
                        "bpp": encoded.bpp,
                        "psnr": encoded.psnr,
                        "seconds": encoded.seconds,
                        "cpu_seconds": time.process_time() - began,
                    }
                )
            print(f"{picture.name}, effort {effort}", file=sys.stderr)
    rows, summary = [], {}
    for effort in efforts:
        seconds = [run["cpu_seconds"] for run in runs if run["effort"] == effort]
        deltas = bd_rates(runs, effort)
        summary[str(effort)] = {
            "median_cpu_seconds": float(np.median(seconds)),
            "most_cpu_seconds": max(seconds),
            "bd_rate": float(np.mean(deltas)),
        }
        low, high = f"{min(deltas):+.1f} %", f"{max(deltas):+.1f} %"
        rows.append(
            [
                effort,
                f"{np.median(seconds):.1f}",
                f"{max(seconds):.1f}",
                f"{np.mean(deltas):+.1f} %",
                low,
                high,
            ]
        )
    print_environment(report)
    print()
    print_table(["effort", "median CPU s", "most", "BD-rate", "best", "worst"], rows)
    write_json(
        arguments.output,
        {"benchmark": "effort", "environment": report, "runs": runs, "summary": summary},
    )
    print(f"\nWritten to {arguments.output}")


if __name__ == "__main__":
    main()
