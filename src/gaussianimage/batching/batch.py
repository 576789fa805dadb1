"""A batch: many pictures through one task, with a manifest that a later run goes on from."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Any

from gaussianimage._util.describe import describe_error
from gaussianimage.batching import stores
from gaussianimage.batching.engine import Engine
from gaussianimage.batching.engines import check_engine, open_engine
from gaussianimage.batching.inputs import find_inputs, is_list
from gaussianimage.batching.manifest import Journal, open_journal, require_parquet, write_parquet
from gaussianimage.batching.plan import Plan, Planned
from gaussianimage.batching.second_try import LostTwiceError, run_with_second_try
from gaussianimage.batching.tasks import Task, make_task

__all__ = ["MANIFEST", "BatchProgress", "BatchSummary", "batch"]

MANIFEST = "manifest.jsonl"

# Bytes of inputs that share a task of the engine, at most; a photo gets a task of its own.
GROUP_BYTES = 256 << 10


@dataclass(frozen=True)
class BatchProgress:
    """How far a batch is.

    Attributes
    ----------
    total : int
        Number of pictures, those of earlier runs included.
    skipped : int
        Pictures that earlier runs have done, or failed at.
    done, failed : int
        Pictures that this run has done, or failed at.
    pixels : int
        Pixels of the pictures that this run has done.
    bytes_in, bytes_out : int
        Bytes of their inputs and outputs.
    seconds : float
        Wall-clock time since the work began.
    seconds_left : float or None
        Estimate of the time left, by bytes where all sizes are known, else by pictures; None while
        there is nothing to go by.
    """

    total: int
    skipped: int
    done: int
    failed: int
    pixels: int
    bytes_in: int
    bytes_out: int
    seconds: float
    seconds_left: float | None


@dataclass(frozen=True)
class BatchSummary:
    """The result of a batch.

    Attributes
    ----------
    total : int
        Number of pictures.
    done : int
        Pictures that this run has done.
    skipped : int
        Pictures that an earlier run has done.
    failed : int
        Pictures without an output whose error is in the manifest, from earlier runs too.
    repeated : int
        Names that the list of inputs has more than once; they count once.
    pixels, bytes_in, bytes_out : int
        Sums over the pictures that this run has done.
    seconds : float
        Wall-clock time of this run, without the search for inputs.
    manifest : str
        Address of the manifest.
    """

    total: int
    done: int
    skipped: int
    failed: int
    repeated: int
    pixels: int
    bytes_in: int
    bytes_out: int
    seconds: float
    manifest: str

    def as_dict(self) -> dict[str, Any]:
        """Return the values by name, as JSON has them."""
        return asdict(self)


def batch(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    task: str = "encode",
    engine: str = "local",
    address: str | None = None,
    jobs: int | None = None,
    manifest: str | os.PathLike[str] | None = None,
    root: str | os.PathLike[str] | None = None,
    retry_failed: bool = False,
    progress: Callable[[BatchProgress], object] | None = None,
    **options: Any,
) -> BatchSummary:
    """Encode or decode many pictures, on this machine or on a Ray cluster.

    Every output is whole or not there. A picture that fails becomes a row with its error in the
    manifest. A picture that ends its worker, or that memory doesn't suffice for, is tried again
    alone at the end. The same call after an interrupted run does what is missing.

    Parameters
    ----------
    source : str or path-like
        A folder, with its subfolders; a pattern such as ``photos/**/*.jpg``; a file; or ``@FILE``,
        a file with a path or URL on each line. Where fsspec is installed, each may be a URL, such
        as ``s3://bucket/photos``.
    target : str or path-like
        The folder of the outputs, or its URL. Outputs have the names of the inputs with another
        extension, in the same subfolders. ``a.png`` and ``a.jpg`` become ``a.png.gimg`` and
        ``a.jpg.gimg``.
    task : {"encode", "decode", "thumbnail"}
    engine : {"local", "ray"}
        "local" works on threads of this process. "ray" needs `pip install gaussianimage[ray]`; it
        works on processes.
    address : str, optional
        Address of a Ray cluster, such as "auto" on one of its machines. Without it, Ray starts on
        this machine, unless this process has started it already.
    jobs : int, optional
        Pictures to work on at a time, each on one thread; by default as many as there are CPUs.
    manifest : str or path-like, optional
        The manifest's path or URL, ``manifest.jsonl`` in `target` by default. With the extension
        ``.parquet``, the manifest is JSON lines beside that file, which is written at the end and
        needs pyarrow.
    root : str or path-like, optional
        For a list, the folder whose inputs' names are kept; by default the last folder that all
        inputs are in.
    retry_failed : bool, default False
        Whether pictures that failed in an earlier run are tried again.
    progress : callable, optional
        Called with a `BatchProgress` at the start and after each picture.
    **options
        For "encode", arguments of `encode` such as ``quality=60`` or ``effort=3``, and
        `max_pixels`; for "decode", `format` (an extension), `quality` and `metadata`; for
        "thumbnail", these and `longest`, the most pixels a side.

    Returns
    -------
    BatchSummary

    Raises
    ------
    OSError
        A store can't be reached, nothing has the name of `source`, or a disk is full. What is done
        by then is in the manifest.
    TypeError, ValueError
        An argument or option has a wrong type, is out of range or doesn't exist; two outputs would
        have one name, or one would replace an input; `target` lies in `source`.
    ImportError
        Ray, fsspec or pyarrow is needed and not installed; the message tells how to install it.
    FormatError
        The file in the manifest's place is no manifest.
    KeyboardInterrupt
        The user pressed Ctrl-C. The same call goes on from there.
    """
    began = time.monotonic()
    made = make_task(task, options)
    source, folder = os.fspath(source), stores.absolute(os.fspath(target))
    _check_places(source, folder, engine)
    listed = stores.absolute(os.fspath(manifest)) if manifest else stores.join(folder, MANIFEST)
    parquet = listed.endswith(".parquet")
    if parquet:
        require_parquet()
    check_engine(engine, address=address, jobs=jobs)
    stores.check_input(source[1:] if is_list(source) else source)
    with contextlib.ExitStack() as stack:
        found = find_inputs(source, made.extensions, None if root is None else os.fspath(root))
        plan = stack.enter_context(contextlib.closing(Plan(found, folder, made.suffix)))
        stores.check_output_folder(folder)
        journal = open_journal(f"{listed}.jsonl" if parquet else listed)
        try:
            plan.recall(journal.rows(), made.digest, partial(_walk_if_there, folder))
            if retry_failed:
                plan.retry_failed()
            run = _RunningBatch(made, plan, journal, progress)
            if run.left:
                workers = open_engine(engine, address=address, jobs=jobs)
                stack.callback(workers.close)
                run.work(workers)
        finally:
            journal.close()
        if parquet:
            write_parquet(journal, listed)
        return run.summary(listed, time.monotonic() - began)


def _check_places(source: str, folder: str, engine: str) -> None:
    """Refuse places that can't be what the caller means.

    Raises
    ------
    ValueError
        If a name is empty, the outputs' folder lies in the inputs', or a store is in this process
        alone.
    """
    if not source or source == "@" or not folder:
        raise ValueError("a name is empty")
    if engine == "ray" and any(stores.process_memory(place) for place in (source, folder)):
        raise ValueError("memory:// is in one process alone; use the engine local")
    if is_list(source) or stores.wildcard(source):
        return
    inputs = stores.absolute(source)
    if folder != inputs and folder.startswith(stores.join(inputs, "")):
        raise ValueError(f"{folder}: the outputs' folder lies in the inputs' folder {inputs}")


def _walk_if_there(folder: str) -> Iterator[stores.Found]:
    with contextlib.suppress(FileNotFoundError):
        yield from stores.walk(folder)


class _RunningBatch:
    """The work of one run of a batch."""

    def __init__(
        self,
        task: Task,
        plan: Plan,
        journal: Journal,
        progress: Callable[[BatchProgress], object] | None,
    ) -> None:
        self._task = task
        self._plan = plan
        self._journal = journal
        self._progress = progress
        self._done = self._failed = self._pixels = self._bytes_in = self._bytes_out = 0
        self._before = before = plan.counts()
        self.left = before.total - before.done - before.failed
        self._began = time.monotonic()
        self._tell()

    def work(self, engine: Engine) -> None:
        """Work on every pending picture."""
        self._began = time.monotonic()
        work = partial(_work_on_group, self._task)
        with contextlib.closing(run_with_second_try(engine, work, self._groups(engine))) as results:
            for group, value, error in results:
                if error is None:
                    found = value
                elif isinstance(error, LostTwiceError):
                    # No worker could tell its name.
                    found = [
                        _row(self._task, p, worker=None) | {"error": str(error)} for p in group
                    ]
                else:
                    raise error
                for row in found:
                    self._record(row)

    def _groups(self, engine: Engine) -> Iterator[list[Planned]]:
        """Yield groups of pending pictures: a large one alone, small ones together."""
        # So that all workers end at about the same time.
        most = min(engine.most_in_group, max(1, self.left // (8 * engine.workers)))
        group: list[Planned] = []
        size = 0
        for picture in self._plan.pending():
            weight = GROUP_BYTES if picture.size is None else picture.size
            if group and (len(group) >= most or size + weight > GROUP_BYTES):
                yield group
                group, size = [], 0
            group.append(picture)
            size += weight
        if group:
            yield group

    def _record(self, row: dict[str, Any]) -> None:
        self._journal.append(row)
        if "error" in row:
            self._failed += 1
        else:
            self._done += 1
            self._pixels += row["pixels"]
            self._bytes_in += row["bytes_in"]
            self._bytes_out += row["bytes_out"]
        self._tell()

    def _tell(self) -> None:
        if self._progress is None:
            return
        seconds = time.monotonic() - self._began
        before = self._before
        left = self.left - self._done - self._failed
        seconds_left = None
        if self._done and before.pending_bytes is not None:
            seconds_left = seconds * max(0, before.pending_bytes / max(self._bytes_in, 1) - 1)
        elif self._done:
            seconds_left = seconds / self._done * left
        self._progress(
            BatchProgress(
                total=before.total,
                skipped=before.done + before.failed,
                done=self._done,
                failed=self._failed,
                pixels=self._pixels,
                bytes_in=self._bytes_in,
                bytes_out=self._bytes_out,
                seconds=seconds,
                seconds_left=seconds_left if left else 0.0,
            )
        )

    def summary(self, manifest: str, seconds: float) -> BatchSummary:
        """Return the sums of the run."""
        return BatchSummary(
            total=self._before.total,
            done=self._done,
            skipped=self._before.done,
            failed=self._before.failed + self._failed,
            repeated=self._plan.repeated,
            pixels=self._pixels,
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            seconds=seconds,
            manifest=manifest,
        )


def _work_on_group(task: Task, group: Sequence[Planned]) -> list[dict[str, Any]]:
    """Work on pictures one after the other, on a worker, and return their rows.

    Raises
    ------
    MemoryError
        Memory doesn't suffice for a picture.
    OSError
        A disk is full: no further picture can be written.
    """
    return [_work_on(task, picture) for picture in group]


def _work_on(task: Task, picture: Planned) -> dict[str, Any]:
    began = time.perf_counter()
    row = _row(task, picture, _worker())
    try:
        data = stores.read(picture.source)
        row["bytes_in"] = len(data)
        worked = task(data)
        stores.put(picture.target, worked.data)
    except MemoryError:
        raise
    except Exception as error:
        if stores.is_full(error):
            raise
        seconds = round(time.perf_counter() - began, 4)
        return row | {"error": _told(error, picture), "seconds": seconds}
    width, height = worked.facts["width"], worked.facts["height"]
    return row | {
        **{name: value for name, value in worked.facts.items() if value is not None},
        "bytes_out": len(worked.data),
        "pixels": width * height,
        "seconds": round(time.perf_counter() - began, 4),
    }


def _row(task: Task, picture: Planned, worker: str | None) -> dict[str, Any]:
    return {
        "input": picture.source,
        "output": picture.target,
        "bytes_in": picture.size,
        "options": task.digest,
        "worker": worker,
    }


def _told(error: Exception, picture: Planned) -> str:
    """Return an error in one line, without the input's name, which the row has."""
    told = describe_error(error, picture.source).removeprefix(f"{picture.source}: ")
    return told.removeprefix("the data: ")  # what the reader calls bytes without a name


@cache
def _worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
