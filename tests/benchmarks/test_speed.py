"""benchmarks/speed.py runs, and writes what its README says."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_it_times_everything_and_writes_json(tmp_path):
    output = tmp_path / "speed.json"
    command = [sys.executable, "benchmarks/speed.py", "--image", "tests/data/parrot.png", "--quick"]
    options = ["-n", "100", "--rounds", "2", "--output", str(output)]
    run = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert "gaussianimage, 2 threads" in run.stdout
    assert "R²" in run.stdout
    report = json.loads(output.read_text())
    assert report["environment"]["compiler"]
    results = report["results"]["100"]
    assert 0 < results["gaussians"] <= 100
    assert results["files"]["gaussianimage"]["bytes"] > 100
    for rival in ("JPEG", "WebP"):
        assert results["seconds"][f"{rival}, 1 thread"]["median"] > 0
        assert results["frames_per_second"][f"{rival}, 2 at a time"] > 0
        assert results["files"][rival]["psnr"] > 10
    assert set(report["footprint"]["decode_peak_bytes"] or {"1": 0, "2": 0}) == {"1", "2"}
    assert len(report["footprint"]["import_seconds"]) == 3
    points = report["scaling"]["points"]
    assert [point["width"] for point in points] == [96, 96, 192]
    assert points[2]["gaussians"] == 2 * points[1]["gaussians"]
    assert report["scaling"]["fits"]["1"]["worst"] >= 0
