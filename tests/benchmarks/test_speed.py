"""benchmarks/speed.py runs, and writes what its README says."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(output, *options, **environment):
    command = [sys.executable, "benchmarks/speed.py", "--image", "tests/data/parrot.png", "--quick"]
    return subprocess.run(
        [*command, "--rounds", "2", "--output", str(output), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env=os.environ | environment,
    )


def test_it_times_everything_and_writes_json(tmp_path):
    output = tmp_path / "speed.json"
    done = run(output, "-n", "100")
    assert "gaussianimage, 2 threads" in done.stdout
    assert "R²" in done.stdout
    report = json.loads(output.read_text())
    assert report["environment"]["compiler"]
    results = report["results"]["100 Gaussians"]
    assert 0 < results["gaussians"] <= 100
    assert results["files"]["gaussianimage"]["bytes"] > 100
    for rival in ("baseline JPEG", "progressive JPEG", "WebP"):
        assert "Pillow" in report["settings"]["rivals"][rival]
        assert results["seconds"][f"{rival}, 1 thread"]["median"] > 0
        assert results["frames_per_second"][f"{rival}, 2 at a time"] > 0
        assert results["files"][rival]["psnr"] > 10
    assert set(report["footprint"]["decode_peak_bytes"] or {"1": 0, "2": 0}) == {"1", "2"}
    assert len(report["footprint"]["import_seconds"]) == 3
    points = report["scaling"]["points"]
    assert [point["width"] for point in points] == [96, 96, 192]
    assert points[2]["gaussians"] == 2 * points[1]["gaussians"]
    assert report["scaling"]["fits"]["1"]["worst"] >= 0


def test_a_rival_that_is_not_installed_is_left_out_with_a_line_that_says_so(tmp_path):
    for module in ("simplejpeg", "pillow_jxl"):
        (tmp_path / f"{module}.py").write_text("raise ImportError\n")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    output = tmp_path / "speed.json"
    done = run(output, "--bpp", "0.4", PYTHONPATH=path)
    for line in (
        "baseline JPEG by simplejpeg is left out: simplejpeg is not installed.",
        "JPEG XL is left out: pillow-jxl-plugin is not installed.",
    ):
        assert line in done.stderr.splitlines()
    files = json.loads(output.read_text())["results"]["0.4 bpp"]["files"]
    assert {"gaussianimage", "baseline JPEG"} <= set(files)
    assert not {"baseline JPEG by simplejpeg", "JPEG XL"} & set(files)
    assert files["gaussianimage"]["bpp"] <= 0.4
