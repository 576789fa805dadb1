"""Fair timing, the description of the machine, tables and JSON for all benchmarks.

Contestants take turns, so that other load on the machine hits all of them alike: every round calls
each contestant once, in an order that is reversed from round to round. Reports have the median and
the quartiles of the rounds, and losses as well as wins.
"""

import gc
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import PIL

import gaussianimage
from gaussianimage import _native
from gaussianimage._util.files import write_atomic
from gaussianimage.paper.machine import cpu_name


@dataclass(frozen=True)
class Timing:
    """Seconds of a call in each round, or of several equal calls."""

    median: float
    first_quartile: float
    third_quartile: float
    least: float
    rounds: int

    @property
    def iqr(self) -> float:
        """Interquartile range in seconds."""
        return self.third_quartile - self.first_quartile


def take_turns(
    contestants: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warmup: int = 3,
    check: Callable[[], None] = lambda: None,
) -> dict[str, Timing]:
    """Time every contestant `rounds` times, in alternating order, after `warmup` unmeasured rounds.

    `check` runs between rounds, outside of the timed calls; it may show progress.
    """
    names = list(contestants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for turn in range(-warmup, rounds):
            for name in names if turn % 2 == 0 else reversed(names):
                call = contestants[name]
                start = time.perf_counter_ns()
                call()
                elapsed = time.perf_counter_ns() - start
                if turn >= 0:
                    seconds[name].append(elapsed * 1e-9)
            check()
    finally:
        if collecting:
            gc.enable()
    return {name: timing(values) for name, values in seconds.items()}


def timing(values: Sequence[float]) -> Timing:
    """Return the median and the quartiles of some seconds."""
    first, median, third = (float(q) for q in np.percentile(values, [25, 50, 75]))
    return Timing(median, first, third, min(values), len(values))


def environment(*, threads: Sequence[int] = (), compiler: str | None = None) -> dict[str, Any]:
    """Describe the machine: CPU, load, versions, instruction set, threads, compiler.

    The compiler is that of the engine by default.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu_name(),
        "cpus": _native.cpus(),
        "load_before": load,
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "gaussianimage": gaussianimage.__version__,
        "commit": _commit(),
        "instruction_set": _native.instruction_set(),
        "threads": list(threads),
        "compiler": compiler or _native.compiler(),
    }


def _commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def print_environment(report: Mapping[str, Any]) -> None:
    load = report["load_before"]
    print(f"{report['cpu']}, {report['cpus']} CPUs, {report['instruction_set']}", end="")
    print(f", load {load:.1f} before the run" if load is not None else "")
    names = ("gaussianimage", "python", "numpy", "pillow")
    print(", ".join(f"{name} {report[name]}" for name in names))
    print(report["compiler"])


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows of text under a header; every column but the first is right-aligned."""
    lines = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  ".join(cells).rstrip())
        if number == 0:
            print("-" * (sum(widths) + 2 * (len(widths) - 1)))


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"


def timings_as_json(timings: Mapping[str, Timing]) -> dict[str, dict[str, float]]:
    return {name: asdict(timing) | {"iqr": timing.iqr} for name, timing in timings.items()}


def write_json(path: Path, results: Mapping[str, Any]) -> None:
    """Replace a JSON file atomically: an interruption leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (json.dumps(results, indent=2) + "\n").encode())
