"""The examples in docs/guide/torch.md run, and its table has every public name."""

import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import gaussianimage
import gaussianimage.torch

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/guide/torch.md").read_text(encoding="utf-8")


def test_the_examples_run_one_after_the_other(tmp_path, monkeypatch):
    shutil.copy(ROOT / "tests/data/parrot.png", tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 11
    names = {"__name__": "example"}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"docs/guide/torch.md, block {number}", "exec"), names)
    assert (tmp_path / "dots.safetensors").exists()
    assert gaussianimage.info(tmp_path / "photo.gimg").gaussians == 100


def test_every_name_is_explained():
    described = set(re.findall(r"`([A-Za-z_]+)(?:\(\w+\))?`", TEXT))
    assert set(gaussianimage.torch.__all__) <= described
