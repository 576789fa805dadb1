"""The machine that a result was measured on. Nothing here needs PyTorch."""

import platform
from pathlib import Path

__all__ = ["cpu_name"]

_CPUS = Path("/proc/cpuinfo")


def cpu_name() -> str:
    """Return what the processor or its board calls itself, or at least the architecture."""
    try:
        lines = _CPUS.read_text().splitlines()
    except OSError:  # only Linux has the file
        lines = []
    # A board with an ARM processor may give its own name alone.
    named = (line for line in lines if line.startswith(("model name", "Model")))
    names = [line.split(":", 1)[1].strip() for line in named]
    return names[0] if names else platform.processor() or platform.machine()
