"""The tool that makes the table of the alpha maps, and the equality of both copies of it."""

import re
import sys
from pathlib import Path

import numpy as np
from plain.appendix import ALPHA_BLOCKS, ALPHA_PIXELS, alpha_priors

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import train_alpha_priors as tool  # noqa: E402


def test_the_document_has_the_table_of_the_native_coder() -> None:
    header = tool.HEADER.read_text(encoding="utf-8")
    blocks, pixels = tool.parse_tables(header)
    assert tool.header_text(blocks, pixels) == header
    assert (blocks, pixels) == (ALPHA_BLOCKS, ALPHA_PIXELS)
    document = tool.DOCUMENT.read_text(encoding="utf-8")
    assert tool.with_table(document, tool.document_table(blocks, pixels)) == document


def test_contexts_are_those_of_the_document() -> None:
    classes = np.array([[0, 1, 1, 2], [0, 1, 1, 1]])
    blocks, pixels = np.zeros((16, 4)), np.zeros((324, 3))
    tool.tally(classes, blocks, pixels)
    assert blocks[0, tool.MIXED] == 1
    # The last pixel: W, N, NW and NE are 1, 2, 1 and 0; WW is W, and NN is not N.
    assert pixels[4 * (27 + 18 + 3) + 2, tool.OPAQUE] == 1
    # The first one has nothing but what is beyond the edges.
    assert pixels[3, tool.TRANSPARENT] == 1
    assert pixels.sum() == 8


def test_models_that_met_nothing_are_uniform_and_none_has_a_zero() -> None:
    rows = tool.make_weights(np.zeros((8, 3)), 4)
    assert all(len(set(row)) == 1 for row in rows)
    counts = np.zeros((8, 3))
    counts[0, 1] = 1e6
    rows = tool.make_weights(counts, 4)
    assert min(map(min, rows)) >= 1
    assert rows[1][1] > rows[1][0]  # the one beside it leans on it
    assert len(set(rows[4])) == 1


def test_training_writes_both_tables(tmp_path: Path) -> None:
    header, document = tmp_path / "priors.h", tmp_path / "format.md"
    document.write_text("# Text\n\n```\nblock 0: 1 2 3\n```\n\nMore.\n")
    tool.main(["--pictures", "9", "--header", str(header), "--document", str(document)])
    blocks, pixels = tool.parse_tables(header.read_text())
    assert (len(blocks), len(pixels)) == (16, 324)
    text = document.read_text()
    assert alpha_priors(text, "block") == blocks
    assert alpha_priors(text, "pixel") == pixels
    assert re.match(r"# Text\n", text)
    assert text.endswith("More.\n")
