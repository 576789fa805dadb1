import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_benchmark_extrapolates_what_it_measures(tmp_path, folder):
    output = tmp_path / "batch.json"
    command = [sys.executable, BENCHMARKS / "batch.py", "--images", folder, "--parts", "photos"]
    command += ["--efforts", "1", "--photos", "2", "--page", "96", "64", "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = json.loads(output.read_text())["photos"]["1"]
    assert found["photos"] == 2
    assert found["megapixels"] == 96 * 64 / 1e6
    assert found["million_cpu_hours"] * 3600 == pytest.approx(found["cpu_seconds"] * 1e6)
    assert found["million_gigabytes"] * 1e9 == pytest.approx(found["bytes_out"] * 1e6)
    assert f"{found['cpu_seconds']:.1f}" in done.stdout
