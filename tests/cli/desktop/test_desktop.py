"""The commands `desktop ...` by their help and their examples."""

import importlib
import re
from pathlib import Path
from typing import Any

import click
import pytest

from gaussianimage.cli import cli
from gaussianimage.cli.desktop import COMMANDS
from gaussianimage.cli.lazy import LazyGroup


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(run: Any, name: str) -> None:
    text = run("desktop", name, "--help").stdout
    assert text.startswith(f"Usage: gaussianimage desktop {name} ")
    assert f"  gaussianimage desktop {name}" in text
    command = importlib.import_module(f"gaussianimage.cli.desktop.{name}").command
    assert command.short_help == COMMANDS[name]
    assert all(p.help for p in command.params if p.param_type_name == "option")
    assert run("desktop", name, "-V").stdout.startswith("gaussianimage, version ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_parses(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"gaussianimage.cli.desktop.{name}")
    for line in module.EXAMPLES.strip().splitlines():
        words = line.split()
        assert words[:3] == ["gaussianimage", "desktop", name]
        assert module.command.make_context(name, words[3:]).params


def test_every_command_line_of_the_guide_parses() -> None:
    text = (Path(__file__).parents[3] / "docs" / "guide" / "desktop.md").read_text("utf-8")
    lines = re.findall(r"^gaussianimage [^#\n]+", text, re.MULTILINE)
    assert len(lines) > 4
    for line in lines:
        group: Any = cli
        words = line.split()[1:]
        while isinstance(group, LazyGroup):
            name, command, words = group.resolve_command(click.Context(group), words)
            group = command
        assert group.make_context(name, words).params


def test_no_command_at_all_is_a_usage_error_with_help(run: Any) -> None:
    result = run("desktop", code=2)
    assert result.stdout == ""
    assert "uninstall" in result.stderr
