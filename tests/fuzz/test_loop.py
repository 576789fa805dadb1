"""The loop of the targets in Python reports what it must: errors, crashes and hangs."""

from pathlib import Path

import pytest
from support import loop

HEAD = """
import os, time

def seeds():
    return [b"abc"]
"""
BODIES = {
    "good": "return str(len(data))",
    "wrong": "assert b'b' in data\n    return 'fine'",
    "crash": "if b'b' not in data:\n        os.kill(os.getpid(), 9)\n    return 'fine'",
    "hang": "if b'b' not in data:\n        time.sleep(60)\n    return 'fine'",
}


@pytest.fixture
def targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write targets of each kind, and return the folder for findings."""
    (tmp_path / "targets").mkdir()
    for name, body in BODIES.items():
        text = f"{HEAD}\n\ndef check(data):\n    {body}\n"
        (tmp_path / "targets" / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(loop, "HERE", tmp_path)
    monkeypatch.setattr(loop, "SLOWEST", 1.0)
    return tmp_path / "findings"


def test_inputs_with_new_outcomes_are_counted_and_nothing_is_found(targets: Path) -> None:
    result = loop.run("good", 0.3, targets, seed=1)
    assert result.executions > 10
    assert 1 < result.outcomes <= result.executions
    assert result.finding is None
    assert not targets.exists()


@pytest.mark.parametrize("name", ["wrong", "crash", "hang"])
def test_the_input_of_a_finding_is_kept(name: str, targets: Path) -> None:
    result = loop.run(name, 20, targets, seed=1)
    assert result.finding is not None
    assert b"b" not in result.finding.read_bytes()
