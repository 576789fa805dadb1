"""Make the initial weights of the models of alpha maps, from shapes that the tool draws.

Usage: python tools/train_alpha_priors.py
       python tools/train_alpha_priors.py --document-only

The shapes are typical of icons, logos and cut-out pictures: disks, rings, polygons, lines, rounded
rectangles, soft shadows, and blobs with hair. The tool counts the symbols of each context of
section 4.9 of docs/format.md in them, and writes the counts as weights into
src/gaussianimage/native/entropy/alpha_priors.h and into that section.

The table is part of the format: after a release, another table needs another version of the format.
`--document-only` copies the table of the header to the document.
"""

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

ROOT = Path(__file__).resolve().parents[1]
HEADER = ROOT / "src" / "gaussianimage" / "native" / "entropy" / "alpha_priors.h"
DOCUMENT = ROOT / "docs" / "format.md"

BLOCK = 8
TRANSPARENT, OPAQUE, BETWEEN, MIXED = range(4)
SIDES = (16, 24, 32, 48, 64, 96, 128)
PICTURES = 280
FINER = 8  # shapes are drawn larger by this factor, and averaged
TOTAL_WEIGHT = 256  # of a model, about
# Weights, in symbols, of the priors of a model's counts: the models of pixels with the same four
# neighbors, and the uniform distribution.
FROM_BESIDE, FROM_UNIFORM = 2.0, 1.0

Counts = NDArray[np.float64]


def alphas(pictures: int = PICTURES) -> Iterator[NDArray[np.uint8]]:
    """Yield alpha channels, (side, side)."""
    for seed in range(pictures):
        rng = np.random.default_rng(seed)
        side = SIDES[seed % len(SIDES)]
        yield _shaded(_shape(rng, seed % 8, side), rng, side)


