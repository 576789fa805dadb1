"""The command `tiles`."""

from pathlib import Path
from typing import Any

from PIL import Image


def test_a_file_becomes_a_deep_zoom_image(run: Any, gimg: Path, tmp_path: Path) -> None:
    result = run("tiles", gimg, tmp_path / "a.dzi", "--format", "webp", "-q", 70, "--tile", 40)
    assert "tiles in 8 levels" in result.stderr
    assert 'Format="webp"' in (tmp_path / "a.dzi").read_text()
    with Image.open(tmp_path / "a_files/7/0_0.webp") as tile:
        assert tile.size == (41, 41)


def test_tiles_that_are_there_are_kept(run: Any, fails: Any, gimg: Path, tmp_path: Path) -> None:
    run("tiles", gimg, tmp_path / "a.dzi")
    message = fails("tiles", gimg, tmp_path / "a.dzi")
    assert "a_files is there already" in message
    assert "--overwrite" in message
    run("tiles", gimg, tmp_path / "a.dzi", "--overwrite", "--overlap", 0)
    assert 'Overlap="0"' in (tmp_path / "a.dzi").read_text()


def test_bad_names_fail_in_one_line(run: Any, fails: Any, gimg: Path, tmp_path: Path) -> None:
    assert "must end in .dzi" in run("tiles", gimg, tmp_path / "a.png", code=2).stderr
    missing = tmp_path / "missing.gimg"
    assert fails("tiles", missing, tmp_path / "a.dzi") == f"{missing}: No such file or directory"
    (tmp_path / "b.gimg").write_bytes(b"nothing")
    assert "not a .gimg file" in fails("tiles", tmp_path / "b.gimg", tmp_path / "b.dzi")
