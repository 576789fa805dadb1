"""The paper's codec in real files: bytes against its formula, and savings against theory.

Usage: python benchmarks/paper_codec.py --images FOLDER [-n 1000 3000 9000] [--iterations 500]
       python benchmarks/paper_codec.py --files FILE.gimg ...

With --images, every picture is fitted and fine-tuned by the paper's recipe, shortened to the given
iterations; this needs PyTorch. With --files, it reads existing files of the paper's profile.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from lib.harness import environment, print_environment, print_table, take_turns, write_json
from lib.pictures import Sample, find_pictures

import gaussianimage
from gaussianimage.codec.decoder.paper_record import decode_record
from gaussianimage.codec.paper_profile.bits_back import log2_factorial
from gaussianimage.codec.paper_profile.file import STREAMS, encode_record
from gaussianimage.codec.paper_profile.frequencies import entropies
from gaussianimage.codec.paper_profile.record import PaperRecord
from gaussianimage.metrics import psnr

HERE = Path(__file__).resolve().parent
POSITION_FIELDS = 2


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Bytes and times of the paper's codec.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--images", type=Path, nargs="+", metavar="FOLDER")
    source.add_argument("--files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("-n", type=int, nargs="+", default=[1000, 3000, 9000], help="Gaussians")
    parser.add_argument("--iterations", type=int, default=500, help="of the fit (500)")
    parser.add_argument("--fine-tuning", type=int, default=200, help="iterations (200)")
    parser.add_argument("--learning-rate", type=float, default=0.01, help="of both (0.01)")
    parser.add_argument("--rounds", type=int, default=5, help="of timing (5)")
    parser.add_argument("--threads", type=int, default=2, help="(2)")
    parser.add_argument("--output", type=Path, default=HERE / "results/paper_codec.json")
    return parser.parse_args()


def compress(sample: Sample, count: int, arguments: argparse.Namespace) -> PaperRecord:
    """Fit and fine-tune a picture."""
    import torch

    from gaussianimage.paper.fine_tuning import fine_tune
    from gaussianimage.paper.recipe import Recipe
    from gaussianimage.paper.training import train
    from gaussianimage.torch.models.sum import CholeskyModel

    torch.set_num_threads(arguments.threads)
    target = torch.tensor(sample.pixels / 255, dtype=torch.float32)
    model = CholeskyModel.random(count, *target.shape[:2])
    fit, tuning = (
        Recipe().shortened(iterations, learning_rate=arguments.learning_rate)
        for iterations in (arguments.iterations, arguments.fine_tuning)
    )
    train(model, target, fit)
    return fine_tune(model, target, tuning).record


def records(arguments: argparse.Namespace) -> Iterator[tuple[str, PaperRecord, float | None]]:
    """Yield name, record, and PSNR in dB or None if the picture is not known."""
    for path in arguments.files or []:
        yield path.stem, decode_record(path.read_bytes()), None
    for sample in find_pictures(arguments.images) if arguments.images else []:
        for count in arguments.n:
            record = compress(sample, count, arguments)
            decoded = gaussianimage.decode(encode_record(record))
            yield sample.name, record, psnr(sample.pixels, decoded)


def theory(record: PaperRecord) -> dict[str, float]:
    """Return the bits that each kind of stream should save."""
    rows, widths = record.rows(), record.widths
    fields, bits = rows[:, POSITION_FIELDS:], widths[POSITION_FIELDS:]
    measured = entropies(fields, bits)
    equals = Counter(map(tuple, rows.tolist())).values()
    orders = log2_factorial(len(rows)) - sum(map(log2_factorial, equals))
    # The paper's partial bits-back: the first K Gaussians have enough bits for the order of the
    # rest.
    each, count = sum(widths), len(rows)
    first = next(k for k in range(count + 1) if k * each >= log2_factorial(count - k))
    others = log2_factorial(count - first)
    return {
        "entropy_bits_per_gaussian": float(measured.sum()),
        "index_bits_per_gaussian": float(sum(bits)),
        "entropy": float(count * (sum(bits) - measured.sum())),
        "tables": float(4 * sum(2**width for width in bits)),
        "bits-back": others - math.log2(max(count - first, 1)),
        "interleaved": orders,
        "first": float(first),
    }


def measure(name: str, record: PaperRecord, rounds: int, threads: int) -> dict[str, Any]:
    """Measure sizes, savings and times of one record."""
    files = {stream: encode_record(record, stream=stream) for stream in STREAMS}
    for stream, data in files.items():
        found, listed = decode_record(data), stream in ("plain", "entropy")
        if found != (record if listed else record.canonical()):
            raise SystemExit(f"{name}: the stream {stream} does not come back to the bit")
    calls: dict[str, Any] = {}
    for stream, data in files.items():
        calls[f"encode {stream}"] = partial(encode_record, record, stream=stream)
        calls[f"decode {stream}"] = partial(decode_record, data)
        calls[f"draw {stream}"] = partial(gaussianimage.decode, data, threads=threads)
    timings = take_turns(calls, rounds=rounds, warmup=1)
    plain = 8 * len(files["plain"])
    return {
        "picture": name,
        "gaussians": len(record),
        "height": record.height,
        "width": record.width,
        "formula_bits": record.formula_bits,
        "container_bits": plain - record.formula_bits,
        "bytes": {stream: len(data) for stream, data in files.items()},
        "saved_bits": {stream: plain - 8 * len(data) for stream, data in files.items()},
        "theory": theory(record),
        "seconds": {key: timing.median for key, timing in timings.items()},
    }


def sizes_table(runs: list[dict[str, Any]]) -> None:
    header = ["picture", "N", "formula", "file", "container"]
    header += ["entropy coded", "entropy", "bits-back", "theory", "interleaved", "log2 N!"]
    rows = []
    for run in runs:
        saved, expected, pixels = run["saved_bits"], run["theory"], run["height"] * run["width"]
        formula, plain = run["formula_bits"] / pixels, 8 * run["bytes"]["plain"] / pixels
        savings = [
            saved["entropy"],
            expected["entropy"] - expected["tables"],
            saved["bits-back"],
            expected["bits-back"],
            saved["interleaved"],
            expected["interleaved"],
        ]
        rows.append(
            [
                run["picture"],
                run["gaussians"],
                f"{formula:.4f} bpp",
                f"{plain:.4f} bpp",
                f"{run['container_bits']} bits",
                *(f"{value / run['gaussians']:.2f}" for value in savings),
            ]
        )
    print_table(header, rows)
    print("\nSavings in bits a Gaussian. Entropy: what static codes of the indices can save, less")
    print("their tables. Theory: log2 (N - K)! - log2 (N - K), the paper's; equal Gaussians, which")
    print("have fewer orders, are taken into account under log2 N!.")


def times_table(runs: list[dict[str, Any]]) -> None:
    rows = []
    for count in sorted({run["gaussians"] for run in runs}):
        of_count = [run["seconds"] for run in runs if run["gaussians"] == count]
        for stream in STREAMS:
            parts = ("encode", "decode", "draw")
            times = [np.median([s[f"{part} {stream}"] for s in of_count]) for part in parts]
            rows.append([f"N={count}, {stream}", *(f"{time * 1e3:.1f} ms" for time in times)])
    print_table(["stream", "write", "read", "read and draw"], rows)


def main() -> None:
    arguments = parse_arguments()
    report = environment(threads=[arguments.threads])
    runs = []
    for name, record, decibels in records(arguments):
        run = measure(name, record, arguments.rounds, arguments.threads)
        runs.append(run | {"psnr": decibels})
        quality = "" if decibels is None else f", {decibels:.2f} dB"
        print(f"{name}, N={len(record)}{quality}", file=sys.stderr)
    print_environment(report)
    print()
    sizes_table(runs)
    print()
    times_table(runs)
    settings = {
        key: getattr(arguments, key) for key in ("iterations", "fine_tuning", "learning_rate")
    }
    results = {"benchmark": "paper_codec", "environment": report}
    write_json(arguments.output, results | {"settings": settings, "runs": runs})
    print(f"\nWritten to {arguments.output}")


if __name__ == "__main__":
    main()
