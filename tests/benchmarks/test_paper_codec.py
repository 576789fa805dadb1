"""benchmarks/paper_codec.py runs on pictures and on files, and its figures are theirs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gaussianimage.codec.paper_profile.file import STREAMS

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "data" / "v1" / "paper"


def run(*options):
    command = [sys.executable, "benchmarks/paper_codec.py", "--rounds", "1", "--threads", "1"]
    return subprocess.run(
        [*command, *map(str, options)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_pictures_are_compressed_and_measured(tmp_path, folder):
    pytest.importorskip("torch", reason="needs PyTorch")
    output = tmp_path / "new/codec.json"
    options = ["-n", 30, "--iterations", 3, "--fine-tuning", 2, "--output", output]
    done = run("--images", folder, *options)
    assert done.returncode == 0, done.stderr
    runs = json.loads(output.read_text())["runs"]
    assert [(r["picture"], r["gaussians"]) for r in runs] == [("a", 30), ("b", 30)]
    for result in runs:
        assert result["formula_bits"] == 56 * 30 + 1728
        assert 8 * result["bytes"]["plain"] == result["formula_bits"] + result["container_bits"]
        assert 300 < result["container_bits"] < 600
        assert result["psnr"] > 5
        assert set(result["bytes"]) == set(STREAMS)
        assert min(result["seconds"].values()) > 0


def test_savings_are_those_of_the_theory(tmp_path):
    output = tmp_path / "codec.json"
    done = run("--files", GOLDEN / "plain.gimg", GOLDEN / "bits-back.gimg", "--output", output)
    assert done.returncode == 0, done.stderr
    plain, repeats = json.loads(output.read_text())["runs"]
    assert plain["psnr"] is None
    for result in (plain, repeats):
        saved, theory = result["saved_bits"], result["theory"]
        assert saved["plain"] == 0
        assert saved["interleaved"] == pytest.approx(theory["interleaved"], abs=100)
        assert saved["interleaved"] < theory["interleaved"]
        assert theory["entropy"] - theory["tables"] - saved["entropy"] < 0.1 * 150 + 100
    assert plain["saved_bits"]["bits-back"] == pytest.approx(plain["theory"]["bits-back"], abs=100)
    assert repeats["theory"]["interleaved"] < plain["theory"]["interleaved"]
    assert f"{plain['saved_bits']['interleaved'] / 150:.2f}" in done.stdout
