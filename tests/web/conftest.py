"""Fixtures of the tests of the browser's part: Node, a browser, and pages served to it."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

Reports = list[dict[str, Any]]


@pytest.fixture(scope="session")
def node() -> str:
    """Return the path of Node 20 or newer."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("Node is not installed")
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    if int(told.removeprefix("v").split(".")[0]) < 20:
        pytest.skip(f"Node 20 or newer is needed, not {told.strip()}")
    return path


@pytest.fixture(scope="session")
def report(node: str) -> Callable[[Sequence[dict[str, Any]]], Reports]:
    """Return a function that decodes files in JavaScript, in one process of Node."""

    def run(requests: Sequence[dict[str, Any]]) -> Reports:
        script = Path(__file__).with_name("report.mjs")
        result = subprocess.run(
            [node, str(script)],
            input=json.dumps([*requests], default=str),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    return run
