"""Time and memory of encoding one large picture.

Usage: python benchmarks/large.py --images FOLDER [--size 6000 4000] [--effort 1] [--quality 52]

The picture is a mosaic of the photos. Each encode runs in a process of its own, which tells its
time and its peak memory, the picture and the interpreter included.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from lib.children import run_function
from lib.harness import environment, print_environment, print_table, timing, write_json
from lib.mosaic import Mosaic
from numpy.typing import NDArray

import gaussianimage

HERE = Path(__file__).resolve().parent


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Encode a large picture: seconds and memory.")
    parser.add_argument("--images", type=Path, required=True, metavar="FOLDER", help="photos")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(6000, 4000), metavar=("WIDTH", "HEIGHT")
    )
    parser.add_argument("--effort", type=int, nargs="+", default=[1], help="(1)")
    parser.add_argument("--tune", nargs="+", choices=("eye", "psnr"), default=["psnr", "eye"])
    parser.add_argument("--quality", type=float, default=52, help="(52)")
    parser.add_argument("--threads", type=int, default=2, help="(2)")
    parser.add_argument("--rounds", type=int, default=1, help="encodes of each kind (1)")
    parser.add_argument("--output", type=Path, default=HERE / "results/large.json")
    return parser.parse_args()


def encode(pixels: NDArray[np.uint8], **options: Any) -> tuple[int, float]:
    """Return the bytes of the file and its PSNR."""
    result = gaussianimage.encode_with_result(pixels, **options)
    return len(result.data), result.psnr


def main() -> None:
    arguments = parse_arguments()
    report = environment(threads=[arguments.threads])
    width, height = arguments.size
    # The photos are not kept: their memory would count.
    pixels = Mosaic.of_folder(arguments.images, height, width)[0:height]
    megapixels = height * width / 1e6
    runs: list[dict[str, Any]] = []
    # Kinds take turns, so that other load on the machine hits all of them alike.
    for _ in range(arguments.rounds):
        for effort in arguments.effort:
            for tune in arguments.tune:
                options = {
                    "quality": arguments.quality,
                    "effort": effort,
                    "tune": tune,
                    "threads": arguments.threads,
                }
                ended = run_function(partial(encode, pixels, **options))
                size, psnr = ended.result
                runs.append(
                    {"effort": effort, "tune": tune, "bytes": size, "psnr": psnr}
                    | ended.cost._asdict()
                )
    rows = []
    for effort in arguments.effort:
        for tune in arguments.tune:
            kind = [run for run in runs if (run["effort"], run["tune"]) == (effort, tune)]
            seconds = timing([run["seconds"] for run in kind])
            rows.append(
                (
                    effort,
                    tune,
                    f"{kind[0]['bytes']:,}",
                    f"{kind[0]['psnr']:.2f}",
                    f"{seconds.median:.1f} ± {seconds.iqr / 2:.1f}",
                    f"{timing([run['cpu_seconds'] for run in kind]).median:.1f}",
                    f"{max(run['peak_megabytes'] for run in kind) * 2**20 / 1e9:.2f}",
                )
            )
    print_environment(report)
    print(
        f"\n{width} × {height}, {megapixels:.1f} megapixels, quality {arguments.quality:g}, "
        f"{arguments.threads} threads\n"
    )
    print_table(("effort", "tune", "bytes", "dB", "seconds", "CPU seconds", "peak, GB"), rows)
    settings = {
        "size": [width, height],
        "quality": arguments.quality,
        "threads": arguments.threads,
        "rounds": arguments.rounds,
    }
    write_json(
        arguments.output,
        {"benchmark": "large", "environment": report, "settings": settings, "runs": runs},
    )
    print(f"\nWritten to {arguments.output}")


if __name__ == "__main__":
    main()
