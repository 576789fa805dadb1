"""Running a command on many inputs, several at once; a failed input does not end the others."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click

from gaussianimage import _native
from gaussianimage._util.files import discard_unfinished, is_stream
from gaussianimage._util.threads import StoppableThreads
from gaussianimage.batching.engines import open_engine
from gaussianimage.batching.second_try import run_with_second_try
from gaussianimage.cli.command import verbosity
from gaussianimage.cli.errors import (
    FAILED,
    INTERRUPTED,
    TERMINATED,
    describe,
    details,
    warning,
)
from gaussianimage.cli.options import BatchOptions
from gaussianimage.cli.paths import Item, check_output, refuse_folder
from gaussianimage.cli.progress import Reporter
from gaussianimage.fitting.progress import OnProgress, Progress

__all__ = ["JobContext", "Outcome", "RayOptions", "run", "run_each", "terminable"]


# Seconds that jobs have to end after Ctrl-C. The engine can be told to end; Pillow cannot.
PATIENCE = 0.12
# The same for jobs that save their state.
SAVING = 10.0


@dataclass(frozen=True)
class JobContext:
    """The resources of the work on one item, and the receivers of its progress and messages.

    Parameters
    ----------
    threads : int or None
        Number of threads; None stands for all CPUs.
    progress : callable
        Called with a `Progress`.
    reporter : Reporter
    on_interrupt : {"raise", "keep"}
        Effect of Ctrl-C, as in `gaussianimage.encode`. A single item keeps its best result so far.
        Among several items, an unfinished item has no output.
    """

    threads: int | None
    progress: OnProgress
    reporter: Reporter
    on_interrupt: str = "raise"

    def warn(self, message: str) -> None:
        """Print a warning about a picture, unless quiet."""
        self.reporter.say(warning(message))


@dataclass(frozen=True)
class Outcome:
    """The result of the work on one item.

    Parameters
    ----------
    line : str
        The line to print about the item.
    interrupted : bool
        Whether Ctrl-C has ended the work early; the output holds the best result so far.
    advice : str
        What the user can do with an interrupted output. The line that reports the interruption ends
        with this text.
    facts : mapping
        Values that --json prints in addition to the names of the input and the output.
    """

    line: str
    interrupted: bool = False
    advice: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


Work = Callable[[Item, JobContext], Outcome]


@dataclass(frozen=True)
class RayOptions:
    """Where Ray works on items: `address` and `jobs` as in `open_engine`, GPUs, and groups.

    Parameters
    ----------
    address : str or None
        Address of a cluster; None starts Ray on this machine.
    jobs : int or None
        Number of workers at most.
    gpus : float
        Number of GPUs that a worker needs.
    together : callable
        Returns the same value for items that one worker shall work on one after the other.
    """

    address: str | None
    jobs: int | None
    gpus: float
    together: Callable[[Item], Hashable]


def run(
    items: Sequence[Item],
    work: Work,
    batch: BatchOptions,
    ray: RayOptions | None = None,
    *,
    resumes: bool = False,
) -> int:
    """Work on every item, and return the command's exit code.

    Parameters
    ----------
    items : sequence of Item
    work : callable
        Reads the item's source, writes its target and returns an `Outcome`. Jobs run in threads,
        so it should spend its time in native code. After Ctrl-C, native calls and
        `JobContext.progress` raise KeyboardInterrupt on every thread but the main one.
    batch : BatchOptions
    ray : RayOptions, optional
        Work on Ray. `work` goes to other processes then, which show no progress.
    resumes : bool, default False
        Whether `work` saves its state after Ctrl-C, for which it has some seconds.

    Returns
    -------
    int
        0 if all items succeeded, 1 if an item failed, or 130 after Ctrl-C. If jobs do not end soon
        after a signal, the process ends at once: with 130 after Ctrl-C, with 143 after SIGTERM.

    Raises
    ------
    UsageError
        If JSON and an output would both go to stdout.
    """
    if batch.as_json and any(is_stream(item.target) for item in items):
        raise click.UsageError("--json goes to stdout, and so does the output.")
    with Reporter(quiet=batch.quiet, verbose=verbosity()) as reporter, terminable():
        if whole := [item.target_name for item in items if item.whole_name]:
            reporter.say(
                f"{len(whole)} outputs keep the extensions of their inputs, which differ in "
                f"nothing else: {whole[0]} ..."
            )
        return _BatchRun(items, work, batch, reporter, ray, resumes).run()


def run_each(sources: Sequence[str], work: Callable[[str], None]) -> int:
    """Call a function that prints its result with every input, and return the exit code.

    Returns
    -------
    int
        0 if all inputs succeeded, or 1 if an input failed.
    """
    failed = 0
    with Reporter(quiet=False, verbose=verbosity()) as reporter:
        for source in sources:
            try:
                work(source)
            except (BrokenPipeError, click.ClickException):
                raise
            except Exception as error:  # noqa: BLE001 - an error of one input must not end the rest
                failed += 1
                _tell(reporter, error, source)
        if failed and len(sources) > 1:
            reporter.warn(f"gaussianimage: {failed} of {len(sources)} failed")
    return FAILED if failed else 0


def _tell(reporter: Reporter, error: Exception, source: str) -> None:
    if reporter.verbose >= 2:
        reporter.warn(details(error))
    reporter.warn(f"gaussianimage: {describe(error, source)}")


class _BatchRun:
    def __init__(
        self,
        items: Sequence[Item],
        work: Work,
        batch: BatchOptions,
        reporter: Reporter,
        ray: RayOptions | None,
        resumes: bool,
    ) -> None:
        self._ray = ray
        self._resumes = resumes
        self._items = items
        self._work = work
        self._options = batch
        self._reporter = reporter
        self._jobs = min(batch.jobs, len(items))
        self._threads = batch.threads
        if batch.threads is None and self._jobs > 1:
            self._threads = max(1, _native.cpus() // self._jobs)
        self._stop = threading.Event()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._failed = self._finished = 0
        self._kept = ""  # what an interrupted item has left for the next run

    def run(self) -> int:
        with self._reporter.count(len(self._items)) as self._count, self._watched():
            if self._ray is not None:
                done = self._on_ray(self._ray)
            else:
                done = self._one_by_one() if self._jobs == 1 else self._side_by_side()
        left = len(self._items) - done
        if self._stop.is_set():
            if left:
                self._tell_of_end(left)
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
            except KeyboardInterrupt as error:
                self._stop.set()
                self._kept = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
            if self._stop.is_set():
                break
        return done

    def _side_by_side(self) -> int:
        done = 0
        futures: list[Future[None]] = []
        threads = StoppableThreads(self._jobs)
        try:
            futures.extend(threads.submit(self._in_thread, item) for item in self._items)
            wait(futures)
        except KeyboardInterrupt:
            self._halt(threads, futures, INTERRUPTED)
        except SystemExit:
            self._halt(threads, futures, TERMINATED)
            raise
        finally:
            threads.close()
        for future in futures:
            if future.cancelled():
                continue
            with suppress(KeyboardInterrupt):
                future.result()
                done += 1
        return done

    def _on_ray(self, ray: RayOptions) -> int:
        done = 0
        groups: dict[Hashable, list[Item]] = {}
        for item in self._items:
            groups.setdefault(ray.together(item), []).append(item)
        work = partial(_work_on_group, self._work, self._threads)
        engine = open_engine("ray", address=ray.address, jobs=ray.jobs, gpus=ray.gpus)
        try:
            with (
                closing(engine),
                closing(run_with_second_try(engine, work, groups.values())) as results,
            ):
                for group, outcomes, error in results:
                    for item, outcome in zip(group, outcomes or [error] * len(group), strict=True):
                        self._finish(item, outcome)
                        done += 1
        except KeyboardInterrupt:
            self._stop.set()
        return done

    def _halt(self, threads: StoppableThreads, futures: list[Future[None]], code: int) -> None:
        """End the running jobs and cancel the waiting ones."""
        self._stop.set()
        try:
            all_ended = threads.halt(futures, PATIENCE)
        except (KeyboardInterrupt, SystemExit):
            all_ended = False
        if not all_ended:
            self._leave(code)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """End the process if the main thread does not react to a signal while the block runs.

        The main thread may be in a call that does not check for signals, such as one of Pillow's
        encoders.
        """
        ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if threading.current_thread() is not threading.main_thread() or not ours:
            yield
            return
        news, written = os.pipe()
        os.set_blocking(written, False)
        before = signal.set_wakeup_fd(written, warn_on_full_buffer=False)
        thread = threading.Thread(target=self._watch, args=(news,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            signal.set_wakeup_fd(before)
            os.close(written)
            thread.join()
            os.close(news)

    def _watch(self, news: int) -> None:
        codes = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
        kept = False
        while number := os.read(news, 1):
            if number[0] not in codes:
                continue
            # An encoder that keeps the best result so far handles the first Ctrl-C itself.
            default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
            if number[0] == signal.SIGINT and not default and not kept:
                kept = True
            elif not self._over.wait(self._patience(number[0])) and not self._stop.is_set():
                self._leave(codes[signal.Signals(number[0])])

    def _patience(self, number: int) -> float:
        return SAVING if self._resumes and number == signal.SIGINT else PATIENCE

    def _leave(self, code: int) -> NoReturn:
        """End the process while jobs are running, and remove their unfinished files."""
        discard_unfinished()
        self._tell_of_end(len(self._items) - self._finished)
        self._reporter.close()
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(code)

    def _tell_of_end(self, left: int) -> None:
        told = f"{left} of {len(self._items)} not done"
        if len(self._items) == 1 and not self._resumes:
            told = "the output is not written" if self._kept else "nothing is written"
        self._reporter.warn(f"gaussianimage: interrupted; {told}{self._kept}")

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
                kept = "keep" if len(self._items) == 1 else "raise"
                return self._work(item, JobContext(self._threads, progress, self._reporter, kept))
        except (BrokenPipeError, click.ClickException):
            raise
        except Exception as error:  # noqa: BLE001 - an error of one item must not end the rest
            return error

    def _print(self, item: Item, facts: Mapping[str, Any]) -> None:
        if self._options.as_json:
            found = {"input": item.source, "output": item.target, **facts}
            with self._lock:
                click.echo(json.dumps(found))

    def _finish(self, item: Item, outcome: Outcome | Exception) -> None:
        self._count(not isinstance(outcome, Exception))
        with self._lock:
            self._finished += 1
        if isinstance(outcome, Exception):
            with self._lock:
                self._failed += 1
            _tell(self._reporter, outcome, item.source)
            self._print(item, {"error": describe(outcome, item.source)})
            return
        self._print(item, {**outcome.facts, "interrupted": outcome.interrupted})
        name = f"{item.name}: " if len(self._items) > 1 else ""
        self._reporter.say(name + outcome.line)
        if outcome.interrupted:
            self._stop.set()
            self._reporter.warn(
                f"gaussianimage: {item.name}: interrupted; "
                f"{item.target_name} holds the best so far{outcome.advice}"
            )


def _work_on_group(
    work: Work, threads: int | None, group: Sequence[Item]
) -> list[Outcome | Exception]:
    """Work on items one after the other in a process of Ray."""
    reporter = Reporter(quiet=True, verbose=0)
    outcomes: list[Outcome | Exception] = []
    for item in group:
        try:
            Path(item.target).parent.mkdir(parents=True, exist_ok=True)
            with reporter.watch(item.name) as watch:
                outcomes.append(work(item, JobContext(threads or 1, watch, reporter)))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - an error of one item must not end the rest
            outcomes.append(error)
    return outcomes


class _Interruptible:
    """A progress callback that raises KeyboardInterrupt after Ctrl-C, on any thread."""

    def __init__(self, watch: OnProgress, stop: threading.Event) -> None:
        self._watch, self._stop = watch, stop

    def __call__(self, progress: Progress) -> None:
        if self._stop.is_set():
            raise KeyboardInterrupt
        self._watch(progress)


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as an error does, so that unfinished files are removed."""
    on_main = threading.current_thread() is threading.main_thread()
    if not on_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def terminate(*_: object) -> NoReturn:
        sys.exit(TERMINATED)

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
