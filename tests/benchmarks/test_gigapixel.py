import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def run(*arguments: object, code: int = 0) -> str:
    command = [sys.executable, BENCHMARKS / "gigapixel.py", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    return done.stdout


def records(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "records.json").read_text())["records"]
    return found


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "ab":
        photo = rng.integers(0, 256, (18, 20, 3), np.uint8)
        Image.fromarray(photo).resize((200, 180)).save(folder / f"{name}.png")
    return folder


def test_the_benchmark_measures_a_picture_of_tiles(tmp_path: Path, photos: Path) -> None:
    options = ["--side", 300, "--tile", 128, "--quality", 20, "--work", tmp_path / "work"]
    told = run("--images", photos, *options, "--parts", "tiled", "strips", "windows")
    found = records(tmp_path / "work")
    assert found["tiled"]["share"] == 1
    assert f"{found['tiled']['psnr']:.2f}" in told
    assert found["tiled"]["peak_megabytes"] > 10
    assert found["strips"]["share"] == pytest.approx(256 / 300)
    assert abs(found["strips"]["psnr"] - found["tiled"]["psnr"]) < 2
    assert found["windows"]["runs"][0]["zoom"] == 1
    # What is done is not done again, and another picture is not mixed with it.
    run("--images", photos, *options)
    assert {part: records(tmp_path / "work")[part] for part in found} == found
    run("--images", photos, *options, "--tune", "psnr", code=1)


@pytest.mark.skipif(
    not all(map(shutil.which, ("opj_compress", "opj_decompress", "cjxl", "djxl"))),
    reason="OpenJPEG's or libjxl's tools are not installed",
)
def test_other_formats_get_the_size_of_the_tiled_file(tmp_path: Path) -> None:
    options = ["--kind", "terrain", "--side", 300, "--tile", 128, "--work", tmp_path]
    run(*options, "--parts", "jpeg2000", "jpegxl")
    found = records(tmp_path)
    for rival in ("jpeg2000", "jpegxl"):
        assert found[rival]["bytes"] == pytest.approx(found["tiled"]["bytes"], rel=0.2)
        assert 15 < found[rival]["psnr"] < 50


def test_a_run_that_is_cut_short_prints_its_table_and_goes_on(tmp_path: Path) -> None:
    options = ["--kind", "terrain", "--side", 1500, "--tile", 64, "--parts", "tiled"]
    told = run(*options, "--seconds", 3, "--work", tmp_path, code=130)
    assert "interrupted" in told
    assert "1500 x 1500, terrain" in told
    found = records(tmp_path)
    assert "source" in found
    assert found.get("tiled", {}).get("share", 0) < 1
