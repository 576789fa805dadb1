"""Pictures, files, and two ways to run a command, for the tests of the command line."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import gaussianimage
from gaussianimage.cli import cli

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture
def parrot() -> Path:
    """Return a photo of 96 x 64 pixels."""
    return DATA / "parrot.png"


@pytest.fixture
def plane() -> Path:
    """Return another photo of 96 x 64 pixels."""
    return DATA / "plane.png"


@pytest.fixture(scope="session")
def encoded() -> bytes:
    """Return the parrot as a .gimg file of a few Gaussians."""
    return gaussianimage.encode(DATA / "parrot.png", gaussians=40)


@pytest.fixture
def gimg(tmp_path: Path, encoded: bytes) -> Path:
    """Return the path of that file."""
    path = tmp_path / "parrot.gimg"
    path.write_bytes(encoded)
    return path


@pytest.fixture
def run() -> Callable[..., Result]:
    """Return a function that runs a command in this process and checks its exit code."""

    def run(*arguments: Any, code: int = 0, stdin: bytes | None = None) -> Result:
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin)
        assert result.exit_code == code, (result.output, result.exc_info)
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
def fails(run: Callable[..., Result]) -> Callable[..., str]:
    """Return a function that runs a command that fails, and returns its one line."""

    def fails(*arguments: Any, code: int = 1, stdin: bytes | None = None) -> str:
        result = run(*arguments, code=code, stdin=stdin)
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("gaussianimage: ")
        return str(line.removeprefix("gaussianimage: "))

    return fails


@pytest.fixture
def program() -> Callable[..., "subprocess.CompletedProcess[bytes]"]:
    """Return a function that runs the program in a process of its own."""

    def program(*arguments: Any, **options: Any) -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, "-m", "gaussianimage", *map(str, arguments)]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60} | options
        return subprocess.run(command, check=False, **options)

    return program
