import json
import subprocess
import sys
from pathlib import Path

from PIL import Image

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_benchmark_measures_every_picture_and_writes_what_it_prints(tmp_path, folder):
    output, sheet = tmp_path / "grain.json", tmp_path / "sheet.png"
    command = [sys.executable, BENCHMARKS / "grain.py", "--images", folder, "--bpp", "1"]
    command += ["--effort", "1", "--rounds", "2", "--output", output, "--sheet", sheet]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    runs = json.loads(output.read_text())["runs"]
    assert [run["picture"] for run in runs] == ["a", "b"]
    for run in runs:
        assert run["share_with"] >= run["share_without"] > 0
        assert run["grain_bytes"] <= 0.02 * run["bytes"]
        assert f"{run['psnr_with']:.2f}" in done.stdout
    with Image.open(sheet) as image:
        assert image.width % 6 == 0
