"""benchmarks/ablation.py measures every variant once and judges by the mean over pictures."""

import json
import sys

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

from ablation import CLAIMS, FINAL, TABLES, Variant, judge, main, variants


def runs(*decibels):
    return [{"psnr": value} for value in decibels]


def test_every_row_of_the_tables_is_measured_once():
    everything = variants(["3dgs", "alpha", "opacity", "cholesky", "rs"])
    assert len(everything) == len(set(everything)) == 12
    assert {row.variant for rows in TABLES.values() for row in rows} == set(everything)
    assert {variant for _, *pair in CLAIMS for variant in pair} <= set(everything)
    assert {variant.model for variant in variants(["rs"])} == {"rs"}


def test_a_claim_holds_by_the_mean_and_tells_how_many_pictures_bear_it_out():
    l1, bare = Variant(loss="l1"), Variant(offset=False)
    found = judge({FINAL: runs(30, 31), l1: runs(29, 31.5), bare: runs(32, 32)})
    verdicts = {verdict["claim"]: verdict for verdict in found}
    assert set(verdicts) == {"L2 over L1", "offset over none, Cholesky"}
    assert verdicts["L2 over L1"] == {
        "claim": "L2 over L1",
        "holds": True,
        "mean_gain": 0.25,
        "pictures": 1,
        "of": 2,
    }
    assert not verdicts["offset over none, Cholesky"]["holds"]


def test_the_benchmark_prints_its_tables_and_goes_on_where_it_stopped(
    tmp_path, folder, capsys, monkeypatch
):
    output = tmp_path / "new/ablation.json"
    options = ["--images", folder, "--scale", 2, "-n", 20, "--iterations", 2]
    options += ["--models", "opacity", "alpha", "--output", output]
    monkeypatch.setattr(sys, "argv", ["ablation.py", *map(str, options)])
    main()
    first = capsys.readouterr()
    results = json.loads(output.read_text())
    # Losses and the offset come with the model that the others are compared with.
    assert len(results["runs"]) == 2 * (2 + 5 + 1)
    alpha = [run["psnr"] for run in results["runs"] if run["model"] == "alpha"]
    assert any(
        line.startswith("alpha-blending") and f"{sum(alpha) / 2:.2f}" in line
        for line in first.out.splitlines()
    )
    assert "summation over alpha-blending" in [claim["claim"] for claim in results["claims"]]
    assert len(first.err.splitlines()) == len(results["runs"])
    main()
    assert capsys.readouterr().err == ""
    assert json.loads(output.read_text())["runs"] == results["runs"]
