"""Sizes and times of the browser's part."""

import json
import shutil
import sys

import pytest
import web


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_decoding_and_drawing_are_timed(folder, tmp_path, monkeypatch, capsys):
    output = tmp_path / "web.json"
    command = ["web.py", "--image", str(folder / "a.png"), "-n", "50", "--effort", "1"]
    monkeypatch.setattr(sys, "argv", [*command, "--output", str(output)])
    monkeypatch.setattr(web, "minified", lambda entry: entry.encode())
    web.main()
    found = json.loads(output.read_text())
    assert 0 < found["seconds"]["decode"]["least"] <= found["seconds"]["decode"]["median"]
    assert 30_000 < found["page"] < 60_000
    assert "beside the picture" in capsys.readouterr().out
