import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

from baselines import make_watch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def baselines(folder, output, *, methods=(), coin=(), rates=(), iterations=5):
    command = [sys.executable, BENCHMARKS / "baselines.py", "--images", folder, "--device", "cpu"]
    command += ["--methods", *methods, "--coin", *coin, "--rates", *rates]
    command += ["--iterations", str(iterations), "--batch", "256", "--timed", "0"]
    command += ["--output", output]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def test_the_benchmark_prints_both_tables_and_writes_its_rows(tmp_path, folder):
    output = tmp_path / "new/baselines.json"
    done = baselines(folder, output, methods=["ingp"], coin=["2x8"], rates=["4"])
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())
    rows = results["rows"]
    assert [(row["method"], row["picture"]) for row in rows[:4]] == [
        ("I-NGP", "a"),
        ("I-NGP", "b"),
        ("COIN 2x8", "a"),
        ("COIN 2x8", "b"),
    ]
    mean = (rows[0]["psnr"] + rows[1]["psnr"]) / 2
    lines = done.stdout.splitlines()
    (ours,) = (line.split() for line in lines if line.startswith("I-NGP  "))
    assert ours[1] == f"{mean:.2f}"
    assert any(line.startswith("I-NGP, published") and "43.88" in line for line in lines)
    assert any(line.startswith("JPEG, 4 bpp") for line in lines)
    assert any(line.startswith("COIN, published (DIV2K)") for line in lines)
    assert rows[0]["iterations"] == 5


def test_rows_are_kept_as_they_come_and_not_measured_again(tmp_path, folder):
    output = tmp_path / "baselines.json"
    whole = (folder / "b.png").read_bytes()
    (folder / "b.png").write_bytes(whole[:100])
    cut_short = baselines(folder, output, coin=["2x8"])
    assert cut_short.returncode != 0
    (first,) = json.loads(output.read_text())["rows"]

    (folder / "b.png").write_bytes(whole)
    done = baselines(folder, output, coin=["2x8"])
    assert done.returncode == 0, done.stderr
    rows = json.loads(output.read_text())["rows"]
    assert rows[0] == first
    assert [row["picture"] for row in rows] == ["a", "b"]
    assert "b, COIN 2x8" in done.stderr
    assert "a, COIN 2x8" not in done.stderr

    # Rows of other settings are not used, and stay in the file.
    baselines(folder, output, coin=["2x8"], iterations=6)
    assert [row["iterations"] for row in json.loads(output.read_text())["rows"]] == [5, 5, 6, 6]


def test_news_come_once_in_a_while(capsys):
    often, seldom = make_watch("[1/2] a, COIN", every=0), make_watch("[2/2] b, COIN", every=1e6)
    for done in (1, 2):
        often(done)
        seldom(done)
    assert capsys.readouterr().err.splitlines() == [
        "[1/2] a, COIN: 1 iterations",
        "[1/2] a, COIN: 2 iterations",
    ]
