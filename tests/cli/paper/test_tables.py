"""The command `paper tables`: tables of existing results."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
QUICK = ["-n", 30, "--iterations", 4, "--timed", 0, "--device", "cpu", "--learning-rate", 0.02]


@needs_torch
def test_tables_are_printed_again_from_the_folder(run: Any, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run("paper", "represent", folder, "-o", out, *QUICK, "--offset", "with,without")
    again = run("paper", "tables", out)
    assert again.stdout == first.stdout == (out / "tables.md").read_text()
    assert "## Table 5" in again.stdout
    assert again.stderr == ""


@needs_torch
@pytest.mark.parametrize(
    "options",
    [["--loss", "l1"], ["--loss", "l2+l1"], ["--offset", "without"], ["--model", "3dgs"]],
)
def test_fits_that_no_table_of_the_paper_has_are_printed_too(
    run: Any, folder: Path, tmp_path: Path, options: list[str]
) -> None:
    out = tmp_path / "out"
    first = run("paper", "represent", folder, "-o", out, *QUICK, *options)
    assert first.exit_code == 0
    assert first.stdout.startswith("## Other fits of pictures\n")
    assert run("paper", "tables", out).stdout == first.stdout == (out / "tables.md").read_text()


@needs_torch
def test_a_codec_that_no_table_of_the_paper_has_is_printed_too(
    run: Any, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = run("paper", "compress", folder, "-o", out, *QUICK, "--variants", "v2")
    assert first.exit_code == 0
    assert first.stdout.startswith("## Other codecs on pictures\n")


def test_tables_of_nothing_are_an_error(fails: Any, tmp_path: Path) -> None:
    assert fails("paper", "tables", tmp_path) == f"{tmp_path}: no results in it"
    missing = tmp_path / "missing"
    assert fails("paper", "tables", missing) == f"{missing}: No such file or directory"
    (tmp_path / "represent/x").mkdir(parents=True)
    (tmp_path / "represent/x/a.json").write_text("{}")
    line = fails("paper", "tables", tmp_path)
    assert line == f"{tmp_path}/represent/x/a.json: no result of gaussianimage paper, version 1"


def test_an_empty_name_is_not_the_working_folder(fails: Any) -> None:
    assert fails("paper", "tables", "", code=2).startswith("a file's name is empty")
