"""Many inputs at once: failures, Ctrl-C, exit codes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import pytest

import gaussianimage
from gaussianimage import PictureError, _native
from gaussianimage._util import threads
from gaussianimage._util.files import atomic_output
from gaussianimage.cli import run_items
from gaussianimage.cli.options import BatchOptions
from gaussianimage.cli.paths import Item
from gaussianimage.cli.run_items import JobContext, Outcome, RayOptions, run, run_each

NEWS: Any = SimpleNamespace(
    stage="fit", iteration=1, iterations=2, gaussians=3, psnr=30.0, seconds_left=1.0, done=0.5
)


@pytest.fixture
def exit_code(tmp_path: Path, monkeypatch: Any) -> Callable[..., int]:
    """Return a function that works on "0", "1", ... and returns the exit code."""

    # Signals end this process where it doesn't answer soon, and it may be slow.
    monkeypatch.setattr(run_items, "PATIENCE", 30)

    def exit_code(work: Callable[..., Outcome], count: int = 3, **options: Any) -> int:
        values = {"output": None, "jobs": 1, "threads": None, "no_overwrite": False}
        choices = BatchOptions(**values | {"quiet": False} | options)  # type: ignore[arg-type]
        items = [Item(str(n), str(tmp_path / "out" / f"{n}.txt"), True) for n in range(count)]
        with click.Context(click.Command("x")):
            return run(items, work, choices)

    return exit_code


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_every_input_is_worked_on(exit_code: Any, jobs: int, capsys: Any, tmp_path: Path) -> None:
    def work(item: Item, job: JobContext) -> Outcome:
        Path(item.target).write_text(item.source)
        return Outcome(f"done {item.source}")

    assert exit_code(work, 5, jobs=jobs) == 0
    assert sorted(p.read_text() for p in (tmp_path / "out").iterdir()) == list("01234")
    lines = capsys.readouterr().err.splitlines()
    assert sorted(lines) == [f"{n}: done {n}" for n in range(5)]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("error", [PictureError("no"), OSError("no"), KeyError("a bug")])
def test_a_failure_does_not_stop_the_others(
    exit_code: Any, jobs: int, error: Exception, capsys: Any
) -> None:
    def work(item: Item, job: JobContext) -> Outcome:
        if item.source == "1":
            raise error
        return Outcome("done")

    assert exit_code(work, jobs=jobs) == 1
    lines = sorted(capsys.readouterr().err.splitlines())
    assert lines[:2] == ["0: done", "2: done"]
    assert lines[2] == "gaussianimage: 1 of 3 failed"
    assert lines[3].startswith("gaussianimage: 1: ")


def test_one_input_is_not_named_and_not_counted(exit_code: Any, capsys: Any) -> None:
    assert exit_code(lambda item, job: Outcome("done"), 1) == 0
    assert capsys.readouterr().err == "done\n"

    def work(item: Item, job: JobContext) -> Outcome:
        raise PictureError("no")

    assert exit_code(work, 1) == 1
    assert capsys.readouterr().err == "gaussianimage: 0: no\n"


def test_quiet_tells_failures_only(exit_code: Any, capsys: Any) -> None:
    assert exit_code(lambda item, job: Outcome("done"), quiet=True) == 0
    assert capsys.readouterr().err == ""


def test_jobs_share_the_cpus_unless_told_otherwise(exit_code: Any) -> None:
    threads = []

    def work(item: Item, job: JobContext) -> Outcome:
        threads.append(job.threads)
        return Outcome("done")

    exit_code(work, 4, jobs=2)
    exit_code(work, 1, jobs=2)
    exit_code(work, 2, jobs=2, threads=3)
    assert threads == [max(1, _native.cpus() // 2)] * 4 + [None] + [3] * 2


def test_outputs_that_exist_stay_if_so_asked(exit_code: Any, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "1.txt").write_text("old")
    worked_on = []

    def work(item: Item, job: JobContext) -> Outcome:
        worked_on.append(item.source)
        return Outcome("done")

    assert exit_code(work, no_overwrite=True) == 1
    assert worked_on == ["0", "2"]
    assert "out/1.txt: exists already (--no-overwrite)" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_fails_its_inputs(
    exit_code: Any, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "out").write_text("a file")
    assert exit_code(lambda item, job: Outcome("done")) == 1
    assert "3 of 3 failed" in capsys.readouterr().err


def test_ctrl_c_stops_before_the_next_input(exit_code: Any, tmp_path: Path, capsys: Any) -> None:
    def work(item: Item, job: JobContext) -> Outcome:
        return Outcome("done", interrupted=item.source == "1", advice="; more")

    assert exit_code(work, 4) == 130
    assert capsys.readouterr().err.splitlines() == [
        "0: done",
        "1: done",
        f"gaussianimage: 1: interrupted; {tmp_path}/out/1.txt holds the best so far; more",
        "gaussianimage: interrupted; 2 of 4 not done",
    ]


def test_ctrl_c_outside_of_a_fit_leaves_nothing(exit_code: Any, capsys: Any) -> None:
    def work(item: Item, job: JobContext) -> Outcome:
        raise KeyboardInterrupt

    assert exit_code(work, 1) == 130
    assert capsys.readouterr().err == "gaussianimage: interrupted; nothing is written\n"
    assert exit_code(work, 3) == 130
    assert capsys.readouterr().err == "gaussianimage: interrupted; 3 of 3 not done\n"


@pytest.fixture
def halting() -> threading.Event:
    """Return an event that is set once no more jobs start."""
    return threading.Event()


@pytest.fixture
def pressed_when_all_run(monkeypatch: Any, halting: threading.Event) -> threading.Barrier:
    """Return a barrier at which two jobs and the main thread's Ctrl-C wait."""
    barrier = threading.Barrier(3)
    real_wait = run_items.wait

    def wait(futures: Any, timeout: float | None = None) -> Any:
        if timeout is None:
            barrier.wait(30)
            raise KeyboardInterrupt
        halting.set()
        return real_wait(futures, 30)

    monkeypatch.setattr(run_items, "wait", wait)
    monkeypatch.setattr(threads, "wait", wait)
    return barrier


