import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_benchmark_times_every_picture_and_writes_what_it_prints(tmp_path, folder):
    output = tmp_path / "coarse_grids.json"
    command = [sys.executable, BENCHMARKS / "coarse_grids.py", "--images", folder, "--bpp", "1"]
    command += ["--effort", "1", "--rounds", "2", "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    runs = json.loads(output.read_text())["runs"]
    assert [run["picture"] for run in runs] == ["a", "b"]
    for run in runs:
        assert 0 <= run["large"] <= run["gaussians"]
        assert f"{run['iteration_ratio']:.2f}" in done.stdout
