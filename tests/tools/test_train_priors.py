"""The tool that makes the table of the layer coder, and the equality of both copies of it."""

import sys
from pathlib import Path

import numpy as np
import pytest
from plain.appendix import PRIORS, priors
from samples import levels, make_parameters

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import train_priors as tool  # noqa: E402


def test_the_document_has_the_table_of_the_native_coder() -> None:
    header = tool.HEADER.read_text(encoding="utf-8")
    rows = tool.parse_rows(header)
    assert tool.header_text(rows) == header
    assert rows == PRIORS
    document = tool.DOCUMENT.read_text(encoding="utf-8")
    assert tool.with_appendix(document, rows) == document


def test_models_that_met_nothing_are_uniform() -> None:
    rows = tool.make_weights(np.zeros((tool.MODELS, tool.MAX_ALPHABET)))
    alphabets = [alphabet for group in tool.GROUPS for alphabet in group.alphabets]
    assert [len(row) for row in rows] == alphabets
    assert all(len(set(row)) == 1 for row in rows)


def test_weights_follow_the_counts_and_are_never_zero() -> None:
    counts = np.zeros((tool.MODELS, tool.MAX_ALPHABET))
    counts[160, 3] = 3e6
    counts[160, 5] = 1e6
    rows = tool.make_weights(counts)
    assert rows[160][3] == pytest.approx(3 * rows[160][5], rel=0.01)
    assert min(map(min, rows)) >= 1
    # A neighbor in the group leans on it, another group does not.
    assert rows[161][3] > 2 * rows[161][4]
    assert len(set(rows[172])) == 1


@pytest.mark.parametrize("counts", [(), (30,), (10, 20, 30)])
def test_symbols_are_counted_by_model(counts: tuple[int, ...]) -> None:
    layers = [levels(seed, count) for seed, count in enumerate(counts)]
    sample = tool.Sample(layers, make_parameters(3), 12, 16, 250)
    table = tool.tally(sample)
    total = sum(counts)
    # Each Gaussian has one luma, in both ways to write it, and one size.
    assert table[:48].sum() == (total if len(counts) > 1 else 0)
    assert table[48:64].sum() == total
    assert table[156:172].sum() == total
    assert table[152:156].sum() == 0
    assert tool.weight(sample) == 2


def test_training_writes_both_tables(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "parrot.png").symlink_to(ROOT / "tests" / "data" / "parrot.png")
    (pictures / "broken.png").write_bytes(b"not a picture")
    (pictures / "notes.txt").write_text("no picture either")
    header, document = tmp_path / "priors.h", tmp_path / "format.md"
    document.write_text("# Text\n\n## Appendix A. Old\n\n0: 1 2 3\n")
    arguments = [str(pictures), "-n", "40", "--effort", "1"]
    tool.main([*arguments, "--header", str(header), "--document", str(document)])
    text = document.read_text()
    assert text.startswith("# Text\n\n## Appendix A. ")
    rows = tool.parse_rows(header.read_text())
    assert priors(text) == rows
    assert len(rows) == tool.MODELS
    assert rows != PRIORS


def test_the_appendix_alone_can_be_renewed(tmp_path: Path) -> None:
    document = tmp_path / "format.md"
    document.write_text("# Text\n")
    before = tool.HEADER.read_bytes()
    tool.main(["--appendix-only", "--document", str(document)])
    assert priors(document.read_text()) == PRIORS
    assert tool.HEADER.read_bytes() == before


@pytest.mark.parametrize("arguments", [[], ["folder", "--appendix-only"]])
def test_a_folder_or_the_appendix_must_be_asked_for(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        tool.main(arguments)
