"""Tiled files on the command line: `encode --tiled`, and the commands that read them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiled_samples import damaged, make_tiled

import gaussianimage
from gaussianimage.codec.format.tiles import TilePlace

DATA = make_tiled()


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.gimg"
    path.write_bytes(DATA)
    return path


def test_a_picture_is_encoded_by_tiles(run: Any, parrot: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.gimg"
    result = run("encode", parrot, target, "--tiled", "--tile", 64, "-e", 1, "-q", 40, "--json")
    facts = json.loads(result.stdout)
    found = gaussianimage.info(target)
    assert (facts["width"], facts["height"], facts["bytes"]) == (96, 64, found.bytes)
    assert found.tiles is not None
    assert found.tiles.side == 64
    gaussianimage.encode_tiled(parrot, tmp_path / "b.gimg", tile=64, effort=1, quality=40)
    assert target.read_bytes() == (tmp_path / "b.gimg").read_bytes()


def test_work_of_other_options_is_named(run: Any, fails: Any, parrot: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.gimg"
    arguments = ("encode", parrot, target, "--tiled", "--tile", 64, "-e", 1)
    (tmp_path / "a.gimg.part").write_bytes(b"something else\n" * 30)
    assert "(--restart)" in fails(*arguments)
    run(*arguments, "--restart")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gimg"]


def test_ctrl_c_says_where_the_tiles_are(
    run: Any, parrot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gaussianimage.codec.tiled.encode.write_tiled", press)
    done = run("encode", parrot, tmp_path / "a.gimg", "--tiled", "-e", "1", code=130)
    assert f"the encoded tiles are in {tmp_path}/a.gimg.part; the same call goes" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.gimg.part"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tiled", "--bpp", "1"], "--tiled goes without any target but --quality"),
        (["--tiled", "--no-alpha"], "--tiled goes without --no-alpha"),
        (["--tiled", "--white", "255"], "--tiled goes without --white"),
        (["--tiled", "--grain"], "--tiled goes without --grain"),
        (["--tile", "64"], "--tile, --restart, --engine and --address go with --tiled"),
        (["--engine", "ray"], "--tile, --restart, --engine and --address go with --tiled"),
        (["--tiled", "--address", "auto"], "--address: is for the engine ray"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    run: Any, parrot: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    result = run("encode", parrot, tmp_path / "a.gimg", *options, code=2)
    assert message in result.stderr


def test_tiles_are_not_written_to_stdout(run: Any, parrot: Path) -> None:
    assert "not to stdout" in run("encode", parrot, "-", "--tiled", code=2).stderr


def test_a_window_of_a_tiled_file_is_decoded(run: Any, big: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    run("decode", big, target, "--size", "105x75", "--crop", "10,20,30,40")
    with Image.open(target) as image:
        pixels = np.asarray(image)
    expected = gaussianimage.decode(DATA, size=(75, 105), crop=(20, 10, 40, 30))
    assert np.array_equal(pixels, expected)
    run("thumbnail", big, target, "--size", 20)
    with Image.open(target) as image:
        assert image.size == (20, 14)


def test_levels_are_told(run: Any, big: Path) -> None:
    text = run("info", "-v", big).stdout
    assert "210 x 150, 324 Gaussians" in text
    assert "3 levels" in text
    assert "27 tiles of 40 x 40" in text
    assert "level 1: 53 x 38 pixels" in text
    found = json.loads(run("info", "--json", big).stdout)
    assert found["tiles"]["levels"] == [[10, 14], [38, 53], [150, 210]]


def test_a_damaged_tile_is_one_line_and_the_rest_is_drawn_on_request(
    run: Any, fails: Any, tmp_path: Path
) -> None:
    path, target = tmp_path / "big.gimg", tmp_path / "a.png"
    path.write_bytes(damaged(DATA, TilePlace(2, 0, 0)))
    assert "tile 2/0/0: " in fails("decode", path, target)
    assert not target.exists()
    result = run("decode", path, target, "--partial")
    assert "tile 2/0/0" in result.stderr
    assert "left out" in result.stderr
    assert target.exists()
