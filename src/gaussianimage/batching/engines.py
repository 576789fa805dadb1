"""The engines of a batch: what carries groups of items to workers and their results back."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, NamedTuple, Protocol

from gaussianimage import _native
from gaussianimage._util.arguments import positive, thread_count
from gaussianimage._util.threads import StoppableThreads

__all__ = [
    "ENGINES",
    "Engine",
    "Returned",
    "Work",
    "WorkerLostError",
    "check_engine",
    "open_engine",
]

ENGINES = ("local", "ray")

# A function of a group of items, which returns what they became.
Work = Callable[[Sequence[Any]], Any]


class WorkerLostError(Exception):
    """The process of a worker ended, or its machine did."""


class Returned(NamedTuple):
    """What became of a group: the value of the work, or the error that ended it."""

    group: Sequence[Any]
    value: Any
    error: BaseException | None


class Engine(Protocol):
    """Runs a function on groups of items, several at a time.

    Attributes
    ----------
    most_in_group : int
        Number of small items that make a good group. More than one saves the engine's own time.
    """

    most_in_group: int

    @property
    def workers(self) -> int:
        """Number of groups that are worked on at a time; of a cluster, at the moment."""

    def run(
        self, work: Work, groups: Iterable[Sequence[Any]], *, alone: bool = False
    ) -> Iterator[Returned]:
        """Yield what became of each group as soon as it is known.

        The groups are read as workers become free, and are not kept. Closing the iterator ends the
        work.

        Parameters
        ----------
        work : callable
            Called with a group on a worker.
        groups : iterable of sequence
        alone : bool
            Work on one group at a time.
        """

    def close(self) -> None:
        """End the workers."""


def check_engine(name: str, *, address: str | None = None, jobs: int | None = None) -> None:
    """Check the arguments of `open_engine` before any work is done.

    Raises
    ------
    ValueError
        If there is no such engine, or an argument is out of range.
    ImportError
        If Ray is not installed; the message names the extra.
    """
    if name not in ENGINES:
        raise ValueError(f"engine: expected local or ray, got {name!r}")
    if name == "ray":
        from gaussianimage.batching.ray_engine import import_ray

        if jobs is not None:
            positive("jobs", jobs)
        import_ray()
    else:
        if address is not None:
            raise ValueError("address: is for the engine ray")
        thread_count(jobs)


def open_engine(
    name: str, *, address: str | None = None, jobs: int | None = None, gpus: float = 0
) -> Engine:
    """Return an engine.

    Parameters
    ----------
    name : {"local", "ray"}
        "local" works on threads of this process, "ray" on processes, which may be on other
        machines.
    address : str, optional
        Address of a Ray cluster; without one, Ray starts on this machine and ends with the engine.
    jobs : int, optional
        Number of workers, 1 to 256 for "local"; by default as many as there are CPUs, for a cluster
        in the whole cluster.
    gpus : float
        Number of GPUs that a worker of Ray needs.

    Raises
    ------
    ValueError
        If there is no such engine, or a number is out of range.
    ImportError
        If Ray is not installed; the message names the extra.
    ConnectionError
        If no cluster answers at the address.
    """
    check_engine(name, address=address, jobs=jobs)
    if name == "ray":
        from gaussianimage.batching.ray_engine import RayEngine

        return RayEngine(address, jobs, gpus)
    return LocalEngine(thread_count(jobs) or _native.cpus())


class LocalEngine:
    """Works on threads of this process; see `Engine`."""

    most_in_group = 1

    def __init__(self, workers: int) -> None:
        self._workers = workers

    @property
    def workers(self) -> int:
        """Number of threads."""
        return self._workers

    def run(
        self, work: Work, groups: Iterable[Sequence[Any]], *, alone: bool = False
    ) -> Iterator[Returned]:
        """Yield what became of each group."""
        threads = StoppableThreads(1 if alone else self.workers)
        most = 1 if alone else 2 * self.workers  # the next groups wait for a free thread
        running: dict[Future[Any], Sequence[Any]] = {}
        try:
            for group in groups:
                running[threads.submit(work, group)] = group
                if len(running) >= most:
                    yield from _ended(running)
            while running:
                yield from _ended(running)
        finally:
            if running:
                threads.halt(list(running))
            threads.close()

    def close(self) -> None:
        """Do nothing: the threads have ended."""


def _ended(running: "dict[Future[Any], Sequence[Any]]") -> Iterator[Returned]:
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        group = running.pop(future)
        error = future.exception()
        yield Returned(group, None if error else future.result(), error)
