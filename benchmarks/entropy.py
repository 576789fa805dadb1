"""The bits of a file by attribute, and the gap of the coder to the empirical entropy.

Usage: python benchmarks/entropy.py --images FOLDER [-n 1500 4000 9000] [--effort 5]

The empirical entropy of a model is that of its symbol counts in this file: the bits of a static
code with the same contexts that knows the counts. The coder learns the counts while it codes, which
costs some bits, and forgets old ones, which can save some. Raw bits (signs, places in buckets and
cells) have no model.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from lib.harness import environment, print_environment, print_table, write_json
from lib.pictures import find_pictures
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.codec.encoder.effort import effort_level
from gaussianimage.codec.encoder.prepare import PreparedPicture
from gaussianimage.codec.encoder.quantize_fit import ENERGY, FitQuantizer
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.quantizer import QuantizerParameters
from gaussianimage.fitting.fit import fit
from gaussianimage.picture import as_picture

HERE = Path(__file__).resolve().parent

# The groups of models, in the order of ModelGroup in layer/models-isa.h, and the stream of each.
GROUPS = {
    "luma": ("colors", 64),
    "first chroma": ("colors", 64),
    "second chroma": ("colors", 24),
    "alpha": ("colors", 4),
    "size": ("shapes", 16),
    "first shear": ("shapes", 16),
    "second shear": ("shapes", 16),
    "size, far off": ("shapes", 2),
    "splits": ("positions", 30),
}
STREAMS = ("positions", "colors", "shapes")


def entropy(counts: NDArray[Any]) -> float:
    """Return the bits of all symbols by the entropy of each model's counts, (M, S)."""
    counts = counts.astype(np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.ones_like(counts), where=counts > 0)
    return float(-(counts * np.log2(shares)).sum())


def spent(
    layers: list[QuantizedGaussians], parameters: QuantizerParameters, height: int, width: int
) -> dict[str, Any]:
    """Return the coded and raw bits of each stream, and the entropy of each group of models."""
    quantizer = parameters.quantizer(height, width)
    encoder = _native.LayerEncoder(quantizer, len(layers))
    counter = _native.LayerEncoder(quantizer, len(layers))
    coded, raw, counts, size = np.zeros(3), np.zeros(3), np.zeros((236, 16)), 0
    for layer in layers:
        coded += encoder.measure(quantizer, *layer)
        raw += encoder.measure(quantizer, *layer, raw=True)
        counts += counter.tally(quantizer, *layer)
        size += len(encoder.encode(quantizer, *layer))
    ends = np.cumsum([0, *(models for _, models in GROUPS.values())])
    return {
        "gaussians": sum(len(layer.precision) for layer in layers),
        "bits": 8 * size,
        "coded": dict(zip(STREAMS, coded.tolist(), strict=True)),
        "raw": dict(zip(STREAMS, raw.tolist(), strict=True)),
        "entropy": {
            name: entropy(counts[begin:end])
            for name, begin, end in zip(GROUPS, ends[:-1], ends[1:], strict=True)
        },
    }


def make_rows(files: list[dict[str, Any]]) -> list[list[str]]:
    """Return the rows of the table: bits per Gaussian, over all files together."""
    gaussians = sum(file["gaussians"] for file in files)

    def each(*keys: str) -> float:
        values = files
        for key in keys:
            values = [value[key] for value in values]
        return sum(values) / gaussians

    rows = []
    for stream in STREAMS:
        groups = [name for name, (of, _) in GROUPS.items() if of == stream]
        symbols = sum(each("entropy", name) for name in groups)
        coded, raw = each("coded", stream), each("raw", stream)
        gap = coded - raw - symbols
        rows.append(
            [
                stream,
                f"{coded:.2f}",
                f"{raw:.2f}",
                f"{symbols:.2f}",
                f"{gap:+.2f} ({100 * gap / coded:+.1f} %)",
            ]
        )
        rows += [
            [f"  {name}", "", "", f"{each('entropy', name):.2f}", ""]
            for name in groups
            if each("entropy", name) > 0
        ]
    total = each("bits")
    rest = total - sum(each("coded", stream) for stream in STREAMS)
    rows.append(["counts, starts of streams", f"{rest:.2f}", "", "", ""])
    rows.append(["all", f"{total:.2f}", "", "", ""])
    return rows


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Bits per attribute, and the gap to entropy.")
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("-n", "--gaussians", type=int, nargs="+", default=[1500, 4000, 9000])
    parser.add_argument("--effort", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="(2)")
    parser.add_argument("--output", type=Path, default=HERE / "results/entropy.json")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    effort, report = effort_level(arguments.effort), environment(threads=[arguments.threads])
    files = []
    for sample in find_pictures(arguments.images):
        picture = as_picture(sample.pixels)
        for count in arguments.gaussians:
            fitted = fit(
                picture,
                count,
                iterations=effort.fit,
                energy=ENERGY,
                threads=arguments.threads,
            )
            quantizer = FitQuantizer(
                PreparedPicture.plain(picture), fitted, effort, arguments.threads, lambda *_: None
            )
            draft = quantizer.quantize(quantizer.balanced_step())
            found = spent(draft.layers, draft.parameters, picture.height, picture.width)
            files.append({"picture": sample.name, "fitted": count, **found})
            print(f"{sample.name}, {count} Gaussians", file=sys.stderr)
    print_environment(report)
    for count in arguments.gaussians:
        chosen = [file for file in files if file["fitted"] == count]
        kept = sum(file["gaussians"] for file in chosen) / len(chosen)
        print(f"\n{count} Gaussians fitted, {kept:.0f} kept: bits per Gaussian")
        print_table(["", "coded", "raw", "entropy of symbols", "gap"], make_rows(chosen))
    write_json(arguments.output, {"benchmark": "entropy", "environment": report, "files": files})
    print(f"\nWritten to {arguments.output}")


if __name__ == "__main__":
    main()
