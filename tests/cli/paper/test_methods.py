"""The command `paper methods`."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from gaussianimage.cli.paper.methods import METHODS

pytest.importorskip("torch", reason="needs PyTorch")


def test_every_method_fits_and_is_in_the_table(run: Any, folder: Path, tmp_path: Path) -> None:
    arguments = ["paper", "methods", folder, "-o", tmp_path / "out", "-n", 8, "--iterations", 2]
    arguments += ["--method", ",".join(METHODS), "--only", "parrot"]
    result = run(*arguments)
    assert all(f"\n| {name} " in result.stdout for name in METHODS)
    records = sorted((tmp_path / "out" / "methods").glob("*/parrot.json"))
    assert len(records) == len(METHODS)
    measured = {
        json.loads(p.read_bytes())["settings"]["method"]: json.loads(p.read_bytes())
        for p in records
    }
    assert len(measured["layered"]["measured"]["layers"]) == 4
    again = run(*arguments)
    assert again.stdout == result.stdout


def test_the_codec_writes_a_file(run: Any, folder: Path, tmp_path: Path) -> None:
    arguments = ["paper", "methods", folder, "-o", tmp_path / "out", "-n", 8, "--iterations", 2]
    run(*arguments, "--method", "gaussianimage++", "--codec", "--only", "parrot")
    (path,) = (tmp_path / "out" / "methods").glob("*/parrot.bin")
    data = path.read_bytes()
    assert len(data) == 76 + 9 * int.from_bytes(data[:4], "little")


def test_a_codec_that_a_method_lacks_is_refused(fails: Any, folder: Path, tmp_path: Path) -> None:
    arguments = ["paper", "methods", folder, "-o", tmp_path / "out", "-n", 8]
    message = fails(*arguments, "--method", "lig", "--codec", code=2)
    assert "only gaussianimage++ has one here" in str(message)


def test_the_command_lists_the_methods_that_there_are() -> None:
    run = importlib.import_module("gaussianimage.paper.methods.run")
    assert tuple(run.METHODS) == METHODS
