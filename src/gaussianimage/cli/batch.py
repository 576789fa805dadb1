"""Many inputs: each on its own, several at once, and none stopped by another's failure."""

import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from gaussianimage import _native
from gaussianimage.cli.command import verbosity
from gaussianimage.cli.errors import FAILED, INTERRUPTED, describe, details, warning
from gaussianimage.cli.options import BatchOptions
from gaussianimage.cli.paths import Item, check_output, refuse_folder
from gaussianimage.cli.progress import Progress, Reporter, Watch
from gaussianimage.files import is_terminal

__all__ = ["Job", "Outcome", "run", "run_each"]


@dataclass(frozen=True)
class Job:
    """What work on one item may use, and whom it tells how far it is."""

    threads: int | None
    progress: Watch
    reporter: Reporter

    def warn(self, message: str) -> None:
        """Tell of a picture that may not be what is meant, unless quiet."""
        self.reporter.say(warning(message))


@dataclass(frozen=True)
class Outcome:
    """What work on one item came to.

    Parameters
    ----------
    line : str
        What to tell about it.
    interrupted : bool
        Whether Ctrl-C has cut it short; what there was by then is written.
    advice : str
        What to do about that.
    """

    line: str
    interrupted: bool = False
    advice: str = ""


Work = Callable[[Item, Job], Outcome]


def run(items: Sequence[Item], work: Work, batch: BatchOptions) -> None:
    """Work on every item and end the command with an exit code.

    Parameters
    ----------
    items : sequence of Item
    work : callable
        Reads the item's source, writes its target and returns an `Outcome`. Jobs run in threads,
        so it should spend its time in native code. Ctrl-C comes to it as KeyboardInterrupt, raised
        by `Job.progress` where it isn't on the main thread.
    batch : BatchOptions

    Raises
    ------
    Exit
        Always: 0, 1 if an item failed, 130 after Ctrl-C.
    """
    with Reporter(quiet=batch.quiet, verbose=verbosity()) as reporter:
        if whole := [item.target_name for item in items if item.whole_name]:
            reporter.say(
                f"{len(whole)} outputs keep the extensions of their inputs, which differ in "
                f"nothing else: {whole[0]} ..."
            )
        code = _Batch(items, work, batch, reporter).run()
    raise click.exceptions.Exit(code)


def run_each(sources: Sequence[str], work: Callable[[str], None]) -> None:
    """Do something that prints its result with every input, and end with an exit code.

    Raises
    ------
    Exit
        1 if an input failed.
    """
    failed = 0
    with Reporter(quiet=False, verbose=verbosity()) as reporter:
        for source in sources:
            try:
                work(source)
            except (BrokenPipeError, click.ClickException):
                raise
            except Exception as error:  # noqa: BLE001 - the others come next, whatever it is
                failed += 1
                _tell(reporter, error, source)
        if failed and len(sources) > 1:
            reporter.warn(f"gaussianimage: {failed} of {len(sources)} failed")
    raise click.exceptions.Exit(FAILED if failed else 0)


def _tell(reporter: Reporter, error: Exception, source: str) -> None:
    if reporter.verbose >= 2:
        reporter.warn(details(error))
    reporter.warn(f"gaussianimage: {describe(error, source)}")


class _Batch:
    def __init__(
        self, items: Sequence[Item], work: Work, batch: BatchOptions, reporter: Reporter
    ) -> None:
        self._items = items
        self._work = work
        self._options = batch
        self._reporter = reporter
        self._jobs = min(batch.jobs, len(items))
        self._threads = batch.threads
        if batch.threads is None and self._jobs > 1:
            self._threads = max(1, _native.cpus() // self._jobs)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._failed = 0

    def run(self) -> int:
        done = self._one_by_one() if self._jobs == 1 else self._side_by_side()
        left = len(self._items) - done
        if self._stop.is_set():
            if left:
                self._reporter.warn(
                    f"gaussianimage: interrupted; {left} of {len(self._items)} not done"
                    if len(self._items) > 1
                    else "gaussianimage: interrupted; nothing is written"
                )
            return INTERRUPTED
        if self._failed and len(self._items) > 1:
            self._reporter.warn(f"gaussianimage: {self._failed} of {len(self._items)} failed")
        return FAILED if self._failed else 0

    def _one_by_one(self) -> int:
        done = 0
        for item in self._items:
            try:
                self._finish(item, self._outcome(item))
                done += 1
            except KeyboardInterrupt:
                self._stop.set()
            if self._stop.is_set():
                break
        return done

    def _side_by_side(self) -> int:
        done = 0
        futures: list[Future[None]] = []
        with ThreadPoolExecutor(self._jobs) as pool:
            try:
                futures.extend(pool.submit(self._in_thread, item) for item in self._items)
                wait(futures)
            except KeyboardInterrupt:
                self._halt(futures)
        for future in futures:
            if future.cancelled():
                continue
            with suppress(KeyboardInterrupt):
                future.result()
                done += 1
        return done

    def _halt(self, futures: list[Future[None]]) -> None:
        """Let the running jobs write what they have, and start no others."""
        self._stop.set()
        for future in futures:
            future.cancel()
        if is_terminal(sys.stderr):
            self._reporter.warn("gaussianimage: finishing what has been started")
        with suppress(KeyboardInterrupt):
            wait(futures)

    def _in_thread(self, item: Item) -> None:
        if not self._stop.is_set():
            self._finish(item, self._outcome(item))

    def _outcome(self, item: Item) -> Outcome | Exception:
        try:
            if self._options.recursive is False:
                refuse_folder(item.source)
            if item.in_folder:
                Path(item.target).parent.mkdir(parents=True, exist_ok=True)
            check_output(item.target, overwrite=not self._options.no_overwrite)
            with self._reporter.watch(item.name) as watch:
                progress = watch if self._jobs == 1 else _Interruptible(watch, self._stop)
                return self._work(item, Job(self._threads, progress, self._reporter))
        except (BrokenPipeError, click.ClickException):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the others
            return error

    def _finish(self, item: Item, outcome: Outcome | Exception) -> None:
        if isinstance(outcome, Exception):
            with self._lock:
                self._failed += 1
            _tell(self._reporter, outcome, item.source)
            return
        name = f"{item.name}: " if len(self._items) > 1 else ""
        self._reporter.say(name + outcome.line)
        if outcome.interrupted:
            self._stop.set()
            self._reporter.warn(
                f"gaussianimage: {item.name}: interrupted; "
                f"{item.target_name} holds the best so far{outcome.advice}"
            )


class _Interruptible:
    """Passes progress on, and after Ctrl-C raises KeyboardInterrupt, as Python would.

    Only once, and only in a fit, which is what can be cut short: all other work is soon done.
    """

    def __init__(self, watch: Watch, stop: threading.Event) -> None:
        self._watch, self._stop = watch, stop
        self._raised = False

    def __call__(self, progress: Progress) -> None:
        if self._stop.is_set() and not self._raised and progress.stage == "fit":
            self._raised = True
            raise KeyboardInterrupt
        self._watch(progress)
