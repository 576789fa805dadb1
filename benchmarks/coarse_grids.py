"""Time of large Gaussians: iterations with coarse grids and without, and their share of a decode.

Usage: python benchmarks/coarse_grids.py --images FOLDER [--bpp 0.13 0.45]

Each picture is encoded at each rate. The same Gaussians then run iterations of the optimizer's Adam
on one thread, with every Gaussian drawn at every pixel and with large ones on coarser grids, in
turns. The other columns bound what coarse grids in the format's rendering rule could save: decoding
the file takes so long, and drawing it without any Gaussian whose smaller standard deviation is 4 px
or more would take so much less.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from lib.harness import environment, print_environment, print_table, take_turns, write_json
from lib.pictures import Sample, find_pictures

import gaussianimage
from gaussianimage import Gaussians, _native

HERE = Path(__file__).resolve().parent
LEAST_SIGMA = 4.0  # px, of a large Gaussian
ITERATIONS = 4


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time large Gaussians.")
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--bpp", type=float, nargs="+", default=[0.13, 0.45], help="(0.13 0.45)")
    parser.add_argument("--effort", type=int, default=2, help="of the files (2)")
    parser.add_argument("--rounds", type=int, default=21, help="of the contestants (21)")
    parser.add_argument("--output", type=Path, default=HERE / "results/coarse_grids.json")
    return parser.parse_args()


def smaller_sigmas(g: Gaussians) -> np.ndarray:
    """Return the smaller standard deviation of each Gaussian in px, (N,)."""
    scales, _ = g.scale_rotation()
    return scales.min(axis=1)


def make_optimizer(g: Gaussians, pixels: np.ndarray, *, coarse: bool) -> Any:
    optimizer = _native.Optimizer(pixels, g.q_max, 1)
    optimizer.coarse = coarse
    optimizer.add(g.means, g.cholesky(), g.colors.astype(np.float32))
    return optimizer


def measure(picture: Sample, bpp: float, arguments: argparse.Namespace) -> dict[str, Any]:
    encoded = gaussianimage.encode_with_result(picture.pixels, bpp=bpp, effort=arguments.effort)
    g = gaussianimage.decode_gaussians(encoded.data)
    large = smaller_sigmas(g) >= LEAST_SIGMA
    pixels = picture.pixels.astype(np.float32) / 255
    exact, coarse = (make_optimizer(g, pixels, coarse=value) for value in (False, True))
    rates = np.zeros((ITERATIONS, 3), np.float32)
    background = smaller_sigmas(g) > max(g.height, g.width)
    small = g[~large | background]
    timings = take_turns(
        {
            "exact": lambda: exact.adam(rates, 0.0),
            "coarse": lambda: coarse.adam(rates, 0.0),
            "draw": lambda: gaussianimage.render(g, dtype=np.uint8, threads=1),
            "draw_small": lambda: gaussianimage.render(small, dtype=np.uint8, threads=1),
            "decode": lambda: gaussianimage.decode(encoded.data, threads=1),
        },
        rounds=arguments.rounds,
    )
    seconds = {name: timing.median for name, timing in timings.items()}
    return {
        "picture": picture.name,
        "bpp": bpp,
        "psnr": encoded.psnr,
        "gaussians": len(g),
        "large": int(large.sum()),
        "iteration_seconds": {name: seconds[name] / ITERATIONS for name in ("exact", "coarse")},
        "iteration_ratio": seconds["coarse"] / seconds["exact"],
        "decode_seconds": seconds["decode"],
        "draw_seconds": seconds["draw"],
        "draw_small_seconds": seconds["draw_small"],
        "bound": 1 - (seconds["draw"] - seconds["draw_small"]) / seconds["decode"],
    }


def main() -> int:
    arguments = parse_arguments()
    report = environment(threads=[1])
    print_environment(report)
    runs = [
        measure(picture, bpp, arguments)
        for picture in find_pictures(arguments.images)
        for bpp in arguments.bpp
    ]
    rows = [
        [
            run["picture"],
            f"{run['bpp']:g}",
            run["gaussians"],
            run["large"],
            f"{1e3 * run['iteration_seconds']['exact']:.2f}",
            f"{run['iteration_ratio']:.2f}",
            f"{1e3 * run['decode_seconds']:.2f}",
            f"{run['bound']:.2f}",
        ]
        for run in runs
    ]
    header = ["picture", "bpp", "Gaussians", "large", "iteration, ms", "coarse/exact"]
    print_table([*header, "decode, ms", "without large"], rows)
    ratios = {
        bpp: float(np.median([run["iteration_ratio"] for run in runs if run["bpp"] == bpp]))
        for bpp in arguments.bpp
    }
    for bpp, ratio in ratios.items():
        print(f"median at {bpp:g} bpp: {ratio:.2f} of the time of an iteration")
    write_json(arguments.output, {"environment": report, "runs": runs})
    return 0


if __name__ == "__main__":
    sys.exit(main())
