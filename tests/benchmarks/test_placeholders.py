"""Previews beside those of other codecs."""

import json
import sys

import placeholders
from PIL import Image


def test_previews_of_all_codecs_are_measured_and_drawn(folder, tmp_path, monkeypatch, capsys):
    output = tmp_path / "out/placeholders.json"
    command = ["placeholders.py", "--images", str(folder), "--sizes", "200", "900"]
    command += ["--side", "48", "--effort", "1", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", command)
    placeholders.main()
    runs = json.loads(output.read_text())["runs"]
    assert {"BlurHash", "ThumbHash", "WebP", "gimg"} <= {run["name"] for run in runs}
    assert all(run["bytes"] <= run["allowed"] for run in runs if run["allowed"])
    assert "SSIMULACRA 2" in capsys.readouterr().out
    with Image.open(output.with_name("placeholders_900.png")) as sheet:
        assert sheet.width > 7 * 30
