"""A pool of threads whose native calls can be ended."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from gaussianimage._util.interrupt import StopFlag, stoppable

__all__ = ["StoppableThreads"]

Result = TypeVar("Result")


class StoppableThreads:
    """A pool of threads that `halt` ends within a native call.

    Parameters
    ----------
    count : int
        Number of threads.
    """

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count)
        self._flag = StopFlag()
        self._stopped = threading.Event()

    def submit(self, call: Callable[..., Result], *arguments: Any) -> "Future[Result]":
        """Run a call on one of the threads; it raises KeyboardInterrupt after `halt`."""
        return self._pool.submit(self._run, call, arguments)

    def _run(self, call: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        if self._stopped.is_set():
            raise KeyboardInterrupt
        with stoppable(self._flag):
            return call(*arguments)

    def halt(self, futures: "list[Future[Any]]", patience: float | None = None) -> bool:
        """Cancel the waiting calls, end the running ones, and tell whether all have ended.

        Parameters
        ----------
        futures : list of Future
            The calls that may not have ended.
        patience : float, optional
            Seconds to wait for the running calls; without a limit by default.
        """
        self._stopped.set()
        self._flag.set()
        running = [future for future in futures if not future.cancel()]
        return not wait(running, patience).not_done

    def close(self) -> None:
        """Wait for all calls, and end the threads."""
        self._pool.shutdown()
