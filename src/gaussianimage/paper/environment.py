"""The device of a run, and the machine and versions that its times depend on."""

import platform
from datetime import UTC, datetime
from typing import Any

import gaussianimage.torch  # isort: skip  (says how to get PyTorch)
import torch

import gaussianimage
from gaussianimage.paper.machine import cpu_name

__all__ = ["environment", "parse_device"]


def parse_device(name: str) -> torch.device:
    """Return the device of a name.

    Parameters
    ----------
    name : str
        "cpu", "cuda", or a GPU by its number, such as "cuda:1".

    Raises
    ------
    ValueError
        If the machine has no such device; the message says why.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device: expected cpu or cuda, got {name!r}") from None
    if device.type == "cuda":
        if not torch.cuda.is_available():
            built = (
                "" if torch.version.cuda else f", and PyTorch {torch.__version__} is built without"
            )
            raise ValueError(f"device: no CUDA device is available here{built}")
        if (device.index or 0) >= torch.cuda.device_count():
            raise ValueError(f"device: {name}: there are {torch.cuda.device_count()} CUDA devices")
    elif device.type != "cpu":
        raise ValueError(f"device: expected cpu or cuda, got {name!r}")
    return device


def environment(device: torch.device) -> dict[str, Any]:
    """Return the time, machine, threads and versions for a `Record`."""
    found = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": cpu_name(),
        "threads": torch.get_num_threads(),
        "gaussianimage": gaussianimage.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(device)
    return found
