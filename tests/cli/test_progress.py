"""Messages and progress on stderr."""

import itertools
import math
import re
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from gaussianimage.cli import progress
from gaussianimage.cli.progress import Reporter


def news(iteration: int, stage: str = "fit", **changes: Any) -> Any:
    values = {
        "stage": stage,
        "iteration": iteration,
        "iterations": 100,
        "gaussians": 3400,
        "psnr": 28.31,
        "seconds_left": 2.1,
        "done": iteration / 100,
    }
    return SimpleNamespace(**values | changes)


def test_progress_is_silent_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(quiet=False, verbose=0) as reporter, reporter.watch("a.png") as watch:
        watch(news(50))
    assert capsys.readouterr().err == ""


def test_progress_is_a_line_for_each_tenth_when_verbose(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Reporter(quiet=False, verbose=1) as reporter, reporter.watch("a.png") as watch:
        for iteration in range(101):
            watch(news(iteration))
        watch(news(1, "quantize"))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12
    assert lines[5] == "a.png: 50% fit, 3400 Gaussians, 28.3 dB, 2.1 s left"
    assert lines[-1].startswith("a.png: 1% quantize")


def test_what_is_not_known_yet_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(quiet=False, verbose=1) as reporter, reporter.watch("a.png") as watch:
        watch(news(0, gaussians=0, psnr=-math.inf, seconds_left=math.inf, iterations=0))
    assert capsys.readouterr().err == "a.png: 0% fit\n"


def test_quiet_keeps_all_but_warnings_back(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(quiet=True, verbose=1) as reporter:
        reporter.say("done")
        reporter.warn("failed")
        with reporter.watch("a.png") as watch:
            watch(news(50))
    captured = capsys.readouterr()
    assert captured.err == "failed\n"
    assert captured.out == ""


def test_a_terminal_shows_bars_that_vanish_and_lines_that_stay(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with Reporter(quiet=False, verbose=0) as reporter:
        with reporter.watch("[red]a.png") as first, reporter.watch("x" * 40 + "/b.png") as second:
            first(news(50))
            second(news(20, "quantize"))
            reporter.say("[bold]c.png: done")
        reporter.say("after")
    captured = capsys.readouterr()
    assert captured.out == ""
    for text in ("[red]a.png", "b.png", "[bold]c.png: done\n", "after\n"):
        assert text in captured.err
    assert "3400 Gaussians, 28.3 dB, 2.1 s left" in captured.err


def test_several_threads_may_speak_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(quiet=False, verbose=1) as reporter:

        def speak(name: str) -> None:
            with reporter.watch(name) as watch:
                for iteration in range(101):
                    watch(news(iteration))

        threads = [threading.Thread(target=speak, args=(f"{n}.png",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 44
    assert all(line.endswith("left") for line in lines)


def test_a_terminal_shows_how_many_of_all_are_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with Reporter(quiet=False, verbose=0) as reporter, reporter.count(3) as tell:
        tell(True)
        tell(False)
        tell(True)
    shown = capsys.readouterr().err
    assert "1 of 3, " in shown
    assert "2 of 3, 1 failed, " in shown
    assert "3 of 3, 1 failed" in shown


@pytest.mark.parametrize(("total", "quiet"), [(1, False), (3, True)])
def test_a_single_job_is_not_counted(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    total: int,
    quiet: bool,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Reporter(quiet=quiet, verbose=0) as reporter, reporter.count(total) as tell:
        tell(True)
    assert capsys.readouterr().err == ""


def test_the_time_left_of_all_goes_by_what_is_done_of_each(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(0.0, 1.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with (
        Reporter(quiet=False, verbose=0) as reporter,
        reporter.count(4) as tell,
        reporter.watch("a.png") as watch,
    ):
        tell(False)  # says nothing of how long the others take
        watch(news(50))
        tell(True)
    shown = capsys.readouterr().err
    assert "1 of 4, 1 failed" in shown
    assert "1 of 4, 1 failed, 0 ms left" not in shown
    left = re.findall(r"1 of 4, 1 failed, ([0-9.]+) s left", shown)
    assert left
    assert float(left[-1]) >= 10  # half a job took some seconds, two and a half are left


def test_a_narrow_terminal_shows_how_far_a_job_is_before_all_else(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    with Reporter(quiet=False, verbose=0) as reporter, reporter.watch("photo.png") as watch:
        watch(news(50))
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    line = next(line for line in re.split(r"[\r\n]", shown) if "50%" in line)
    assert line.startswith("photo.png ")
    assert "fit" in line
    assert len(line) <= 40


@pytest.mark.parametrize("columns", [80, 100])
def test_the_time_left_is_shown_whole_beside_a_long_name(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    with Reporter(quiet=False, verbose=0) as reporter, reporter.watch("x" * 40) as watch:
        watch(news(50, "quantize", gaussians=123456, seconds_left=754.0))
    assert "quantize, 123456 Gaussians, 28.3 dB, 12 min 34 s left" in capsys.readouterr().err
