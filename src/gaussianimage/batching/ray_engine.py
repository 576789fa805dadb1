"""The engine that is Ray: processes of this machine or of a cluster.

Ray places the tasks, passes them on from machines that are lost, and brings results back. A
picture is a task of its own or shares one with other small pictures, so that a lost worker costs
few pictures.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gaussianimage import _native
from gaussianimage.batching.engine import Returned, Work, WorkerLostError

__all__ = ["RayEngine", "import_ray"]

# Ray gives a task to another worker this often if its worker or machine is lost. Later the batch
# tries each picture alone.
RETRIES = 1
# Tasks that Ray knows of for each CPU: one runs, the others wait, and an autoscaler sees them.
AHEAD = 4
_MORE_CPUS_EVERY = 10.0  # seconds between two looks at the size of the cluster
_SECONDS_TO_ANSWER = 10.0
_OBJECTS = 80 << 20  # bytes, Ray's least; results are a few hundred bytes each

# Settings of Ray that the user's own environment may replace.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Otherwise Ray repeats a task without end while its memory doesn't suffice.
    "RAY_task_oom_retries": str(RETRIES),
    # Ray shows no GPU to tasks that ask for none, and says that a later version will.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class RayEngine:
    """Works on Ray's workers; see `Engine`.

    Parameters
    ----------
    address : str or None
        Address of a cluster. None uses the Ray that this process has started, or else starts Ray
        on this machine.
    jobs : int or None
        Number of workers at most.
    gpus : float
        Number of GPUs that a worker needs.

    Raises
    ------
    ImportError
        If Ray is not installed.
    ConnectionError
        If no cluster answers, or Ray does not start.
    """

    most_in_group = 16
    local = False

    def __init__(self, address: str | None, jobs: int | None, gpus: float) -> None:
        self._ray = ray = import_ray()
        self._gpus = gpus
        self._jobs = jobs
        self._ours = not ray.is_initialized()
        if self._ours:
            _start(ray, address, jobs)
        self._ours_here = self._ours and address is None
        self._looked = -_MORE_CPUS_EVERY
        self._cpus = 1

    @property
    def workers(self) -> int:
        """Number of groups that are worked on at a time."""
        if time.monotonic() - self._looked >= _MORE_CPUS_EVERY:
            self._cpus = max(1, int(self._ray.cluster_resources().get("CPU", 0)))
            self._looked = time.monotonic()
        return self._cpus if self._jobs is None else min(self._jobs, self._cpus)

    def run(
        self, work: Work, groups: Iterable[Sequence[Any]], *, alone: bool = False
    ) -> Generator[Returned, None, None]:
        """Yield what became of each group."""
        ray = self._ray
        options = {"num_cpus": 1, "num_gpus": self._gpus, "max_retries": RETRIES}

        def carried(group: Sequence[Any]) -> Any:
            return work(group)

        call = ray.remote(**options)(carried)
        running: dict[Any, Sequence[Any]] = {}
        try:
            for group in groups:
                running[call.remote(group)] = group
                while len(running) >= self._most(alone=alone):
                    yield from self._ended(running)
            while running:
                yield from self._ended(running)
        finally:
            for reference in running:
                ray.cancel(reference, force=True)

    def _most(self, *, alone: bool) -> int:
        """Return the number of groups that may run or wait."""
        if alone:
            return 1
        # A Ray of our own has as many CPUs as workers; elsewhere, `jobs` limits the tasks.
        return AHEAD * self.workers if self._jobs is None or self._ours_here else self.workers

    def _ended(self, running: dict[Any, Sequence[Any]]) -> Iterator[Returned]:
        ray = self._ray
        # The first question waits, the second asks for everything else that has ended.
        ended, others = ray.wait(list(running), num_returns=1, timeout=1.0)
        if ended and others:
            ended += ray.wait(others, num_returns=len(others), timeout=0)[0]
        for reference in ended:
            group = running.pop(reference)
            try:
                yield Returned(group, ray.get(reference), None)
            except ray.exceptions.RayTaskError as error:
                yield Returned(group, None, getattr(error, "cause", None) or error)
            except (ray.exceptions.RayError, ConnectionError) as error:
                told = str(error).strip().splitlines()
                text = f"{type(error).__name__}: {told[0] if told else ''}"
                yield Returned(group, None, WorkerLostError(text))

    def close(self) -> None:
        """End Ray if it has been started for this engine."""
        if self._ours:
            self._ray.shutdown()


def import_ray() -> Any:
    """Return the module `ray`.

    Raises
    ------
    ImportError
        If Ray is not installed; the message names the extra.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        message = "the engine ray needs Ray: pip install gaussianimage[ray]"
        raise ImportError(message) from None
    return ray


def _start(ray: Any, address: str | None, jobs: int | None) -> None:
    common = {"log_to_driver": False, "logging_level": "error"}
    with _own_signals():
        if address is None:
            try:
                ray.init(
                    num_cpus=jobs or _native.cpus(),
                    include_dashboard=False,
                    object_store_memory=_OBJECTS,
                    **common,
                )
            except Exception as error:
                # Ray has no type of its own for a machine that is too busy for it to start.
                raise ConnectionError(f"Ray does not start: {_first_line(error)}") from error
            return
        try:
            _check_answer(address)
            ray.init(address=address, **common)
        except Exception as error:
            told = f"no Ray cluster answers at {address}: {_first_line(error)}"
            raise ConnectionError(told) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _check_answer(address: str) -> None:
    """Fail if nothing answers at ``host:port``; Ray would end the process.

    Raises
    ------
    OSError
        In the system's own words.
    """
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS_TO_ANSWER).close()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this process's answer to SIGTERM, which Ray replaces when it starts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
