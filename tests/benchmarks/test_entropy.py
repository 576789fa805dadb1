"""benchmarks/entropy.py: its figures add up to the files'."""

import json
import subprocess
import sys
from pathlib import Path

import entropy
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_entropy_of_counts_is_that_of_each_model():
    assert entropy.entropy(np.array([[4, 4, 0], [0, 0, 9], [0, 0, 0]])) == 8
    assert entropy.entropy(np.array([[1, 1, 1, 1]])) == 8


def test_the_groups_are_all_models_of_the_coder():
    layers = [entropy.QuantizedGaussians(*(np.zeros(shape, dtype) for shape, dtype in SHAPES))]
    layers[0].color[:] = 3
    encoder = entropy._native.LayerEncoder(
        entropy.QuantizerParameters(40, 128, (0,)).quantizer(8, 8), 1
    )
    counts = encoder.tally(entropy.QuantizerParameters(40, 128, (0,)).quantizer(8, 8), *layers[0])
    assert len(counts) == sum(models for _, models in entropy.GROUPS.values())


SHAPES = ((1, np.uint8), ((1, 2), np.int32), ((1, 1), np.int32), ((1, 3), np.int32))


def test_bits_add_up(tmp_path):
    output = tmp_path / "entropy.json"
    command = [sys.executable, "benchmarks/entropy.py", "--images", "tests/data/parrot.png"]
    options = ["-n", "150", "1200", "--effort", "1", "--output", str(output)]
    done = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert "first chroma" in done.stdout
    for file in json.loads(output.read_text())["files"]:
        assert 0 < file["gaussians"] <= file["fitted"]
        coded = sum(file["coded"].values())
        ideal = sum(file["raw"].values()) + sum(file["entropy"].values())
        # Learning costs something, and the layers' counts and starts take some bytes.
        assert 0.9 * ideal < coded < file["bits"]
        assert file["bits"] == pytest.approx(coded, abs=2 * 700)
