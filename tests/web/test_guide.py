"""The guide of the browser's part: its command lines parse and its Python runs."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from gaussianimage.cli import cli

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/guide/web.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_command_lines_parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [shlex.split(line, comments=True) for line in "".join(blocks("sh")).splitlines()]
    commands = [words for words in lines if words[0] == "gaussianimage"]
    assert len(commands) > 4
    for _, name, *words in commands:
        group: Any = cli
        command = group.get_command(None, name)
        assert command.make_context(name, words).params


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "tests/data/parrot.png", tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks("python"):
        exec(compile(block, "docs/guide/web.md", "exec"), names)
    assert len(names["preview"]) <= 400
    assert names["url"] in names["tag"]
