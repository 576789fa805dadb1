"""The soak test: every scene runs for a moment, and tells of what goes wrong."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import soak  # noqa: E402

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="the size of a process is read from /proc"
)


@pytest.fixture(scope="module")
def load() -> soak.Load:
    return soak.Load(0.0, rounds=60)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("name", sorted(soak.SCENES))
def test_every_scene_passes(name: str, load: soak.Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "WORKERS", 3 if name == "processes" else soak.WORKERS)
    told = soak.SCENES[name][1](load)
    assert any(word in told for word in ("decodes", "folder", "children"))


def test_memory_that_grows_is_told(load: soak.Load, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter(range(10 * 2**20, 2**30, 3 * 2**20))
    monkeypatch.setattr(soak, "resident_bytes", lambda: next(sizes))
    monkeypatch.setattr(soak, "ROUNDS_PER_SAMPLE", 5)
    with pytest.raises(SystemExit, match=r"memory: 30 encodes .* from 10.0 MiB after 10 rounds"):
        soak.memory(soak.Load(0.0, rounds=30))


@pytest.mark.parametrize("name", ["threads", "crowd", "memory"])
def test_another_picture_is_told(
    name: str, load: soak.Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(data: bytes, **options: Any) -> Any:
        return np.zeros(3, np.uint8)

    monkeypatch.setattr(soak, "decode", other)
    monkeypatch.setattr(soak.Decoder, "decode", lambda self, data: other(data))
    with pytest.raises(SystemExit, match="decoded to another picture"):
        soak.SCENES[name][1](load)


def test_a_child_that_fails_is_told(load: soak.Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "expected", ["another"] * soak.FILES)
    with pytest.raises(SystemExit, match="processes: a file decoded to another picture"):
        soak.processes(load)