def test_ctrl_c_reaches_jobs_in_threads_through_their_progress(
    exit_code: Any, pressed_when_all_run: threading.Barrier, capsys: Any
) -> None:
    def work(item: Item, job: JobContext) -> Outcome:
        assert job.on_interrupt == "raise"
        pressed_when_all_run.wait(30)
        while True:
            job.progress(NEWS)

    assert exit_code(work, 4, jobs=2) == 130
    assert capsys.readouterr().err == "gaussianimage: interrupted; 4 of 4 not done\n"


def test_ctrl_c_reaches_jobs_in_threads_in_their_native_calls(
    exit_code: Any, pressed_when_all_run: threading.Barrier, capsys: Any
) -> None:
    def work(item: Item, job: JobContext) -> Outcome:
        pressed_when_all_run.wait(30)
        gaussianimage.fit(np.zeros((99, 99, 3), np.uint8), 50, iterations=10**7, threads=1)
        return Outcome("done")

    assert exit_code(work, 4, jobs=2) == 130
    assert capsys.readouterr().err == "gaussianimage: interrupted; 4 of 4 not done\n"


def test_what_ends_by_itself_after_ctrl_c_is_done(
    exit_code: Any, pressed_when_all_run: threading.Barrier, halting: threading.Event, capsys: Any
) -> None:
    def work(item: Item, job: JobContext) -> Outcome:
        pressed_when_all_run.wait(30)
        halting.wait(30)
        return Outcome("done")

    assert exit_code(work, 3, jobs=2) == 130
    lines = capsys.readouterr().err.splitlines()
    assert sorted(lines[:2]) == ["0: done", "1: done"]
    assert lines[2:] == ["gaussianimage: interrupted; 1 of 3 not done"]


class Left(BaseException):
    """A stand-in for the end of the process."""


@pytest.mark.usefixtures("nothing_discarded")
def test_jobs_that_do_not_end_are_left_behind(
    exit_code: Any, monkeypatch: Any, capsys: Any
) -> None:
    both_run, at_last = threading.Barrier(3), threading.Event()
    codes: list[int] = []

    def wait(futures: Any, timeout: float | None = None) -> Any:
        if timeout is None:
            both_run.wait(30)
            raise KeyboardInterrupt
        return SimpleNamespace(not_done=set(futures))

    def leave(code: int) -> None:
        codes.append(code)
        at_last.set()
        raise Left

    monkeypatch.setattr(run_items, "wait", wait)
    monkeypatch.setattr(threads, "wait", wait)
    monkeypatch.setattr(run_items.os, "_exit", leave)

    def work(item: Item, job: JobContext) -> Outcome:
        both_run.wait(30)
        at_last.wait(30)
        return Outcome("done")

    with pytest.raises(Left):
        exit_code(work, 3, jobs=2)
    assert codes == [130]
    assert "gaussianimage: interrupted; 3 of 3 not done" in capsys.readouterr().err


