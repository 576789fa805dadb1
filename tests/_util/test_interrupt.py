"""Ctrl-C in long work raises KeyboardInterrupt, or ends the work with a usable result."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from gaussianimage import _native
from gaussianimage._util.interrupt import Interrupt, StopFlag, stoppable

needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs signals")
RATES = np.full((100_000, 3), 1e-4, np.float32)  # far more iterations than a test can wait for


def optimizer(size: int = 200, threads: int = 2) -> _native.Optimizer:
    generator = np.random.default_rng(1)
    made = _native.Optimizer(generator.random((size, size, 3), np.float32), 4.5, threads)
    means = generator.random((300, 2)) * size
    made.add(means, np.tile([3.0, 0.5, 4.0], (300, 1)), generator.random((300, 3), np.float32))
    return made


@contextmanager
def pressed_soon(times: int = 1) -> Iterator[None]:
    """Send Ctrl-C to this process, a moment after the block has begun."""

    def press() -> None:
        for _ in range(times):
            time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    try:
        yield
    finally:
        thread.join()


CALLS = {
    "adam": lambda one: one.adam(RATES, 0.01),
    "gauss_newton": lambda one: one.gauss_newton(RATES[:, 0].copy(), 0.01, 0.1, 0.8),
    "solve_colors": lambda one: [one.solve_colors(20, 1e-4) for _ in range(10**6)],
    "residual": lambda one: [one.residual() for _ in range(10**6)],
}


@needs_posix
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CALLS)
def test_a_signal_ends_a_native_call(name: str, threads: int) -> None:
    one = optimizer(threads=threads)
    with pressed_soon(), pytest.raises(KeyboardInterrupt):
        CALLS[name](one)


@needs_posix
@pytest.mark.parametrize("name", ["adam", "gauss_newton"])
def test_a_stopped_call_has_done_whole_iterations(name: str) -> None:
    one, other = optimizer(), optimizer()
    with pressed_soon(), pytest.raises(KeyboardInterrupt):
        CALLS[name](one)
    assert 0 < one.steps < len(RATES)
    if name == "adam":
        other.adam(RATES[: one.steps], 0.01)
    else:
        other.gauss_newton(RATES[: one.steps, 0].copy(), 0.01, 0.1, 0.8)
    assert np.array_equal(one.means, other.means)
    assert np.array_equal(one.colors, other.colors)
    assert np.isfinite(one.adam(RATES[:5], 0.01)).all()


def test_a_flag_ends_the_native_calls_of_its_thread_alone() -> None:
    flag = StopFlag()
    ended: list[BaseException] = []

    def work() -> None:
        try:
            with stoppable(flag):
                CALLS["adam"](optimizer())
        except KeyboardInterrupt as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.1)
    flag.set()
    assert len(optimizer().adam(RATES[:200], 0.01)) == 200  # this thread has no flag
    thread.join(30)
    assert len(ended) == 1


def test_a_flag_is_obeyed_in_its_block_alone() -> None:
    flag = StopFlag()
    flag.set()
    with pytest.raises(KeyboardInterrupt), stoppable(flag):
        CALLS["adam"](optimizer())
    assert len(optimizer().adam(RATES[:500], 0.01)) == 500


@needs_posix
def test_work_that_keeps_is_cut_short_once_and_goes_on() -> None:
    one = optimizer()
    with Interrupt("keep") as interrupt:
        interrupt.begin()
        with pressed_soon(), interrupt.cut_short():
            one.adam(RATES, 0.01)
        assert interrupt.is_pressed()
        steps = one.steps
        with interrupt.cut_short():  # is not cut short again
            one.adam(RATES[:300], 0.01)
        assert one.steps == steps + 300
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@needs_posix
def test_a_second_signal_is_raised() -> None:
    one = optimizer()
    with Interrupt("keep") as interrupt:
        interrupt.begin()
        with pressed_soon(), interrupt.cut_short():
            one.adam(RATES, 0.01)
        with pressed_soon(), pytest.raises(KeyboardInterrupt), interrupt.cut_short():
            one.adam(RATES, 0.01)


def test_a_signal_between_blocks_is_not_lost() -> None:
    with Interrupt("keep") as interrupt:
        interrupt.begin()
        signal.raise_signal(signal.SIGINT)
        assert interrupt.is_pressed()


@pytest.mark.parametrize("kept", ["raise", "keep"])
def test_before_there_is_something_to_keep_signals_are_raised(kept: str) -> None:
    with pytest.raises(KeyboardInterrupt), Interrupt(kept), pressed_soon():
        time.sleep(30)


def test_a_handler_of_the_program_stays() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        with Interrupt("keep") as interrupt:
            interrupt.begin()
            signal.raise_signal(signal.SIGINT)
            assert not interrupt.is_pressed()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]


def test_what_is_shared_gives_the_handler_back_at_the_very_end() -> None:
    with Interrupt("keep") as interrupt:
        with Interrupt.make(interrupt) as same:
            same.begin()
        assert same is interrupt
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_in_a_block_passes() -> None:
    interrupt = Interrupt("keep")
    with pytest.raises(RuntimeError), interrupt.cut_short():
        raise RuntimeError
    assert not interrupt.is_pressed()


@pytest.mark.parametrize("value", ["", "ignore", None, 1])
def test_other_choices_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="on_interrupt"):
        Interrupt(value)
