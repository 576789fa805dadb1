"""Messages on stderr: progress bars on a terminal, lines elsewhere, nothing with --quiet."""

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import click

from gaussianimage._util.files import is_terminal
from gaussianimage.cli.errors import our_warnings
from gaussianimage.cli.report import decibels, plural, seconds_text
from gaussianimage.fitting.progress import OnProgress, Progress

__all__ = ["Reporter"]

_LINE_EVERY = 0.1  # Part of the work between two lines.
_ALL_EVERY = 0.5  # Seconds between two updates of the bar of all jobs.
_NEWS_EVERY = 30.0  # Seconds between two lines about a long run.
_NARROW = 60  # Columns; a narrower terminal shows the percentage without a bar.
_BAR, _PERCENT = 12, 4  # columns
# Columns of the news that names leave: for "quantize, 123456 Gaussians, 31.2 dB, 12 min 34 s left".
_NEWS = 53


class Reporter:
    """Prints all messages of a command on stderr; any thread may use it.

    Parameters
    ----------
    quiet : bool
        Print errors only.
    verbose : int
        Number of -v's. From 1 on, progress is printed even if stderr is no terminal.
    """

    def __init__(self, *, quiet: bool, verbose: int) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self._bars: Any = None  # A rich.progress.Progress; rich is imported on first use.
        self._all: _All | None = None
        self._lock = threading.Lock()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(our_warnings(self.warn))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self.close()

    def close(self) -> None:
        """Remove the progress bars."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def say(self, line: str) -> None:
        """Print a line unless quiet."""
        if not self.quiet:
            self.warn(line)

    def warn(self, line: str) -> None:
        """Print a line, even with --quiet."""
        with self._lock:
            if self._bars is None:
                click.echo(line, err=True)
            else:
                self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def count(self, total: int) -> Iterator[Callable[[bool], None]]:
        """Show how many of several jobs are done while the block runs.

        The block gets a function to call after each job, with True if the job succeeded.
        """
        if self.quiet or total < 2 or not is_terminal(sys.stderr):
            yield lambda _: None
            return
        bars = self._started_bars()
        self._all = _All(bars, total)
        try:
            yield self._all.end
        finally:
            bars.remove_task(self._all.task)
            self._all = None

    @contextmanager
    def overview(self, name: str) -> Iterator[Callable[[int, int, str], None]]:
        """Show one line about a long run while the block runs; elsewhere than on a terminal, lines.

        There is a line now and then, and with -v one for each call.

        The block gets a function to call with the finished number, the whole number and the news.
        """
        if self.quiet:
            yield lambda *_: None
        elif is_terminal(sys.stderr):
            bars = self._started_bars()
            task = bars.add_task(name, total=None, news="")
            told = -_ALL_EVERY

            def show(done: int, total: int, text: str) -> None:
                nonlocal told
                now = time.monotonic()
                if now - told >= _ALL_EVERY or done == total:
                    told = now
                    bars.update(task, completed=done, total=total, news=text, refresh=True)

            try:
                yield show
            finally:
                bars.remove_task(task)
        else:
            told = time.monotonic()

            def tell(done: int, total: int, text: str) -> None:
                nonlocal told
                due = done < total and time.monotonic() - told >= _NEWS_EVERY
                if due or self.verbose:
                    told = time.monotonic()
                    self.say(f"{name}: {text}")

            yield tell

    @contextmanager
    def watch(self, name: str) -> Iterator[OnProgress]:
        """Show the progress of a job while the block runs."""
        if self.quiet:
            yield _nothing
        elif is_terminal(sys.stderr):
            bars = self._started_bars()
            # A bar has room for a file's name only, not for its path.
            task = bars.add_task(Path(name).name or name, total=None, news="")
            try:
                yield _Bar(bars, task, self._all)
            finally:
                bars.remove_task(task)
                if self._all is not None:
                    self._all.show(task, 0.0)
        elif self.verbose:
            yield _Lines(self, name)
        else:
            yield _nothing

    def _started_bars(self) -> Any:
        from rich import progress as rich_progress
        from rich.console import Console
        from rich.table import Column

        with self._lock:
            if self._bars is None:
                console = Console(stderr=True)
                # The time left ends the news, so names are cut first. A narrow terminal shows no
                # bar, and cuts the news too.
                bar = _BAR if console.width >= _NARROW else 0
                room = console.width - _PERCENT - bar - 3
                least = 8 if bar else max(8, console.width // 4)
                name = min(30, max(least, room - _NEWS))
                news = max(1, room - name)
                self._bars = rich_progress.Progress(
                    rich_progress.TextColumn(
                        "{task.description}",
                        markup=False,
                        table_column=Column(no_wrap=True, overflow="ellipsis", max_width=name),
                    ),
                    *([rich_progress.BarColumn(bar_width=bar)] if bar else []),
                    rich_progress.TaskProgressColumn(),
                    rich_progress.TextColumn(
                        "{task.fields[news]}",
                        markup=False,
                        table_column=Column(no_wrap=True, overflow="ellipsis", max_width=news),
                    ),
                    console=console,
                    transient=True,
                    redirect_stdout=False,  # stdout may be the output file.
                    redirect_stderr=False,
                )
                self._bars.start()
            return self._bars


class _All:
    """The bar of several jobs together; any thread may use it.

    The time left is estimated from the finished work, including that of running jobs. Failed jobs
    do not count, since they take almost no time.
    """

    def __init__(self, bars: Any, total: int) -> None:
        self._bars, self._total = bars, total
        self._began = self._told = time.monotonic()
        self._shares: dict[Any, float] = {}
        self._done = self._failed = 0
        self._lock = threading.Lock()
        self.task = bars.add_task("all", total=total, news=f"0 of {total}")

    def show(self, task: Any, share: float) -> None:
        """Set the finished share of a running job, 0 to 1; an ended job has 0."""
        with self._lock:
            self._shares[task] = share
            if time.monotonic() - self._told >= _ALL_EVERY:
                self._update()

    def end(self, good: bool) -> None:
        """Count a job as done, and as failed unless it is good."""
        with self._lock:
            self._done += 1
            self._failed += not good
            self._update()

    def _update(self) -> None:
        self._told = time.monotonic()
        running = sum(self._shares.values())
        parts = [f"{self._done} of {self._total}"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        worked = self._done - self._failed + running
        left = max(self._total - self._done - running, 0.0)
        if self._done < self._total and worked > 0:
            seconds = (self._told - self._began) / worked * left
            parts.append(f"{seconds_text(seconds)} left")
        self._bars.update(
            self.task, completed=self._done + running, news=", ".join(parts), refresh=True
        )


class _Bar:
    """One progress bar."""

    def __init__(self, bars: Any, task: Any, everything: _All | None) -> None:
        self._bars, self._task, self._all = bars, task, everything

    def __call__(self, progress: Progress) -> None:
        if self._all is not None:
            self._all.show(self._task, progress.done)
        self._bars.update(
            self._task,
            total=1.0,
            completed=progress.done,
            news=_news(progress),
            refresh=True,
        )


class _Lines:
    """One line for every tenth of the work, and one for every stage."""

    def __init__(self, reporter: Reporter, name: str) -> None:
        self._reporter, self._name = reporter, name
        self._last: tuple[str, int] | None = None

    def __call__(self, progress: Progress) -> None:
        done = progress.done
        step = (progress.stage, int(done / _LINE_EVERY))
        if step != self._last:
            self._last = step
            self._reporter.say(f"{self._name}: {done:.0%} {_news(progress)}")


def _nothing(progress: Progress) -> None:
    """Show nothing."""


def _news(progress: Progress) -> str:
    parts = [progress.stage]
    if progress.gaussians:
        parts.append(plural(progress.gaussians, "Gaussian"))
    if math.isfinite(progress.psnr):
        parts.append(decibels(progress.psnr))
    if 0 < progress.seconds_left < math.inf:
        parts.append(f"{seconds_text(progress.seconds_left)} left")
    return ", ".join(parts)
