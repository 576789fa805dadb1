import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_benchmark_fits_every_picture_and_writes_what_it_prints(tmp_path, folder):
    output = tmp_path / "new/fit.json"
    command = [sys.executable, BENCHMARKS / "fit.py", "--images", folder, "-n", "20", "40"]
    command += ["--iterations", "10", "--threads", "1", "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())
    runs = results["runs"]
    assert [(r["picture"], r["asked_for"]) for r in runs] == [
        ("a", 20),
        ("b", 20),
        ("a", 40),
        ("b", 40),
    ]
    for run in runs:
        assert f"{run['psnr']:.2f}" in done.stdout
        assert run["psnr_clamped"] >= run["psnr"] - 1e-3
        assert run["gaussians"] == run["asked_for"]
    summary = results["summary"]["40"]
    assert summary["mean_psnr"] == pytest.approx((runs[2]["psnr"] + runs[3]["psnr"]) / 2)
    assert summary["most_seconds"] == max(runs[2]["seconds"], runs[3]["seconds"])
