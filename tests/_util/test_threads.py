import threading

import numpy as np
import pytest

import gaussianimage
from gaussianimage._util.threads import StoppableThreads


def test_calls_run_at_the_same_time_and_return() -> None:
    threads = StoppableThreads(2)
    together = threading.Barrier(2)
    futures = [threads.submit(lambda n: together.wait(30) * 0 + n, n) for n in range(2)]
    assert [future.result() for future in futures] == [0, 1]
    threads.close()


def test_halt_ends_native_calls_and_cancels_waiting_ones() -> None:
    threads = StoppableThreads(1)
    begun = threading.Event()

    def fit_for_long() -> None:
        begun.set()
        noise = np.random.default_rng(1).random((64, 64, 3), np.float32)
        gaussianimage.fit(noise, 500, iterations=10**6, threads=1)

    futures = [threads.submit(fit_for_long), threads.submit(fit_for_long)]
    assert begun.wait(30)
    assert threads.halt(futures, 30)
    threads.close()
    with pytest.raises(KeyboardInterrupt):
        futures[0].result()
    assert futures[1].cancelled()


def test_a_call_after_halt_does_not_run() -> None:
    threads = StoppableThreads(1)
    threads.halt([])
    with pytest.raises(KeyboardInterrupt):
        threads.submit(lambda: 1).result()
    threads.close()
