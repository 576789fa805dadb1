"""benchmarks/effort.py runs, and compares with effort 5."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_efforts_are_compared_with_the_default(tmp_path):
    output = tmp_path / "effort.json"
    command = [sys.executable, "benchmarks/effort.py", "--images", "tests/data/parrot.png"]
    options = ["--efforts", "1", "--qualities", "20", "50", "80", "--output", str(output)]
    subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    summary = json.loads(output.read_text())["summary"]
    assert set(summary) == {"1", "5"}
    assert summary["5"]["bd_rate"] == 0
    assert summary["1"]["bd_rate"] > 0
