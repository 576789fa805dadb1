"""The time and memory of a run."""

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage.paper import measurement

CPU = torch.device("cpu")


def test_frames_a_second_are_those_of_the_median_frame(monkeypatch: Any) -> None:
    clock = iter([0, 1, 10, 14, 20, 22])  # frames of 1, 4 and 2 seconds
    fake = SimpleNamespace(perf_counter=lambda: float(next(clock)))
    monkeypatch.setattr(measurement, "time", fake)
    calls: list[int] = []
    fps = measurement.frames_per_second(lambda: calls.append(1), CPU, seconds=0)
    assert fps == 0.5
    assert len(calls) == 2 + 3  # two to warm up


def test_frames_are_timed_for_a_while_but_not_without_end() -> None:
    calls: list[int] = []
    measurement.frames_per_second(lambda: calls.append(1), CPU, seconds=1e9, frames=7)
    assert len(calls) == 2 + 7
    calls.clear()

    def sleep() -> None:
        calls.append(1)
        time.sleep(0.01)

    measurement.frames_per_second(sleep, CPU, seconds=0.05)
    assert 2 + 3 <= len(calls) <= 2 + 5


def test_no_frames_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"^frames: expected at least 1, got 0"):
        measurement.frames_per_second(lambda: None, CPU, frames=0)


def test_the_peak_holds_what_was_freed_since() -> None:
    peak = measurement.PeakMemory(CPU)
    before = peak.read()
    np.ones(2**26, np.uint8).sum()  # 64 MiB, and gone
    after = peak.read()
    assert after.kind == "process"
    if before.mib is None or after.mib is None:
        pytest.skip("this system does not tell")
    assert after.mib >= before.mib + 32 or before.mib > 500
    assert measurement.PeakMemory(CPU).read().mib is not None
