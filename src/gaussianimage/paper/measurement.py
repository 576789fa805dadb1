"""Measurements of frames a second and of the peak of the memory, on CPU and CUDA."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch

from gaussianimage._util.arguments import positive

__all__ = ["Memory", "PeakMemory", "frames_per_second", "synchronize"]

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = b"5"


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has finished all queued work; a CPU has no queue."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def frames_per_second(
    call: Callable[[], object], device: torch.device, *, seconds: float = 1.0, frames: int = 1000
) -> float:
    """Measure the number of calls a second.

    Each frame is timed from its call until the device has finished it, so frames do not overlap.
    (The paper measured without waiting for the GPU.)

    Parameters
    ----------
    call : callable
        Draws one frame.
    device : torch.device
        The device that draws it.
    seconds : float
        Least time to measure for; at least three frames are measured.
    frames : int
        Most frames to measure.

    Returns
    -------
    float
        1 / the median of the seconds of a frame, in frames a second.
    """
    positive("frames", frames)
    for _ in range(2):  # fills caches and compiles kernels
        call()
    synchronize(device)
    taken: list[float] = []
    while len(taken) < frames and (len(taken) < 3 or sum(taken) < seconds):
        began = time.perf_counter()
        call()
        synchronize(device)
        taken.append(time.perf_counter() - began)
    return 1 / median(taken)


@dataclass(frozen=True)
class Memory:
    """The peak of the memory in use.

    Parameters
    ----------
    mib : float or None
        Peak in MiB, or None if the system does not report it.
    kind : str
        ``cuda`` for the memory that PyTorch reserved on the GPU; ``process`` for all memory of the
        process on the CPU, with libraries.
    """

    mib: float | None
    kind: str


class PeakMemory:
    """Measures the memory's peak since its construction; a process can use one at a time.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.empty_cache()  # Cached memory of earlier work would count.
            torch.cuda.reset_peak_memory_stats(device)
            return
        with suppress(
            OSError
        ):  # Only Linux resets the peak; elsewhere it is that of the whole process.
            _CLEAR.write_bytes(_RESET_PEAK)

    def read(self) -> Memory:
        """Return the peak so far."""
        if self._device.type == "cuda":
            return Memory(torch.cuda.max_memory_reserved(self._device) / 2**20, "cuda")
        with suppress(OSError):
            for line in _STATUS.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return Memory(int(line.split()[1]) / 2**10, "process")
        return Memory(_resource_peak(), "process")


def _resource_peak() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes on macOS, KiB elsewhere
