"""benchmarks/quantizers.py compares quantizers at equal rates."""

import json
import math
import sys

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

from quantizers import compare, describe, judge, main, print_results, size


@pytest.mark.parametrize("text", ["192", "0x5", "3x-1", "axb", "1x2x3"])
def test_a_size_is_two_sides(text):
    assert size("192x128") == (192, 128)
    with pytest.raises(ValueError):
        size(text)


def test_a_quantizer_is_judged_at_equal_rate():
    # A tenth more bits for the same quality, in both pictures.
    runs = [
        {
            "picture": picture,
            "n": count,
            "bits": {"final": 50, "other": 55},
            "psnr": {"final": count / 100, "other": count / 100},
        }
        for picture in "ab"
        for count in (100, 200, 400)
    ]
    gains, rates = compare(runs, "other")
    assert rates == pytest.approx([10, 10])
    assert max(gains) < 0


def test_a_picture_where_a_curve_falls_is_left_out():
    runs = [
        {
            "picture": picture,
            "n": count,
            "bits": dict.fromkeys(("final", "v1", "v2", "v3"), 50),
            "psnr": {
                "final": count / 100,
                "v1": count / 100 - 1,
                "v2": 20 - count / 100 if picture == "a" else count / 100 - 1,
                "v3": 5.0,
                "not quantized": 9.0,
            },
        }
        for picture in "ab"
        for count in (100, 200, 400)
    ]
    gains, rates = compare(runs, "v2")
    assert math.isnan(gains[0])
    assert math.isnan(rates[0])
    assert gains[1] == pytest.approx(-1)
    verdicts = judge(runs)
    assert [verdict["holds"] for verdict in verdicts] == [True, True, None]
    assert verdicts[1]["bd_psnr"][0] is None
    assert [describe(verdict).split(", at equal rate: ")[1] for verdict in verdicts] == [
        "holds, 2 of 2 pictures",
        "holds, 1 of 1 pictures; 1 left out, where a curve falls",
        "no verdict, because a curve falls in 2 of 2 pictures",
    ]
    print_results(runs)


def test_a_claim_holds_by_the_mean_at_equal_rate():
    def curve(picture, gains):
        return [
            {
                "picture": picture,
                "n": count,
                "bits": {"final": 56, "v1": 56, "v2": 68, "v3": 74},
                "psnr": {name: count / 100 + gain for name, gain in gains.items()},
            }
            for count in (100, 200, 400)
        ]

    runs = curve("a", {"final": 0, "v1": -0.5, "v2": 2, "v3": 0.1})
    runs += curve("b", {"final": 0, "v1": -9, "v2": 0.1, "v3": 0.1})
    verdicts = {verdict["claim"].split(":")[0]: verdict for verdict in judge(runs)}
    assert {name: verdict["holds"] for name, verdict in verdicts.items()} == {
        "final over V1": True,
        "final over V2": False,
        "final over V3": True,
    }
    # The same bits, half a dB less; and nothing of equal quality to compare.
    assert verdicts["final over V1"]["bd_psnr"] == pytest.approx([-0.5, -9])
    assert verdicts["final over V1"]["bd_rate"][1] is None


def test_the_benchmark_prints_a_line_for_every_quantizer(tmp_path, folder, capsys, monkeypatch):
    output = tmp_path / "new/quantizers.json"
    options = ["--images", folder / "a.png", "--crop", "40x30", "-n", 60, 15]
    options += ["--iterations", 30, "--fine-tuning", 5, "--learning-rate", 0.05]
    options += ["--fine-tuning-rate", 0.02]
    options += ["--output", output]
    monkeypatch.setattr(sys, "argv", ["quantizers.py", *map(str, options)])
    main()
    results = json.loads(output.read_text())
    runs = results["runs"]
    assert [run["n"] for run in runs] == [15, 60]
    assert len(results["claims"]) == 3
    assert runs[0]["bits"] == {"final": 56, "v1": 56, "v2": 68, "v3": 74}
    out = capsys.readouterr().out
    lines = {line.split("  ")[0]: line for line in out.splitlines()}
    for label, name in (("not quantized", "not quantized"), ("V2: 6-bit integers", "v2")):
        assert f"{runs[0]['psnr'][name]:.2f}" in lines[label]
    assert "+7 %" in lines["V2: 6-bit integers"]
    assert "final over V3: 8-bit integers, at equal rate: " in out
