"""benchmarks/fit_vs_paper.py gives every contestant the same time and keeps what it has."""

import json
import sys
from importlib.util import find_spec

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

from fit_vs_paper import at, iterations_per_second, main

POINTS = [
    {"psnr": 6.0, "seconds": 0.0, "iterations": 0},
    {"psnr": 9.0, "seconds": 2.0, "iterations": 10},
    {"psnr": 12.0, "seconds": 5.0, "iterations": 20},
]


@pytest.mark.parametrize(("seconds", "place"), [(0.1, 0), (1.99, 0), (2, 1), (4, 1), (9, 2)])
def test_what_comes_after_the_time_does_not_count(seconds, place):
    assert at(POINTS, seconds) == POINTS[place]


def test_the_pace_is_that_of_the_whole_run():
    assert iterations_per_second(POINTS) == 4


def test_every_contestant_fits_every_picture_within_every_time(
    tmp_path, folder, capsys, monkeypatch
):
    output = tmp_path / "new/fit_vs_paper.json"
    options = ["--images", folder, "-n", 20, "--seconds", 0.2, 0.1, "--output", output]
    monkeypatch.setattr(sys, "argv", ["fit_vs_paper.py", *map(str, options)])
    main()
    first = capsys.readouterr()
    results = json.loads(output.read_text())
    assert [(run["picture"], run["contestant"]) for run in results["runs"]] == [
        (picture, name) for picture in "ab" for name in ("ours", "shortened", "paper")
    ]
    for run in results["runs"]:
        assert len(run["ends"]) == 2
        for end in run["ends"]:
            assert f"{end['psnr']:.2f} ({end['iterations']})" in first.out
            assert run["contestant"] == "ours" or end["seconds"] <= 0.2
    assert output.with_suffix(".png").exists() == (find_spec("matplotlib") is not None)
    main()
    assert capsys.readouterr().err == ""
    assert json.loads(output.read_text())["runs"] == results["runs"]
