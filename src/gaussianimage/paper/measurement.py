"""What a run costs: seconds, frames a second and the peak of the memory, on CPU and CUDA alike."""

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
    """Wait until a GPU has done all that it was told; on the CPU that is so already."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def frames_per_second(
    call: Callable[[], object], device: torch.device, *, seconds: float = 1.0, frames: int = 1000
) -> float:
    """Return how often a second something is done.

    Every frame is timed from when it is asked for until the device has finished it, so frames
    don't overlap. (The paper's figures were taken without waiting for the GPU.)

    Parameters
    ----------
    call : callable
        Draws one frame.
    device : torch.device
        Where it does.
    seconds : float
        How long to measure, at least; three frames are measured in any case.
    frames : int
        How many to measure at most.

    Returns
    -------
    float
        1 / the median of the seconds of a frame, in frames a second.
    """
    positive("frames", frames)
    for _ in range(2):  # so that memory, caches and compiled kernels are as they will be
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
    """The most that was in use at once.

    Parameters
    ----------
    mib : float or None
        In MiB; None where the system doesn't tell.
    kind : str
        ``cuda``: what PyTorch had reserved on the GPU. ``process``: all memory of the process on
        the CPU, libraries included.
    """

    mib: float | None
    kind: str


class PeakMemory:
    """Measures the peak from now on; one at a time in a process.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.empty_cache()  # of what earlier work has left, which would count
            torch.cuda.reset_peak_memory_stats(device)
            return
        with suppress(OSError):  # not on every system; the peak is then the whole process's
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
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes there, KiB elsewhere