@pytest.fixture
def nothing_discarded(monkeypatch: Any) -> None:
    """Let this process still write files."""
    monkeypatch.setattr(run_items, "discard_unfinished", lambda: None)


def test_the_best_so_far_is_kept_of_a_single_input(exit_code: Any) -> None:
    kept: list[str] = []

    def work(item: Item, job: JobContext) -> Outcome:
        kept.append(job.on_interrupt)
        return Outcome("done")

    exit_code(work, 1, jobs=2)
    exit_code(work, 2)
    assert kept == ["keep", "raise", "raise"]


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("count", [1, 3])
def test_sigterm_ends_the_work_with_a_code_of_its_own(
    exit_code: Any, tmp_path: Path, count: int
) -> None:
    def work(item: Item, job: JobContext) -> Outcome:
        with atomic_output(item.target) as file:
            file.write(b"half")
            signal.raise_signal(signal.SIGTERM)
        return Outcome("done")

    with pytest.raises(SystemExit) as caught:
        exit_code(work, count)
    assert caught.value.code == 143
    assert list((tmp_path / "out").iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_broken_pipe_is_left_to_click(tmp_path: Path, jobs: int) -> None:
    def work(item: Item, job: JobContext) -> Outcome:
        raise BrokenPipeError

    items = [Item("a", "-"), Item("b", "-")]
    choices = BatchOptions(None, jobs, None, False, False)
    with click.Context(click.Command("x")), pytest.raises(BrokenPipeError):
        run(items, work, choices)


def test_results_go_on_after_a_failure(capsys: Any) -> None:
    def work(source: str) -> None:
        if source == "bad":
            raise PictureError("no")
        click.echo(source)

    with click.Context(click.Command("x")):
        assert run_each(["a", "bad", "b"], work) == 1
    captured = capsys.readouterr()
    assert captured.out == "a\nb\n"
    assert captured.err.splitlines() == ["gaussianimage: bad: no", "gaussianimage: 1 of 3 failed"]


# The main thread is in a call that no signal ends, like those of Pillow's encoders.
BUSY = """
import ctypes, signal, sys
import click
from gaussianimage.cli.run_items import run
from gaussianimage.cli.options import BatchOptions
from gaussianimage.cli.paths import Item
from gaussianimage._util import threads
from gaussianimage._util.files import atomic_output

def work(item, job):
    with atomic_output(item.target) as file:
        file.write(b"half")
        file.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        print("begun", flush=True)
        ctypes.CDLL(None).sleep(60)

with click.Context(click.Command("x")):
    run([Item("a", sys.argv[1])], work, BatchOptions(None, 1, None, False, False))
"""


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_call_that_knows_nothing_of_signals_is_left(
    number: int, code: int, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-c", BUSY, str(out / "x")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert len(list(out.iterdir())) == 1
        time.sleep(0.2)  # it is about to make that call
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    # A slow machine hasn't made it yet, and ends by an error as usual.
    assert errors in ("gaussianimage: interrupted; nothing is written\n", "")
    assert list(out.iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("on_ray")
def test_items_on_ray_are_worked_on_in_groups_and_failures_do_not_end_the_others(
    tmp_path: Path, capsys: Any
) -> None:
    def work(item: Item, job: JobContext) -> Outcome:
        if item.source == "3":
            raise PictureError("no")
        if item.source == "5":
            os.kill(os.getpid(), signal.SIGKILL)
        Path(item.target).write_text(f"{os.getpid()} {job.threads}")
        return Outcome(f"done {item.source}")

    items = [Item(str(n), str(tmp_path / "out" / f"{n}.txt"), True) for n in range(6)]
    batch = BatchOptions(None, 1, None, no_overwrite=False, quiet=False)
    ray = RayOptions(None, 2, 0, lambda item: "01".find(item.source) < 0 and item.source)
    with click.Context(click.Command("x")):
        assert run(items, work, batch, ray) == 1
    lines = sorted(capsys.readouterr().err.splitlines())
    assert lines[:4] == [f"{n}: done {n}" for n in (0, 1, 2, 4)]
    assert lines[4] == "gaussianimage: 2 of 6 failed"
    assert lines[5] == "gaussianimage: 3: no"
    assert lines[6].startswith("gaussianimage: 5: ended its worker twice")
    written = [(tmp_path / f"out/{n}.txt").read_text().split() for n in (0, 1, 2, 4)]
    assert written[0] == written[1]  # one group, on one worker
    assert {threads for _, threads in written} == {"1"}
    assert str(os.getpid()) not in {worker for worker, _ in written}
