"""The paper's baselines, JPEG and JPEG 2000: its Table 1 and Table 2 on your pictures.

Usage: python benchmarks/baselines.py --images FOLDER [--methods siren wire ingp] [--coin 10x28]
           [--rates 0.3 0.6] [--iterations 2000] [--batch 8192] [--device cpu] [--fresh]

Representations have the columns of Table 1 (PSNR, MS-SSIM, training seconds, frames a second,
memory, parameters) and codecs those of Table 2, with the published figures below them. The paper
trains for 50,000 iterations on all pixels at once. That takes hours a picture on a CPU, so
`--batch` draws some pixels anew for every iteration. The output keeps every row as soon as it is
there: after an interruption the same command continues. Rows of other settings may share the file.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from implicit.methods import METHODS, Settings, compress, compress_by_rival, represent
from lib.harness import environment, print_environment, print_table, write_json
from lib.pictures import Bytes, Sample, find_pictures
from lib.rivals import RIVALS

from gaussianimage.cli.report import seconds_text
from gaussianimage.paper.tables.published import CODECS, REPRESENTATIONS
from gaussianimage.paper.tables.text import number, speed

HERE = Path(__file__).resolve().parent
NEWS_EVERY = 30.0  # seconds between two messages while a network is fitted

Task = Callable[[Bytes, Settings], dict[str, Any]]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The paper's baselines, on one harness.")
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=list(METHODS))
    parser.add_argument(
        "--coin", nargs="*", type=_shape, default=[(10, 28), (10, 40)], metavar="LAYERSxNEURONS"
    )
    parser.add_argument("--rates", nargs="*", type=float, default=[0.3, 0.6], help="of the files")
    parser.add_argument("--iterations", type=int, default=50_000)
    parser.add_argument("--batch", type=int, help="pixels in an iteration (all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--timed", type=float, default=1.0, help="seconds to time frames for (1)")
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    parser.add_argument("--output", type=Path, default=HERE / "results/baselines.json")
    return parser.parse_args()


def _shape(text: str) -> tuple[int, int]:
    layers, neurons = text.split("x")
    return int(layers), int(neurons)


def find_tasks(arguments: argparse.Namespace) -> list[tuple[str, str, Task]]:
    """Return the measurements of every picture: table, method, and the function that measures."""
    tasks: list[tuple[str, str, Task]] = [
        ("representation", METHODS[key].name, partial(represent, method=METHODS[key]))
        for key in arguments.methods
    ]
    for layers, neurons in arguments.coin:
        coin = partial(compress, layers=layers, neurons=neurons)
        tasks.append(("codec", f"COIN {layers}x{neurons}", coin))
    for rival in RIVALS:
        if rival.key in ("jpeg", "jpeg2000") and rival.available:
            for rate in arguments.rates:
                by_rival = partial(compress_by_rival, rival=rival, rate=rate)
                tasks.append(("codec", f"{rival.name}, {rate:g} bpp", by_rival))
    return tasks


def measure(
    pictures: list[Sample], arguments: argparse.Namespace, report: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return a row for every method and picture; rows in the output file are not measured again."""
    settings = Settings(
        iterations=arguments.iterations,
        batch=arguments.batch,
        seed=arguments.seed,
        device=str(arguments.device),
        timed=arguments.timed,
    )
    recipe = {key: getattr(settings, key) for key in ("iterations", "batch", "seed", "device")}
    kept: list[dict[str, Any]] = []
    if arguments.output.exists() and not arguments.fresh:
        kept = json.loads(arguments.output.read_text())["rows"]
    rows = []
    wanted = [(*task, picture) for task in find_tasks(arguments) for picture in pictures]
    for count, (table, name, task, picture) in enumerate(wanted, 1):
        key = {"table": table, "method": name, "picture": picture.name, "digest": picture.digest}
        key |= recipe
        row = next((row for row in kept if key.items() <= row.items()), None)
        if row is None:
            label = f"[{count}/{len(wanted)}] {picture.name}, {name}"
            began = time.perf_counter()
            row = key | task(picture.pixels, settings=replace(settings, watch=make_watch(label)))
            kept.append(row)
            results = {"benchmark": "baselines", "environment": report, "rows": kept}
            write_json(arguments.output, results)
            seconds = seconds_text(time.perf_counter() - began)
            print(f"{label}: {row['psnr']:.2f} dB, {seconds}", file=sys.stderr)
        rows.append(row)
    return rows


