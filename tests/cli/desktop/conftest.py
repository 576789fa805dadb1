"""A data folder, and a program of an odd name, for the tests of `desktop`."""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def make_program() -> Callable[[Path, str], Path]:
    """Return a function that writes a shell script to a path."""

    def make_program(path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make_program


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the data folder of a user, which is not there yet."""
    folder = tmp_path / "data"
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    return folder


@pytest.fixture
def started_program(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_program: Callable[[Path, str], Path],
) -> Path:
    """Return an executable that runs the package, by which this process seems to be started."""
    if os.name != "posix":
        pytest.skip("needs a shell")
    path = tmp_path / 'it\'s "odd", $HOME `x` 100%i \\n' / "gaussianimage"
    make_program(path, f'exec "{sys.executable}" -m gaussianimage "$@"')
    monkeypatch.setattr(sys, "argv", [str(path)])
    return path
