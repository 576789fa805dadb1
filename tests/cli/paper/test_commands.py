"""The commands `paper ...` by their help, their examples and the documentation."""

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gaussianimage.cli.paper import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(run: Any, name: str) -> None:
    text = run("paper", name, "--help").stdout
    assert text.startswith(f"Usage: gaussianimage paper {name} ")
    assert f"  gaussianimage paper {name} " in text
    command = importlib.import_module(
        f"gaussianimage.cli.paper.{name}{'_' * (name == 'import')}"
    ).command
    assert command.short_help == COMMANDS[name]
    assert all(p.help for p in command.params if p.param_type_name == "option")
    assert run("paper", name, "-V").stdout.startswith("gaussianimage, version ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_parses(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"gaussianimage.cli.paper.{name}{'_' * (name == 'import')}")
    for line in module.EXAMPLES.strip().splitlines():
        words = re.sub(r" > \S+", "", line).split()
        assert words[:3] == ["gaussianimage", "paper", name]
        assert module.command.make_context(name, words[3:]).params["files"]


def test_every_command_of_the_documentation_parses(tmp_path: Path, monkeypatch: Any) -> None:
    text = (Path(__file__).parents[3] / "docs" / "reproduce" / "paper.md").read_text()
    lines = re.findall(r"gaussianimage (paper \w+ [^`\n]+)", text)
    assert len(lines) > 10
    monkeypatch.chdir(tmp_path)
    for line in lines:
        _, name, *words = line.split()
        module = f"gaussianimage.cli.paper.{name}{'_' * (name == 'import')}"
        command = importlib.import_module(module).command
        assert command.make_context(name, words).params["files"]


def test_without_a_command_there_is_help_and_exit_code_2(run: Any) -> None:
    result = run("paper", code=2)
    assert result.stdout == ""
    assert "represent" in result.stderr


def test_help_does_not_import_pytorch() -> None:
    code = (
        "import sys\nfrom gaussianimage.cli import main\n"
        "try:\n    sys.argv[1:] = ['paper', 'represent', '--help']\n    main()\n"
        "except SystemExit: pass\nprint('imported:', 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "imported: False"
