import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from strategies import random_gaussians

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks/render.py"

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))),
    reason="the plain loop needs a C++ compiler",
)


def run(tmp_path, *options):
    output = tmp_path / "results/render.json"
    command = [sys.executable, BENCHMARK, "--rounds", "3", "--output", output, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done, output


def test_the_benchmark_times_all_contestants_and_writes_what_it_prints(tmp_path):
    done, output = run(tmp_path, "--synthetic", "-n", "150", "--size", "64", "96")
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())
    assert results["scene"]["gaussians"] == 150
    assert (results["scene"]["height"], results["scene"]["width"]) == (64, 96)
    assert 5 < results["scene"]["pairs_per_pixel"] < 10
    assert results["environment"]["instruction_set"] in ("baseline", "avx2", "avx512")
    for name, timing in results["seconds"].items():
        assert name in done.stdout
        assert timing["rounds"] == 3
        assert 0 < timing["least"] <= timing["first_quartile"] <= timing["median"]
    ours = results["seconds"]["gaussianimage, 1 thread"]["median"]
    for rival, ratios in results["ratios_of_medians"].items():
        theirs = results["seconds"][rival]["median"]
        assert ratios["gaussianimage, 1 thread"] == pytest.approx(theirs / ours)


def test_gaussians_from_a_file_can_be_timed(tmp_path):
    random_gaussians(0, 40, 30, 50).save(tmp_path / "g.safetensors")
    done, output = run(tmp_path, "--gaussians", tmp_path / "g.safetensors", "--threads", "1")
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())
    assert results["scene"]["name"] == "g.safetensors"
    assert results["webp"]["of"] == "the rendered picture"


def test_a_picture_and_its_gaussians_set_the_quality_of_webp(tmp_path):
    import numpy as np
    from PIL import Image

    from gaussianimage.rendering import render

    g = random_gaussians(0, 200, 64, 64)
    g.save(tmp_path / "g.safetensors")
    noise = np.random.default_rng(0).normal(0, 8, (64, 64, 3))
    levels = np.clip(render(g, dtype=np.uint8) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(levels).save(tmp_path / "picture.png")
    files = ("--gaussians", tmp_path / "g.safetensors", "--image", tmp_path / "picture.png")
    done, output = run(tmp_path, *files, "--threads", "1")
    assert done.returncode == 0, done.stderr
    webp = json.loads(output.read_text())["webp"]
    assert webp["of"] == "the original picture"
    assert webp["psnr"] >= webp["gaussians_psnr"] or webp["quality"] == 100
