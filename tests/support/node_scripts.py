"""Runs of JavaScript modules in Node."""

import json
import subprocess
from collections.abc import Sequence
from typing import Any


def run_script(node: str, script: str, requests: Sequence[Any]) -> list[str]:
    """Return the lines that a module prints, which reads the requests as JSON."""
    result = subprocess.run(
        [node, "--input-type=module", "-e", script],
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()
