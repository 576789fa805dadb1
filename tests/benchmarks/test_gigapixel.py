import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.parametrize("kind", ["mosaic", "synthetic"])
def test_the_benchmark_measures_a_picture_of_tiles(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    for name in "ab":
        photo = rng.integers(0, 256, (18, 20, 3), np.uint8)
        Image.fromarray(photo).resize((200, 180)).save(tmp_path / f"{name}.png")
    output = tmp_path / "gigapixel.json"
    command = [sys.executable, BENCHMARKS / "gigapixel.py", "--images", tmp_path, "--side", "300"]
    command += ["--tile", "128", "--kind", kind, "--quality", "20", "--output", output]
    if kind == "mosaic":
        command += ["--beside"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())
    tiled = results["runs"]["tiled"]
    assert f"{tiled['psnr']:.2f}" in done.stdout
    assert tiled["peak_megabytes"] > 10
    assert 0.3 < results["seams"]["ratio"] < 3
    assert results["windows"][0]["zoom"] == 1
    if kind == "mosaic":
        assert {"strips as ordinary files", "JPEG 2000, tiles"} < set(results["runs"])
    assert not (tmp_path / "gigapixel.gimg").exists()
