"""Work in a process of its own, whose time and memory the system tells."""

import os
import pickle
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Cost(NamedTuple):
    """What a process took."""

    seconds: float
    cpu_seconds: float
    peak_megabytes: float


class Ended(NamedTuple):
    """How work ended: its result, its cost, and whether it was interrupted."""

    result: Any
    cost: Cost
    interrupted: bool


class FailedError(Exception):
    """A process ended without a result."""


def run_function(function: Callable[[], Any]) -> Ended:
    """Call a function in a fork of this process.

    If this process is interrupted (`KeyboardInterrupt`), so is the fork. The function may then
    return what it has.
    """
    receive, send = os.pipe()
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(receive)
            data = pickle.dumps(function())
            with open(send, "wb") as stream:  # noqa: PTH123  (a descriptor)
                stream.write(data)
            code = 0
        except KeyboardInterrupt:
            code = 130
        except BaseException:  # noqa: BLE001  (the parent tells that there was an error)
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(send)
    data, interrupted = b"", False
    with open(receive, "rb") as stream:  # noqa: PTH123  (a descriptor)
        try:
            data = stream.read()
        except KeyboardInterrupt:
            interrupted = True
            os.kill(child, signal.SIGINT)
            signal.alarm(0)
            data = stream.read()
    cost, status = _wait(child, began)
    if not data and not interrupted:
        raise FailedError(f"it ended with status {status}")
    return Ended(pickle.loads(data) if data else None, cost, interrupted)


def run_command(command: Sequence[object]) -> Ended:
    """Run a command; the result is its last line of output.

    Raises
    ------
    FailedError
        If it fails.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, interrupted = b"", False
    assert process.stdout is not None
    try:
        output = process.stdout.read()
    except KeyboardInterrupt:
        interrupted = True
        process.kill()
        output = process.stdout.read()
    process.stdout.close()
    cost, status = _wait(process.pid, began)
    process.returncode = status
    lines = output.decode(errors="replace").split("\n")
    told = next((line for line in reversed(lines) if line.strip()), "")
    if status and not interrupted:
        raise FailedError(f"{command[0]} ended with status {status}: {told}")
    return Ended(told, cost, interrupted)


def _wait(child: int, began: float) -> tuple[Cost, int]:
    while True:
        try:
            _, status, usage = os.wait4(child, 0)
            break
        except KeyboardInterrupt:
            os.kill(child, signal.SIGKILL)
    seconds = time.perf_counter() - began
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(seconds, cpu, usage.ru_maxrss / 1024), os.waitstatus_to_exitcode(status)
