"""The command `thumbnail`."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gaussianimage
from gaussianimage.picture import Picture


@pytest.mark.parametrize("name", ["small.png", "small", ".desktop_thumbnail.X8C2K1", "small.jpg"])
def test_the_output_is_a_png_file_whatever_its_name_is(
    run: Any, gimg: Path, tmp_path: Path, name: str
) -> None:
    target = tmp_path / name
    result = run("thumbnail", gimg, target, "--size", 48)
    assert result.output == ""
    with Image.open(target) as image:
        assert (image.format, image.size, image.mode) == ("PNG", (48, 32), "RGB")
        assert np.array_equal(np.asarray(image), gaussianimage.thumbnail(gimg, 48))


def test_a_file_that_is_there_is_replaced(run: Any, gimg: Path, tmp_path: Path) -> None:
    target = tmp_path / "small"
    target.touch()  # as file managers do to have the name for themselves
    run("thumbnail", gimg, target)
    with Image.open(target) as image:
        assert image.size == (96, 64)  # it is not enlarged to 256


def test_stdin_and_stdout_work(run: Any, encoded: bytes) -> None:
    result = run("thumbnail", "-", "-", "--size", 24, stdin=encoded)
    with Image.open(io.BytesIO(result.stdout_bytes)) as image:
        assert image.size == (24, 16)


def test_the_profile_is_kept_and_other_metadata_is_not(run: Any, tmp_path: Path) -> None:
    pixels = np.linspace(0, 1, 16 * 16 * 2, dtype=np.float32).reshape(16, 16, 2)
    exif = Image.Exif()
    exif[0x010E] = "A secret"
    picture = Picture(pixels, 16, icc=b"i" * 1234, exif=exif.tobytes(), xmp=b"x" * 56)
    source, target = tmp_path / "x.gimg", tmp_path / "x.png"
    source.write_bytes(gaussianimage.encode(picture, gaussians=9, effort=1))
    run("thumbnail", source, target, "--size", 8)
    with Image.open(target) as image:
        image.load()
        assert (image.mode, image.size) == ("LA", (8, 8))
        assert image.info == {"icc_profile": b"i" * 1234}


def test_bad_files_fail_in_one_line_that_names_them(
    fails: Any, gimg: Path, parrot: Path, tmp_path: Path
) -> None:
    target = tmp_path / "small.png"
    missing = tmp_path / "missing.gimg"
    assert fails("thumbnail", missing, target) == f"{missing}: No such file or directory"
    assert fails("thumbnail", parrot, target).startswith("not a .gimg file")
    assert fails("thumbnail", tmp_path, target) == f"{tmp_path}: Is a directory"
    content = gimg.read_bytes()
    changed = content[:60] + bytes([content[60] ^ 0xFF]) + content[61:]
    for damaged in (content[:-1], content[:40], b"", changed):
        gimg.write_bytes(damaged)
        assert fails("thumbnail", gimg, target).endswith(f", in {gimg}")
    assert fails("thumbnail", "-", target, stdin=b"").endswith(", in stdin")
    assert not target.exists()


def test_a_truncated_file_is_drawn_in_part_only_if_asked(
    run: Any, fails: Any, gimg: Path, tmp_path: Path
) -> None:
    target = tmp_path / "small.png"
    content = gimg.read_bytes()
    gimg.write_bytes(content[:-20])
    assert fails("thumbnail", gimg, target).endswith(
        f", --partial draws what comes before, in {gimg}"
    )
    assert not target.exists()
    result = run("thumbnail", gimg, target, "--partial")
    assert result.stderr.startswith(f"gaussianimage: {gimg}: the file is cut off")
    assert result.stderr.endswith("; drawn in part\n")
    with Image.open(target) as image:
        assert np.array_equal(np.asarray(image), gaussianimage.thumbnail(gimg, 256, partial=True))
    gimg.write_bytes(content[:12])
    assert "--partial" not in fails("thumbnail", gimg, target)


def test_a_file_beyond_the_limits_is_refused(fails: Any, gimg: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.png"
    assert "above the limit max_pixels=1000" in fails(
        "thumbnail", gimg, target, "--max-pixels", 1000
    )
    assert not target.exists()


def test_outputs_that_cannot_be_are_refused(fails: Any, gimg: Path, tmp_path: Path) -> None:
    before = gimg.read_bytes()
    assert "OUTPUT is INPUT" in fails("thumbnail", gimg, gimg, code=2)
    assert gimg.read_bytes() == before
    assert "is a folder" in fails("thumbnail", gimg, tmp_path)
    assert "does not exist" in fails("thumbnail", gimg, tmp_path / "no" / "small.png")
    assert "0 is not in the range" in fails("thumbnail", gimg, "x", "--size", 0, code=2)
    assert "a file's name is empty" in fails("thumbnail", gimg, "", code=2)
