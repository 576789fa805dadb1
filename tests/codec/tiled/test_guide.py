"""The examples of docs/guide/gigapixel.md."""

import re
from pathlib import Path

import pytest

import gaussianimage

PAGE = Path(__file__).resolve().parents[3] / "docs/guide/gigapixel.md"


def test_the_example_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(block, str(PAGE), "exec"), {})
    found = gaussianimage.info("scan.gimg")
    assert found.tiles is not None
    assert found.tiles.levels == ((75, 100), (300, 400))
