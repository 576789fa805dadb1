"""benchmarks/speed.py runs, and writes what its README says."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_it_times_all_decoders_and_writes_json(tmp_path):
    output = tmp_path / "speed.json"
    command = [sys.executable, "benchmarks/speed.py", "--image", "tests/data/parrot.png"]
    options = ["-n", "60", "--rounds", "2", "--effort", "1", "--output", str(output)]
    run = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert "gaussianimage, 2 threads" in run.stdout
    results = json.loads(output.read_text())["results"]["60"]
    assert 0 < results["gaussians"] <= 60
    assert results["files"]["gaussianimage"]["bytes"] > 100
    for rival in ("JPEG", "WebP"):
        assert results["seconds"][rival]["median"] > 0
        assert results["files"][rival]["psnr"] > 10
