"""benchmarks/quantizers.py compares quantizers at equal rates."""

import json
import sys

import pytest

pytest.importorskip("torch")

from quantizers import compare, main, middle, size


def test_the_middle_of_a_picture_is_what_is_compressed(folder, pixels):
    from pictures import Sample

    found = middle(Sample(folder / "b.png"), (20, 10))
    assert (found.numpy() * 255).round().tolist() == pixels[19:29, 22:42].tolist()
    assert middle(Sample(folder / "b.png"), (1000, 10)).shape == (10, 64, 3)


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
    gain, rate = compare(runs, "other")
    assert rate == pytest.approx(10)
    assert gain < 0


def test_the_benchmark_prints_a_line_for_every_quantizer(tmp_path, folder, capsys, monkeypatch):
    output = tmp_path / "new/quantizers.json"
    options = ["--images", folder / "a.png", "--crop", "40x30", "-n", 60, 15]
    options += ["--iterations", 30, "--fine-tuning", 5, "--learning-rate", 0.05]
    options += ["--output", output]
    monkeypatch.setattr(sys, "argv", ["quantizers.py", *map(str, options)])
    main()
    runs = json.loads(output.read_text())["runs"]
    assert [run["n"] for run in runs] == [15, 60]
    assert runs[0]["bits"] == {"final": 56, "v1": 56, "v2": 68, "v3": 74}
    lines = {line.split("  ")[0]: line for line in capsys.readouterr().out.splitlines()}
    for label, name in (("not quantized", "not quantized"), ("V2: 6-bit integers", "v2")):
        assert f"{runs[0]['psnr'][name]:.2f}" in lines[label]
    assert "+7 %" in lines["V2: 6-bit integers"]
