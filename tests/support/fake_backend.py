"""A backend that stands in for a GPU."""

from typing import Any

import pytest

from gaussianimage import backends
from gaussianimage.backends import Backend, Cpu
from gaussianimage.errors import GaussianImageError


class Recorder:
    """A backend that computes on the CPU and records its calls."""

    iterations_per_call = 7

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def render(self, gaussians: Any, window: Any, dtype: Any) -> Any:
        self.calls.append(("render", window, dtype))
        return Cpu(1).render(gaussians, window, dtype)

    def optimizer(self, target: Any, q_max: float) -> Any:
        self.calls.append(("optimizer", target.shape, q_max))
        return Cpu(1).optimizer(target, q_max)


def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Let a recorder stand in for the GPU "cuda:1", the only GPU."""
    recorder = Recorder()

    def load(kind: str) -> Any:
        def backend(device: str) -> Backend:
            if device != "cuda:1":
                raise GaussianImageError(f'device "{device}": is not there')
            return recorder

        assert kind == "cuda"
        return backend

    monkeypatch.setattr(backends, "_load", load)
    return recorder
