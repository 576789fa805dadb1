"""The README: its examples run, its command lines parse, and its links lead somewhere."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaussianimage.cli import cli

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found
    return found


def run_examples(names: dict[str, Any], *, of_torch: bool) -> None:
    """Run the Python examples of PyTorch, or all others, one after the other, in one namespace."""
    for number, block in enumerate(blocks("python"), 1):
        if ("gaussianimage.torch" in block) == of_torch:
            exec(compile(block, f"README.md, block {number}", "exec"), names)


def test_the_python_examples_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "tests/data/parrot.png", tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "example"}
    run_examples(names, of_torch=False)
    assert names["detail"].shape == (512, 512, 3)
    assert np.array_equal(names["pixels"], names["picture"])
    assert names["gradient"].means.shape == (len(names["result"].gaussians), 2)
    assert (tmp_path / "photo.safetensors").exists()


def test_the_example_of_pytorch_runs() -> None:
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    tensors = {"means": torch.zeros(5, 2), "cholesky": torch.ones(5, 3), "colors": torch.ones(5, 3)}
    names: dict[str, Any] = {"__name__": "example", **tensors, "height": 4, "width": 6}
    run_examples(names, of_torch=True)
    assert names["image"].shape == (4, 6, 3)


def test_the_command_lines_parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small").mkdir()
    monkeypatch.chdir(tmp_path)
    text = "".join(blocks("sh"))
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    commands = [words[1:] for words in lines if words[:1] == ["gaussianimage"]]
    assert len(commands) > 8
    for words in commands:
        group: Any = cli
        while hasattr(group, "get_command"):
            name, words = words[0], words[1:]
            group = group.get_command(None, name)
            assert group is not None, name
        given = group.make_context(name, words).params
        if name != "install":
            first = {"compare": "a", "batch": "source", "html": "source"}
            assert given[first.get(name, "files")]


def test_the_targets_of_make_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)", TEXT, re.MULTILINE))
    assert {"demo", "test", "test-core", "develop"} <= targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_links_lead_to_files() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", TEXT)
    assert len(links) > 8
    assert [link for link in links if not (ROOT / link).exists()] == []
