import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def run(folder, output, *options):
    script = BENCHMARKS / "rate_distortion.py"
    command = [sys.executable, script, "--images", folder, "--output", output, "--threads", "1"]
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=60)


def test_the_benchmark_writes_results_tables_figure_and_sheets(tmp_path, folder):
    output = tmp_path / "new/out"
    options = ["--points", "0.6", "1.2", "--qualities", "--rivals", "jpeg", "--sheets", "1"]
    options += ["--efforts", "2", "1"]
    done = run(folder, output, *options)
    assert done.returncode == 0, done.stderr
    results = json.loads((output / "results.json").read_text())
    assert {r["codec"] for r in results["records"]} == {
        "gaussianimage",
        "gaussianimage-effort-1",
        "jpeg",
    }
    assert [p["name"] for p in results["pictures"]] == ["a", "b"]
    assert results["settings"]["points"] == [0.6, 1.2]
    assert results["versions"]["jpeg"].startswith("Pillow")
    assert (output / "table.md").read_text() in done.stdout
    assert (output / "crops-1.2-bpp.png").exists()
    assert (output / "curves.png").exists() == (find_spec("matplotlib") is not None)
    assert len(list((output / "files").iterdir())) == 8


def test_nothing_of_it_needs_pytorch():
    code = f"""
import sys
sys.modules["torch"] = None
sys.path.insert(0, {str(BENCHMARKS)!r})
import plots, rate_distortion
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_one_point_is_no_curve(tmp_path, folder):
    done = run(folder, tmp_path / "out", "--points", "0.6", "--qualities")
    assert done.returncode == 2
    assert "two" in done.stderr
    assert not (tmp_path / "out").exists()
