"""The name of the machine."""

import platform
from pathlib import Path
from typing import Any

from gaussianimage.paper import machine


def test_the_cpu_is_called_by_its_own_name(tmp_path: Path, monkeypatch: Any) -> None:
    cpus = tmp_path / "cpuinfo"
    cpus.write_text("model\t\t: 85\nmodel name\t: A: B\n\nmodel\t\t: 85\nmodel name\t: C\n")
    monkeypatch.setattr(machine, "_CPUS", cpus)
    assert machine.cpu_name() == "A: B"
    cpus.write_text("processor\t: 0\n\nModel\t\t: Board 4\n")
    assert machine.cpu_name() == "Board 4"


def test_a_cpu_without_a_name_is_called_by_its_architecture(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(platform, "processor", lambda: "")
    cpus = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "_CPUS", cpus)
    assert machine.cpu_name() == platform.machine() != ""
    cpus.write_text("BogoMIPS\t: 50.00\n")
    assert machine.cpu_name() == platform.machine()
