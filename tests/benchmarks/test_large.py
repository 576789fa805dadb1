import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_benchmark_encodes_a_mosaic_in_a_process_for_each_kind(tmp_path, pixels):
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(np.tile(pixels, (3, 3, 1))).save(folder / "a.png")
    output = tmp_path / "large.json"
    command = [sys.executable, BENCHMARKS / "large.py", "--images", folder, "--size", "200", "150"]
    command += ["--quality", "20", "--threads", "1", "--rounds", "2", "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())
    assert results["settings"]["size"] == [200, 150]
    runs = results["runs"]
    assert [run["tune"] for run in runs] == ["psnr", "eye", "psnr", "eye"]
    for first, second in zip(runs[:2], runs[2:], strict=True):
        assert first["bytes"] == second["bytes"] > 100
        assert first["psnr"] == pytest.approx(second["psnr"])
    for run in runs:
        assert f"{run['bytes']:,}" in done.stdout
        assert run["cpu_seconds"] > 0
        assert 20 < run["peak_megabytes"] < 2000
