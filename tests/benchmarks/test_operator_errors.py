"""benchmarks/operator_errors.py compares the operator with references."""

import json

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import operator_errors
import torch
from operator_errors import Row, main, measure

# A check, and the most that its error is of its largest value.
SMALL = {"derivatives": 1e-6, "pictures": 1e-5, "batches": 1e-5, "sums": 1e-5}
# Checks of what must be equal to the bit.
EQUAL = ("one by one", "gradients of a batch", "float16", "another", "not visible")


def test_errors_are_those_of_rounding():
    for row in measure(1):
        assert row.largest > 0, row
        assert row.error <= SMALL[row.group] * row.largest, row
        if any(name in row.check for name in EQUAL):
            assert row.error == 0, row


def test_an_error_is_found(monkeypatch):
    def larger(*arguments, **options):
        return 1.01 * rasterize(*arguments, **options)

    rasterize = operator_errors.rasterize
    monkeypatch.setattr(operator_errors, "rasterize", larger)
    rows = list(operator_errors.check_pictures(torch.Generator().manual_seed(0)))
    assert rows[0].error > 0.005 * rows[0].largest


def test_the_worst_scene_is_reported(monkeypatch, tmp_path, capsys):
    seeds = []

    def check(generator):
        seeds.append(generator.initial_seed())
        yield Row("sums", "a sum", 2.0 if seeds[-1] == 1 else 1.0, 3.0)

    monkeypatch.setattr(operator_errors, "CHECKS", (check,))
    main(["--seeds", "3", "--output", str(tmp_path / "errors.json")])
    assert seeds == [0, 1, 2]
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["sums:", "a", "sum", "2.0e+00", "3"] in lines
    results = json.loads((tmp_path / "errors.json").read_text())["results"]
    assert results == [{"group": "sums", "check": "a sum", "error": 2.0, "largest": 3.0}]
