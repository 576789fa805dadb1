"""The name of the machine's processor. The module does not need PyTorch."""

import platform
from pathlib import Path

__all__ = ["cpu_name"]

_CPUS = Path("/proc/cpuinfo")


def cpu_name() -> str:
    """Return the name of the processor or its board, or else the architecture."""
    try:
        lines = _CPUS.read_text().splitlines()
    except OSError:  # only Linux has the file
        lines = []
    # A board with an ARM processor may list only the board's name, as Model.
    named = (line for line in lines if line.startswith(("model name", "Model")))
    names = [line.split(":", 1)[1].strip() for line in named]
    return names[0] if names else platform.processor() or platform.machine()
