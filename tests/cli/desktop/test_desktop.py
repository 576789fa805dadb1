"""The commands `desktop ...` by their help and their examples."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from gaussianimage.cli.desktop import COMMANDS


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


def test_no_command_at_all_is_a_usage_error_with_help(run: Any) -> None:
    result = run("desktop", code=2)
    assert result.stdout == ""
    assert "uninstall" in result.stderr
