"""benchmarks/training_errors.py compares trainings that must agree."""

import json

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from training_errors import apart, main, with_noise

from gaussianimage.torch import CholeskyModel


def test_noise_is_in_the_last_bit():
    model = CholeskyModel.random(50, 20, 30)
    noisy = with_noise(model)
    assert 0 < apart(model, noisy) < 1e-5
    with torch.no_grad():
        noisy.colors[3, 1] += 0.5
    assert apart(model, noisy) == pytest.approx(0.5, abs=1e-5)


def test_trainings_of_all_ways_agree(tmp_path, capsys):
    threads = torch.get_num_threads()
    output = tmp_path / "errors.json"
    try:
        main(["-n", "30", "--iterations", "4", "--output", str(output)])
    finally:
        torch.set_num_threads(threads)
    rows = {row["check"]: row for row in json.loads(output.read_text())["results"]}
    assert set(rows) == {
        line.split("  ")[0] for line in capsys.readouterr().out.splitlines()
    } & set(rows)
    for check, row in rows.items():
        if any(word in check for word in ("authors", "state", "threads")):
            assert row["difference"] == 0, row
        elif "discarded" not in check:
            assert row["one"] == pytest.approx(row["other"], abs=0.02), row
    assert len(rows) == 34