def _shape(rng: np.random.Generator, kind: int, side: int) -> Image.Image:
    size = side * FINER
    image = Image.new("L", (size, size))
    draw = ImageDraw.Draw(image)

    def points(count: int) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in rng.uniform(0, size, (count, 2))]

    def box(low: float, high: float) -> list[float]:
        return [low * size, low * size, high * size, high * size]

    margin = rng.uniform(0.02, 0.1)
    if kind == 0:
        draw.rounded_rectangle(box(margin, 1 - margin), rng.uniform(0, 0.4) * size, fill=255)
    elif kind == 1:
        for _ in range(3):
            x, y, r = rng.uniform(0, 0.9, 3) * size
            draw.ellipse([x, y, x + r / 2, y + r / 2], fill=255)
    elif kind == 2:
        draw.polygon(points(6), fill=255)
    elif kind == 3:
        for _ in range(4):
            draw.line(points(2), fill=255, width=int(rng.uniform(0.03, 0.15) * size))
    elif kind == 4:
        draw.ellipse(box(margin, 1 - margin), fill=255)
    elif kind == 5:
        angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        radius = 0.32 + 0.1 * np.sin(3 * angles + rng.uniform(0, 6)) + 0.04 * np.sin(7 * angles)
        outline = 0.5 + radius * np.array([np.cos(angles), np.sin(angles)])
        draw.polygon([(float(x), float(y)) for x, y in size * outline.T], fill=255)
        for angle in rng.uniform(0, 2 * np.pi, 12):  # hair
            ends = 0.5 + np.array([[0.3], [0.48]]) * [np.cos(angle), np.sin(angle)]
            draw.line([tuple(end) for end in size * ends], fill=255, width=FINER // 2)
    elif kind == 6:
        draw.ellipse(box(margin, 1 - margin), fill=255)
        hole = rng.uniform(0.2, 0.4)
        draw.ellipse(box(hole, 1 - hole), fill=0)
    else:
        draw.rectangle(box(0.1, 0.9), fill=255)
        draw.polygon(points(3), fill=0)
    return image.resize((side, side), Image.Resampling.BOX)


def _shaded(image: Image.Image, rng: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """Add a soft shadow to some of the shapes."""
    alpha = np.asarray(image, np.float64)
    if rng.uniform() < 0.25:
        blurred = image.filter(ImageFilter.GaussianBlur(side * rng.uniform(0.01, 0.05)))
        shadow = np.roll(np.asarray(blurred, np.float64) / 2, side // 24, (0, 1))
        alpha = alpha + shadow * (1 - alpha / 255)
    return np.rint(alpha).astype(np.uint8)


def classify(alpha: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the class of each pixel."""
    return np.where(alpha == 0, TRANSPARENT, np.where(alpha == 255, OPAQUE, BETWEEN))


def tally(classes: NDArray[np.int64], blocks: Counts, pixels: Counts) -> None:
    """Count the symbols of each context of blocks (16, 4) and of pixels (324, 3) in a map."""
    height, width = classes.shape
    tops, lefts = range(0, height, BLOCK), range(0, width, BLOCK)
    kinds = np.full((len(tops) + 1, len(lefts) + 1), TRANSPARENT)
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            inside = classes[top : top + BLOCK, left : left + BLOCK]
            kinds[row + 1, column + 1] = inside[0, 0] if np.ptp(inside) == 0 else MIXED
    np.add.at(blocks, (4 * kinds[1:, :-1] + kinds[:-1, 1:], kinds[1:, 1:]), 1)
    padded = np.pad(classes, ((2, 0), (2, 1)), constant_values=TRANSPARENT)
    west, northwest = padded[2:, 1:-2], padded[1:-1, 1:-2]
    north, northeast = padded[1:-1, 2:-1], padded[1:-1, 3:]
    context = 27 * west + 9 * north + 3 * northwest + northeast
    context = 4 * context + 2 * (padded[2:, :-3] == west) + (padded[:-2, 2:-1] == north)
    in_mixed = np.kron(kinds[1:, 1:] == MIXED, np.ones((BLOCK, BLOCK), bool))[:height, :width]
    np.add.at(pixels, (context[in_mixed], classes[in_mixed]), 1)


def make_weights(counts: Counts, beside: int = 1) -> list[list[int]]:
    """Convert counts to integer weights of about the same sum, at least 1 each.

    Models without counts get equal weights. Groups of `beside` successive models are related.
    """
    together = counts.reshape(-1, beside, counts.shape[1]).sum(axis=1) + FROM_UNIFORM
    together /= together.sum(axis=1, keepdims=True)
    shares = counts + FROM_BESIDE * np.repeat(together, beside, axis=0)
    shares /= shares.sum(axis=1, keepdims=True)
    rows: list[list[int]] = np.maximum(np.rint(TOTAL_WEIGHT * shares), 1).astype(int).tolist()
    return rows


def train(pictures: int = PICTURES) -> tuple[list[list[int]], list[list[int]]]:
    """Return the weights of the models of blocks and of pixels."""
    blocks, pixels = np.zeros((16, 4)), np.zeros((324, 3))
    for alpha in alphas(pictures):
        tally(classify(alpha), blocks, pixels)
    return make_weights(blocks), make_weights(pixels, 4)


def header_text(blocks: Sequence[Sequence[int]], pixels: Sequence[Sequence[int]]) -> str:
    """Return the table as a C++ header."""

    def array(name: str, rows: Sequence[Sequence[int]], comment: str) -> list[str]:
        lines = [f"    {{{', '.join(map(str, row))}}}," for row in rows]
        head = f"constexpr uint32_t {name}[{len(rows)}][{len(rows[0])}] = {{"
        return [f"// {comment}", head, *lines, "};"]

    parts = [
        "// What the models of alpha maps start from. Made by tools/train_alpha_priors.py.",
        "#pragma once",
        "",
        "#include <cstdint>",
        "",
        "namespace gi {",
        "",
        "// clang-format off",
        *array("alpha_block_priors", blocks, "By the kinds of the block to the left and above."),
        "",
        *array("alpha_pixel_priors", pixels, "4 (27 W + 9 N + 3 NW + NE) + 2 (WW = W) + (NN = N)."),
        "// clang-format on",
        "",
        "}  // namespace gi",
        "",
    ]
    return "\n".join(parts)


def parse_tables(header: str) -> tuple[list[list[int]], list[list[int]]]:
    """Read the weights of a header."""
    rows = [
        [int(n) for n in row.split(",")] for row in re.findall(r"^    {([\d, ]+)},$", header, re.M)
    ]
    return rows[:16], rows[16:]


def document_table(blocks: Sequence[Sequence[int]], pixels: Sequence[Sequence[int]]) -> str:
    """Return the table of docs/format.md, in which a model is a group of numbers."""

    def lines(name: str, rows: Sequence[Sequence[int]], per_line: int) -> list[str]:
        return [
            f"{name} {first // per_line}: "
            + ", ".join(" ".join(map(str, row)) for row in rows[first : first + per_line])
            for first in range(0, len(rows), per_line)
        ]

    return "\n".join(["```", *lines("block", blocks, 4), *lines("pixel", pixels, 12), "```"])


def with_table(document: str, table: str) -> str:
    """Replace the table of a document."""
    return re.sub(r"```\nblock 0: .*?```", lambda _: table, document, flags=re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, and write both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--document-only", action="store_true", help="take the header's table")
    parser.add_argument("--pictures", type=int, default=PICTURES, help="how many to draw")
    parser.add_argument("--header", type=Path, default=HEADER)
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    options = parser.parse_args(arguments)
    if options.document_only:
        tables = parse_tables(options.header.read_text(encoding="utf-8"))
    else:
        tables = train(options.pictures)
        options.header.write_text(header_text(*tables), encoding="utf-8")
    document = options.document.read_text(encoding="utf-8")
    options.document.write_text(with_table(document, document_table(*tables)), encoding="utf-8")


if __name__ == "__main__":
    main()
