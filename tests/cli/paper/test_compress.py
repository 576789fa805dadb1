"""The command `paper compress`: files, tables, figures, and quantizers that go together."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
QUICK = ["-n", 30, "--iterations", 4, "--timed", 0, "--device", "cpu", "--learning-rate", 0.02]


@needs_torch
def test_a_folder_is_compressed_and_its_tables_printed(
    run: Any, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = run("paper", "compress", folder, "-o", out, *QUICK, "--variants", "final,v2")
    first = result.stderr.splitlines()[0]
    size = (out / "compress").glob("cholesky-n30-rvq-*/parrot.plain.gimg").__next__().stat().st_size
    assert f"parrot.png: cholesky-n30-rvq-i4: 48 x 32, 30 Gaussians, {size} B (" in first
    for title in ("Table 2", "Table 4", "Rate–distortion"):
        assert f"## {title}" in result.stdout
    assert "## Table 1" not in result.stdout
    assert "## Table 1" in (out / "tables.md").read_text()
    again = run("paper", "compress", folder, "-o", out, *QUICK, "--variants", "v2")
    lines = again.stderr.splitlines()
    jobs = [line for line in lines if not line.startswith("gaussianimage: figures need matplotlib")]
    assert jobs
    assert all(line.endswith(", kept") for line in jobs)


@needs_torch
def test_the_figure_is_drawn_or_the_extra_is_named(
    run: Any, folder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    out = tmp_path / "out"
    arguments = ["paper", "compress", folder, "-o", out, *QUICK, "--only", "plane"]
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    last = run(*arguments).stderr.splitlines()[-1]
    assert last == "gaussianimage: figures need matplotlib: pip install gaussianimage[bench]"
    monkeypatch.undo()
    pytest.importorskip("matplotlib")
    assert run("paper", "tables", out).stderr == ""
    with Image.open(out / "rate-distortion-other-1.png") as figure:
        assert figure.width > 300


@needs_torch
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--variants", "final", "--color", "int"],
            "--variants sets all; leave out --color",
        ),
        (["--variants", "v4"], "'v4' is not one of"),
        (["--color", "int", "--stages", "3"], "--stages is for --color rvq"),
        (["--color", "int", "--no-commitment"], "--commitment is for --color rvq"),
        (["--color-bits", "8"], "--color-bits is for --color int"),
        (["--entries", "12"], "--entries is a power of two, not 12"),
        (["--covariance-bits", "13"], "13 is not in the range"),
        (["--model", "3dgs"], "'3dgs' is not one of"),
    ],
)
def test_quantizers_that_do_not_go_together_are_one_line(
    fails: Any, folder: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    line = fails("paper", "compress", folder, "-o", tmp_path / "o", "-n", 5, *arguments, code=2)
    assert message in line


@needs_torch
def test_parts_are_done_as_released(run: Any, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    quick = ["paper", "compress", folder, "-o", out, *QUICK, "--only", "plane", "--model", "rs"]
    for parts, label, released in (
        ("all", "rs-n30-rvq-angle-no-revival-as-released-i4", "tile_entries"),
        ("gradient,revival", "rs-n30-rvq-no-revival-as-released-i4", "doubled_gradient"),
        ("angle", "rs-n30-rvq-angle-i4", None),
    ):
        result = run(*quick, "--as-released", parts)
        assert f"{label}: 48 x 32, 30 Gaussians" in result.stderr.splitlines()[0]
        (path,) = (out / "compress").glob(f"{label}-*/plane.json")
        settings = json.loads(path.read_text())["settings"]
        assert (released in settings.get("released", {})) == (released is not None)
        assert settings["scaling"] == (parts != "all")
    refused = run(*quick, "--as-released", "tiles", "--loop", "torch", code=1)
    assert "only the compiled module follows the released code" in refused.stderr
