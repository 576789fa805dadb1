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
    options = ["--points", "0.6", "1.2", "--qualities", "40", "--rivals", "jpeg"]
    options += ["--sheets", "1", "--efforts", "2", "1"]
    done = run(folder, output, *options)
    assert done.returncode == 0, done.stderr
    results = json.loads((output / "results.json").read_text())
    assert {r["codec"] for r in results["records"]} == {
        "gaussianimage",
        "gaussianimage-effort-1",
        "jpeg",
    }
    ours = {(r["effort"], r["dial"], r["setting"]) for r in results["records"] if r["gaussians"]}
    settings = ("bpp", 0.6), ("bpp", 1.2), ("quality", 40)
    assert ours == {(effort, *setting) for effort in (2, 1) for setting in settings}
    assert [p["name"] for p in results["pictures"]] == ["a", "b"]
    assert results["settings"]["points"] == [0.6, 1.2]
    assert results["versions"]["jpeg"].startswith("Pillow")
    assert (output / "table.md").read_text() in done.stdout
    assert (output / "crops-1.2-bpp.png").exists()
    assert (output / "curves.png").exists() == (find_spec("matplotlib") is not None)
    assert len(list((output / "files").iterdir())) == 12


def test_nothing_of_it_needs_pytorch():
    code = f"""
import sys
sys.modules["torch"] = None
sys.path.insert(0, {str(BENCHMARKS)!r})
import rate_distortion
from lib import plots
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_one_point_is_no_curve(tmp_path, folder):
    done = run(folder, tmp_path / "out", "--points", "0.6", "--qualities")
    assert done.returncode == 2
    assert "two" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_curve_may_go_through_a_rate_and_a_quality(tmp_path, folder):
    options = ["--points", "1.2", "--qualities", "40", "--rivals", "jpeg", "--sheets"]
    done = run(folder, tmp_path / "out", *options, "--efforts", "1", "2")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "out/results.json").read_text())
    curves = results["mean_curves"]["psnr"]
    for codec in ("gaussianimage", "gaussianimage-effort-2"):
        assert len(curves[codec]["equal_rates"]["rates"]) >= 2
