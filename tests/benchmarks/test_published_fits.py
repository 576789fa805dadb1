"""benchmarks/published_fits.py keeps what it has, and sets published figures beside it."""

import json

import numpy as np
import pytest
from PIL import Image
from published_fits import PUBLISHED, main, parse_fit, table

import gaussianimage
from gaussianimage.metrics import psnr


def test_a_fit_is_a_number_with_or_without_iterations():
    assert parse_fit("5000") == (5000, 1000)
    assert parse_fit("10000:3000") == (10000, 3000)


@pytest.mark.parametrize("text", ["", "x", "0", "5:-1", "5:x", "5:3:1"])
def test_other_fits_are_refused(text):
    with pytest.raises(Exception, match="expected N"):
        parse_fit(text)


def test_every_fit_of_every_picture_is_measured_once(tmp_path, folder, capsys):
    output = tmp_path / "fits.json"
    options = ["--images", str(folder), "--fits", "20:3", "30:2", "--output", str(output)]
    options += ["--threads", "1"]
    main(options)
    first = capsys.readouterr().out
    runs = json.loads(output.read_text())["runs"]
    assert [(run["picture"], run["n"]) for run in runs] == [
        (name, n) for n in (20, 30) for name in "ab"
    ]
    with Image.open(folder / "a.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    fit = gaussianimage.fit(pixels, 20, iterations=3)
    image = np.clip(gaussianimage.render(fit.gaussians), 0, 1)
    assert runs[0]["psnr"] == pytest.approx(psnr(pixels.astype(np.float32) / 255, image), abs=1e-4)
    assert runs[0]["seconds"] > 0
    assert runs[0]["memory_mib"] > 10
    assert "20  ours, 3 iterations" in first
    # The second call measures only what is new.
    main([*options[:2], "--fits", "20:3", "25:1", *options[5:]])
    again = json.loads(output.read_text())["runs"]
    assert again[:4] == runs
    assert [(run["picture"], run["n"]) for run in again[4:]] == [("a", 25), ("b", 25)]


def test_clamped_fits_are_kept_beside_the_others(tmp_path, folder, capsys):
    output = tmp_path / "fits.json"
    options = ["--images", str(folder), "--fits", "20:3", "--output", str(output)]
    main([*options, "--threads", "1"])
    main([*options, "--threads", "1", "--clamped"])
    runs = json.loads(output.read_text())["runs"]
    assert [run["clamped"] for run in runs] == [False, False, True, True]
    out = capsys.readouterr().out
    assert "ours, 3 iterations, clamped" in out
    assert len(table(runs)) == 2


def test_published_figures_stand_below_their_number_of_gaussians():
    figures = {"psnr": 40.0, "ms_ssim": None, "seconds": 1.0, "cpu_seconds": 2.0}
    run = {"n": 50000, "iterations": 1000, "memory_mib": 100.0} | figures
    rows = table([run, run | {"psnr": 42.0}])
    assert rows[0] == ("50000", "ours, 1000 iterations", "41.00", "", "1.0", "2.0", "100", "2")
    assert [row[1] for row in rows[1:]] == [
        f"{line.method}, published" for line in PUBLISHED if line.gaussians == 50000
    ]
    assert rows[1][2] == "43.13"
