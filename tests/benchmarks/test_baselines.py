import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_benchmark_prints_both_tables_and_writes_its_rows(tmp_path, folder):
    output = tmp_path / "new/baselines.json"
    command = [sys.executable, BENCHMARKS / "baselines.py", "--images", folder, "--device", "cpu"]
    command += ["--methods", "ingp", "--coin", "2x8", "--rates", "4", "--iterations", "5"]
    command += ["--batch", "256", "--timed", "0", "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())
    rows = results["rows"]
    assert [(row["method"], row["picture"]) for row in rows[:4]] == [
        ("I-NGP", "a"),
        ("I-NGP", "b"),
        ("COIN 2x8", "a"),
        ("COIN 2x8", "b"),
    ]
    mean = (rows[0]["psnr"] + rows[1]["psnr"]) / 2
    lines = done.stdout.splitlines()
    (ours,) = (line.split() for line in lines if line.startswith("I-NGP  "))
    assert ours[1] == f"{mean:.2f}"
    assert any(line.startswith("I-NGP, published") and "43.88" in line for line in lines)
    assert any(line.startswith("JPEG, 4 bpp") for line in lines)
    assert any(line.startswith("COIN, published (DIV2K)") for line in lines)
    assert results["settings"]["iterations"] == 5
