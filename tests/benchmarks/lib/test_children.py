import os
import signal
import sys
import time

import numpy as np
import pytest
from lib.children import FailedError, run_command, run_function


def test_a_function_runs_in_another_process_and_costs_are_its_own() -> None:
    def work() -> int:
        array = np.ones(30_000_000)  # 240 MB
        end = time.process_time() + 0.2
        while time.process_time() < end:
            array[:10] += 1
        return os.getpid()

    ended = run_function(work)
    assert ended.result != os.getpid()
    assert not ended.interrupted
    assert 0.2 < ended.cost.cpu_seconds < 10
    assert ended.cost.peak_megabytes > 240


def test_a_failure_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FailedError, match="status 3"):
        run_function(lambda: os._exit(3))
    command = [sys.executable, "-c", "print('too large'); raise SystemExit(4)"]
    with pytest.raises(FailedError, match="status 4: too large"):
        run_command(command)
    assert run_command([sys.executable, "-c", "print('a'); print('b')"]).result == "b"


def test_an_interruption_is_passed_on() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def work() -> str:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            return "half"
        return "whole"

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        ended = run_function(work)
        assert (ended.result, ended.interrupted) == ("half", True)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        assert run_command(["sleep", 60]).interrupted
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
