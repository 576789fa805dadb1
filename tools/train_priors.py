"""Make the initial weights of the layer coder's models, from a folder of pictures.

Usage: python tools/train_priors.py FOLDER [-n 600 2000 6000 16000] [--effort 5]
       python tools/train_priors.py --appendix-only

Every picture is fitted with several numbers of Gaussians and quantized as an encoder does. The tool
counts the symbols of each model, and writes the counts as weights into
src/gaussianimage/native/entropy/priors.h and into appendix A of docs/format.md.

The table is part of the format: a file decodes only with the table that it was encoded with. After
a release, another table needs another version of the format. `--appendix-only` copies the table of
the header to the appendix.

The table of version 1 was made from twelve photographs, scaled to a longer side of 768 pixels,
which no benchmark uses: Garden and Storm of Debian's package mate-backgrounds, fog and
this-is-not-windows of lxqt-themes, Bridge, Dragonfly, Kleiber, Picture_0B, Picture_1A and Wine of
lomiri-wallpapers-16.04 and -20.04, and motorcycle_left and coffee of scikit-image 0.26.
"""

import argparse
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.codec.encoder.effort import Effort, effort_level
from gaussianimage.codec.encoder.prepare import PreparedPicture
from gaussianimage.codec.encoder.quantize_fit import ENERGY, FitQuantizer
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.quantizer import QuantizerParameters
from gaussianimage.errors import PictureError
from gaussianimage.fitting.fit import fit
from gaussianimage.picture import Picture, as_picture

ROOT = Path(__file__).resolve().parents[1]
HEADER = ROOT / "src" / "gaussianimage" / "native" / "entropy" / "priors.h"
DOCUMENT = ROOT / "docs" / "format.md"
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".ppm", ".webp")

CONFIDENCE = 30  # symbols that the weights of a model count as
MEMORY = 160
MAX_ALPHABET = 16
TOTAL_WEIGHT = 2048  # of a model, about

# Weights, in symbols, of the priors of a model's counts: the models beside it in its group, and
# the uniform distribution.
FROM_NEIGHBORS, FROM_UNIFORM = 8.0, 2.0

# A picture with more Gaussians has more weight, but less than in proportion.
REFERENCE_COUNT = 1000


class Group(NamedTuple):
    """Successive models of one kind."""

    name: str
    alphabets: list[int]
    related: bool = True  # whether a model resembles the one beside it


# In the order of ModelGroup in layer/models-isa.h. Each set of layers has its own groups.
SET_NAMES = ("of the first layer", "of the second", "of the others", "of a single layer")
GROUPS = (
    *(Group(f"luma {name}, by class", [16] * 16) for name in SET_NAMES),
    *(Group(f"chroma {name}, by luma level and level before", [16] * 16) for name in SET_NAMES),
    Group("second chroma, by chroma level and luma level", [16] * 24),
    Group("alpha, by luma level", [16] * 4),
    Group("size, by amplitude", [16] * 16),
    Group("shear, by amplitude", [16] * 16),
    Group("second shear, by amplitude", [16] * 16),
    Group("size below, size above", [16] * 2),
    Group("split of n = 1 to 14, sixteenth", [*range(2, 16), 16], related=False),
    Group("split at the border of n = 1 to 14, sixteenth", [*range(2, 16), 16], related=False),
)
MODELS = sum(len(group.alphabets) for group in GROUPS)
SINGLE_LAYER_ROWS = np.r_[48:64, 112:128]

Counts = NDArray[np.float64]  # (MODELS, 16)


class Sample(NamedTuple):
    """A quantized picture."""

    layers: list[QuantizedGaussians]
    parameters: QuantizerParameters
    height: int
    width: int
    gaussians: int  # that were fitted


def quantized(picture: Picture, gaussians: int, effort: Effort, threads: int | None) -> Sample:
    """Fit a picture and quantize it with the step that suits the fit."""
    fitted = fit(picture, gaussians, iterations=effort.fit, energy=ENERGY, threads=threads)
    source = PreparedPicture.plain(picture)
    quantizer = FitQuantizer(source, fitted, effort, threads, on_stage=lambda *_: None)
    draft = quantizer.quantize(quantizer.balanced_step())
    return Sample(draft.layers, draft.parameters, picture.height, picture.width, gaussians)


def tally(sample: Sample) -> Counts:
    """Count the symbols of each model, (MODELS, 16).

    The models of a single layer count the Gaussians as one layer, the other models as several.
    """
    if not sample.layers:
        return np.zeros((MODELS, MAX_ALPHABET))
    quantizer = sample.parameters.quantizer(sample.height, sample.width)
    encoder = _native.LayerEncoder(quantizer, len(sample.layers))
    counts = sum(encoder.tally(quantizer, *layer).astype(np.float64) for layer in sample.layers)
    whole = QuantizedGaussians.concatenate(sample.layers)
    single = _native.LayerEncoder(quantizer, 1).tally(quantizer, *whole)
    result = np.array(counts)
    result[SINGLE_LAYER_ROWS] = single[SINGLE_LAYER_ROWS]
    return result


def weight(sample: Sample) -> float:
    """Return the factor of a picture's counts."""
    return float(np.sqrt(REFERENCE_COUNT / sample.gaussians))


