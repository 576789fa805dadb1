"""The engine that works on threads of this process."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from gaussianimage._util.threads import StoppableThreads
from gaussianimage.batching.engine import Returned, Work

__all__ = ["LocalEngine"]


class LocalEngine:
    """Works on threads of this process; see `Engine`."""

    most_in_group = 1
    local = True

    def __init__(self, workers: int) -> None:
        self._workers = workers

    @property
    def workers(self) -> int:
        """Number of threads."""
        return self._workers

    def run(
        self, work: Work, groups: Iterable[Sequence[Any]], *, alone: bool = False
    ) -> Generator[Returned, None, None]:
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