def make_watch(label: str, every: float = NEWS_EVERY) -> Callable[[int], None]:
    """Return a function that prints the number of iterations, at most every `every` seconds."""
    last = time.perf_counter()

    def news(done: int) -> None:
        nonlocal last
        if time.perf_counter() - last >= every:
            last = time.perf_counter()
            print(f"{label}: {done} iterations", file=sys.stderr)

    return news


def print_results(rows: list[dict[str, Any]], kind: str) -> None:
    """Print the two tables: means over the pictures, and below them the paper's figures."""
    memory = {"cuda": "GPU MiB", "process": "RAM MiB"}.get(kind, "MiB")
    header = ["method", "PSNR", "MS-SSIM", "train s", "FPS", memory, "params K"]
    table = [
        [
            name,
            number(mean["psnr"], 2),
            number(mean["ms_ssim"], 4),
            number(mean["seconds"], 2),
            number(mean["fps"], 2),
            number(mean["memory_mib"], 0),
            number(mean["parameters"] / 1000, 2),
        ]
        for name, mean in _means(rows, "representation").items()
    ]
    table += [
        [
            f"{row.method}, published",
            f"{row.psnr:.2f}",
            f"{row.ms_ssim:.4f}",
            f"{row.seconds:.2f}",
            f"{row.fps:.2f}",
            f"{row.memory_mib}",
            f"{row.parameters_k:.2f}",
        ]
        for row in REPRESENTATIONS["kodak"]
        if row.method in {m.name for m in METHODS.values()}
    ]
    print_table(header, table)
    header = ["codec", "bpp", "PSNR", "MS-SSIM", "encode FPS", "decode FPS"]
    table = [
        [
            name,
            number(mean["bpp"], 4),
            number(mean["psnr"], 2),
            number(mean["ms_ssim"], 4),
            speed(mean["encode_fps"]),
            speed(mean["decode_fps"]),
        ]
        for name, mean in _means(rows, "codec").items()
    ]
    table += [
        [
            f"{row.codec}, published (DIV2K)",
            f"{row.bpp:.4f}",
            f"{row.psnr:.2f}",
            f"{row.ms_ssim:.4f}",
            speed(row.encode_fps),
            speed(row.decode_fps),
        ]
        for row in CODECS
        if row.codec in ("COIN", "JPEG", "JPEG2000")
    ]
    print()
    print_table(header, table)


def _means(rows: list[dict[str, Any]], table: str) -> dict[str, dict[str, Any]]:
    """Return the means of each method's numbers, None where a picture has no number."""
    means: dict[str, dict[str, Any]] = {}
    chosen = [row for row in rows if row["table"] == table]
    for name in dict.fromkeys(row["method"] for row in chosen):
        group = [row for row in chosen if row["method"] == name]
        means[name] = {}
        for key, value in group[0].items():
            values = [row[key] for row in group]
            if not isinstance(value, str):
                means[name][key] = None if None in values else float(np.mean(values))
    return means


def main() -> None:
    arguments = parse_arguments()
    pictures = find_pictures(arguments.images)
    report = environment(threads=[torch.get_num_threads()]) | {"torch": torch.__version__}
    if arguments.device != "cpu":
        report["gpu"] = torch.cuda.get_device_name(arguments.device)
    rows = measure(pictures, arguments, report)
    print_environment(report)
    pixels = "all pixels" if arguments.batch is None else f"{arguments.batch} pixels"
    print(
        f"\n{arguments.iterations} iterations of {pixels} on {arguments.device}, "
        f"means of {len(pictures)} pictures; published: 50000 of all pixels on a V100\n"
    )
    print_results(rows, next((row["memory_kind"] for row in rows if "memory_kind" in row), ""))
    print(f"\nWritten to {arguments.output}")


if __name__ == "__main__":
    main()
