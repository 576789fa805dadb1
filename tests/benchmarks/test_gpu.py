"""benchmarks/gpu.py without its kernels, which need a GPU."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks/gpu.py"


@pytest.fixture
def gpu():
    import gpu

    return gpu


@pytest.fixture
def cost():
    from lib.gpu_rivals import Drawing
    from lib.scene_cost import Cost

    drawings = Drawing("plain loop", 2e-6, 0.004), Drawing("gsplat", None, None, "not installed")
    figures = 31.234, 4e-5, 1e-4, 2e-4, 1500.0, 400.4
    return Cost(512, 768, 10_000, *figures, difference=1e-6, drawings=drawings)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_one_line_says_so():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("benchmarks/gpu.py: device: no CUDA device is available here")


def test_a_cpu_is_no_gpu(gpu):
    with pytest.raises(SystemExit, match=r"benchmarks/gpu\.py: device: expected cuda, got cpu"):
        gpu.require_gpu("cpu")


def test_a_quick_run_does_little_but_what_is_asked_for(gpu):
    whole, quick = (gpu.parse_arguments(line) for line in ([], ["--quick", "-n", "5"]))
    assert (whole.n, whole.fits) == ((1000, 3000, 10_000, 30_000, 70_000), (9000, 70_000))
    assert (whole.iterations, whole.pictures) == (50_000, 3)
    assert quick.n == [5]
    assert quick.iterations <= 500
    assert quick.pictures == 1


def test_pictures_are_brought_to_a_size(gpu, pixels):
    target = gpu.resized(pixels, (24, 32), torch.device("cpu"))
    assert target.shape == (24, 32, 3)
    assert target.mean().item() == pytest.approx(np.mean(pixels) / 255, abs=0.02)


def test_times_stand_in_a_table(gpu, cost):
    table = gpu.times_table([cost])
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert row["width x height, N"] == "768 x 512, 10000"
    assert row["forward ms"] == "0.040"
    assert row["backward ms"] == "0.060"
    assert row["iteration ms"] == "0.200"
    assert row["50,000 iterations s"] == "10.0"
    assert (row["FPS"], row["FPS, plain calls"], row["MiB"]) == ("25000", "1500", "400")


def test_ways_to_draw_stand_in_a_table(gpu, cost):
    table = gpu.drawings_table([cost])
    assert table.rows == (
        ("768 x 512, 10000", "plain loop", "2.0e-06", "4.000", "250", ""),
        ("768 x 512, 10000", "gsplat", "–", "–", "–", "not installed"),
    )


def test_aims_are_told_only_of_what_was_measured(gpu, cost):
    assert "25000 FPS; aimed at: 20000" in gpu.verdict([cost], [])
    assert "44.08 dB, 106.59 s, 2092.17 FPS (without waiting), 419 MiB" in gpu.verdict([], [])
    assert "aimed" not in gpu.verdict([], [])


def test_fits_and_times_are_written(gpu, cost, folder, tmp_path):
    line = ["--images", str(folder), "--device", "cpu", "--iterations", "3", "--fits", "20"]
    arguments = gpu.parse_arguments([*line, "--output", str(tmp_path / "out")])
    dataset = gpu.find_dataset([folder])
    records = gpu.fit_all(dataset, arguments)
    report = {"gpu": "a GPU", "torch": "2", "cuda": "13", "triton": "3", "commit": "abc"}
    text = gpu.write(arguments, report, [cost], records)
    assert text == (tmp_path / "out/gpu.md").read_text()
    assert "a GPU, CUDA 13, PyTorch 2, Triton 3, gaussianimage abc" in text
    assert "\n| 768 x 512, 10000 " in text
    assert "| Ours, N=20 " in text
    results = json.loads((tmp_path / "out/gpu.json").read_text())
    assert results["times"][0]["fps"] == pytest.approx(25_000)
    assert [fit["picture"] for fit in results["fits"]] == ["a", "b"]
    assert results["settings"]["iterations"] == 3
    # Existing results are not measured again.
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/fits").rglob("*.json")}
    assert gpu.fit_all(dataset, arguments) == records
    assert kept == {path: path.stat().st_mtime_ns for path in kept}


class Clock:
    """A stand-in for the GPU's clock."""

    def __init__(self, device):
        assert device.type == "cpu"

    def seconds(self, work):
        work()
        return 0.5


@pytest.fixture
def run(gpu, folder, tmp_path, monkeypatch):
    """Run the whole script, with a CPU and a clock in place of a GPU and its own."""
    report = dict.fromkeys(("gpu", "torch", "cuda", "triton", "commit"), "x")
    monkeypatch.setattr(gpu, "require_gpu", torch.device)
    monkeypatch.setattr(gpu, "describe", lambda device: report)
    monkeypatch.setattr(gpu, "EventClock", Clock)
    monkeypatch.setattr(gpu, "SIZES", ((16, 24), (24, 33)))
    line = ["--images", str(folder), "-n", "9", "--fits", "10", "--iterations", "3"]
    line += ["--frames", "2", "--warmup", "2", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", ["gpu.py", *line, "--output", str(tmp_path)])
    return gpu.main


def test_all_of_it_runs_in_one_command(run, tmp_path, capsys):
    run()
    results = json.loads((tmp_path / "gpu.json").read_text())
    sizes = [(time["height"], time["width"], time["gaussians"]) for time in results["times"]]
    assert sizes == [(16, 24, 9), (24, 33, 9)]
    assert all(time["fps"] == 4 for time in results["times"])
    ours, *others = results["times"][0]["drawings"]
    assert (ours["name"], ours["seconds"], ours["reason"]) == ("gaussianimage", 0.25, "")
    assert len(others) == 3
    assert [fit["picture"] for fit in results["fits"]] == ["a", "b"]
    assert (tmp_path / "gpu.md").read_text() in capsys.readouterr().out


def test_wrong_pixels_end_the_run_in_one_line(gpu, run, monkeypatch):
    def measured(*_):
        raise ArithmeticError("other pixels")

    monkeypatch.setattr(gpu, "measure", measured)
    with pytest.raises(SystemExit, match=r"benchmarks/gpu\.py: N=9: other pixels"):
        run()


def test_an_interruption_takes_nothing_that_was_measured(gpu, run, tmp_path, monkeypatch):
    def interrupted_at_b(job, settings, fit=gpu.represent):
        if job.sample.name == "b":
            raise KeyboardInterrupt
        return fit(job, settings)

    monkeypatch.setattr(gpu, "represent", interrupted_at_b)
    with pytest.raises(KeyboardInterrupt):
        run()
    results = json.loads((tmp_path / "gpu.json").read_text())
    assert len(results["times"]) == 2
    assert [fit["picture"] for fit in results["fits"]] == ["a"]
    assert "| Ours, N=10 " in (tmp_path / "gpu.md").read_text()

    def interrupted_at_once(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(gpu, "fit_all", interrupted_at_once)
    (tmp_path / "gpu.json").unlink()
    with pytest.raises(KeyboardInterrupt):
        run()
    assert len(json.loads((tmp_path / "gpu.json").read_text())["times"]) == 2