def make_weights(counts: Counts) -> list[list[int]]:
    """Convert counts to the weights of the models, at least 1 each.

    The models beside a model in its group, and the uniform distribution, count as a few symbols.
    """
    rows: list[list[int]] = []
    for group in GROUPS:
        size = len(group.alphabets)
        own = counts[len(rows) : len(rows) + size]
        distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
        nearby = np.exp(-distance.astype(np.float64)) @ own
        for model, alphabet in enumerate(group.alphabets):
            mixed = own[model, :alphabet] + FROM_UNIFORM / alphabet
            if group.related:
                neighbors = nearby[model, :alphabet]
                mixed += FROM_NEIGHBORS * neighbors / max(neighbors.sum(), 1)
            share = np.rint(TOTAL_WEIGHT * mixed / mixed.sum())
            rows.append(np.maximum(share, 1).astype(int).tolist())
    return rows


def header_text(rows: Sequence[Sequence[int]]) -> str:
    """Return the text of priors.h."""
    lines = (
        "    {" + ", ".join(map(str, [*row, *[0] * (MAX_ALPHABET - len(row))])) + "},"
        for row in rows
    )
    return "\n".join(
        (
            "// What the layer coder's models start from; "
            "made by tools/train_priors.py, part of the format.",
            "#pragma once",
            "",
            "#include <cstdint>",
            "",
            "namespace gi {",
            "",
            "// Symbols that a model pretends to have seen already.",
            f"constexpr int prior_confidence = {CONFIDENCE};",
            "",
            "// Weights of the symbols, one model in each row, in the order of ModelGroup.",
            f"constexpr uint32_t model_priors[{len(rows)}][{MAX_ALPHABET}] = {{",
            *lines,
            "};",
            "",
            "}  // namespace gi",
            "",
        )
    )


def parse_rows(header: str) -> list[list[int]]:
    """Read the weights from the text of priors.h."""
    table = [[int(w) for w in row.split(",")] for row in re.findall(r"\{([\d, ]+)\}", header)]
    alphabets = [alphabet for group in GROUPS for alphabet in group.alphabets]
    return [row[:alphabet] for row, alphabet in zip(table, alphabets, strict=True)]


def appendix_text(rows: Sequence[Sequence[int]]) -> str:
    """Return the text of appendix A."""
    lines = [
        "## Appendix A. What the models start from",
        "",
        "`row: weights of the symbols 0, 1, …` for the models of 4.3, all with confidence "
        f"{CONFIDENCE} and memory {MEMORY}.",
        "`tools/train_priors.py` makes this table, and the one of the native coder.",
        "",
        "```",
    ]
    numbered = enumerate(rows)
    for group in GROUPS:
        lines.append(f"# {group.name}")
        for _, (number, row) in zip(group.alphabets, numbered, strict=False):
            lines.append(f"{number}: {' '.join(map(str, row))}")
    return "\n".join([*lines, "```", ""])


def with_appendix(document: str, rows: Sequence[Sequence[int]]) -> str:
    """Replace the appendix at the end of a document."""
    body = document.split("\n## Appendix A")[0].rstrip("\n")
    return f"{body}\n\n{appendix_text(rows)}"


def train(
    pictures: Sequence[Path],
    gaussians: Sequence[int],
    effort: Effort,
    threads: int | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> list[list[int]]:
    """Train on pictures, and return the weights of all models."""
    counts = np.zeros((MODELS, MAX_ALPHABET))
    for path, picture in _readable(pictures, report):
        for number in gaussians:
            sample = quantized(picture, number, effort, threads)
            report(f"{path.name}: {sum(len(part.precision) for part in sample.layers)} Gaussians")
            counts += weight(sample) * tally(sample)
    return make_weights(counts)


def _readable(
    paths: Sequence[Path], report: Callable[[str], None]
) -> Iterator[tuple[Path, Picture]]:
    for path in paths:
        try:
            yield path, as_picture(path)
        except PictureError as error:
            report(f"{path.name} is left out: {error}")


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("folder", nargs="?", type=Path, help="pictures to train on")
    source.add_argument(
        "--appendix-only", action="store_true", help="write the appendix from the header"
    )
    parser.add_argument(
        "-n", "--gaussians", type=int, nargs="+", default=[600, 2000, 6000, 16000], metavar="N"
    )
    parser.add_argument("-e", "--effort", type=int, default=5, help="1 to 10")
    parser.add_argument("-j", "--threads", type=int)
    parser.add_argument("--header", type=Path, default=HEADER, help="priors.h, to be written")
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="with the appendix")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, and write both tables."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = parse_arguments(arguments)
    if options.appendix_only:
        rows = parse_rows(options.header.read_text(encoding="utf-8"))
    else:
        files = sorted(p for p in options.folder.iterdir() if p.suffix.lower() in SUFFIXES)
        effort = effort_level(options.effort)
        rows = train(files, options.gaussians, effort, options.threads, logging.info)
        options.header.write_text(header_text(rows), encoding="utf-8")
    document = options.document.read_text(encoding="utf-8")
    options.document.write_text(with_appendix(document, rows), encoding="utf-8")


if __name__ == "__main__":
    main()
