"""The examples in docs/paper_codec.md run, and do what the text says."""

import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage.codec.paper_profile.file import STREAMS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "paper_codec.md").read_text(encoding="utf-8")


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "tests" / "data" / "parrot.png", tmp_path / "photo.png")
    columns = {"_xyz": 2, "_cholesky": 3, "_features_dc": 3}
    state = {name: torch.rand(9, count) for name, count in columns.items()}
    torch.save(state, tmp_path / "gaussian_model.pth.tar")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 2
    exec("\n".join(blocks), {})
    assert (tmp_path / "model.safetensors").exists()


def test_every_kind_of_stream_is_named() -> None:
    table = TEXT.split("\n## Kinds of streams\n")[1].split("\n## ")[0]
    assert set(re.findall(r'`"([a-z-]+)"`', table)) == set(STREAMS)
