"""The command `render`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paper_samples import paper_record
from PIL import Image

import gaussianimage
from gaussianimage.codec.paper_profile.file import encode_record
from gaussianimage.gaussians import Gaussians
from gaussianimage.picture import read, to_array
from gaussianimage.visualize.ellipses import draw_ellipses


@pytest.fixture
def gaussians(encoded: bytes) -> Gaussians:
    return gaussianimage.decode_gaussians(encoded)


@pytest.fixture
def tensors(tmp_path: Path, gaussians: Gaussians) -> Path:
    gaussians.save(tmp_path / "x.safetensors")
    return tmp_path / "x.safetensors"


def pixels(path: Path) -> np.ndarray[Any, Any]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_both_kinds_of_files_are_drawn(
    run: Any, gimg: Path, tensors: Path, gaussians: Gaussians, tmp_path: Path
) -> None:
    expected = to_array(gaussianimage.render(gaussians))
    for source in (gimg, tensors):
        result = run("render", source, tmp_path / "x.png")
        np.testing.assert_array_equal(pixels(tmp_path / "x.png"), expected)
        assert result.stderr.startswith(f"96 x 64, {len(gaussians)} Gaussians, ")


@pytest.mark.parametrize("command", ["render", "decode"])
def test_a_file_of_the_papers_codec_is_drawn_too(run: Any, tmp_path: Path, command: str) -> None:
    data = encode_record(paper_record(40), stream="bits-back")
    (tmp_path / "x.gimg").write_bytes(data)
    result = run(command, tmp_path / "x.gimg", tmp_path / "x.png")
    assert np.array_equal(pixels(tmp_path / "x.png"), gaussianimage.decode(data))
    assert result.stderr.startswith("16 x 12, 40 Gaussians, ")


def test_any_size_and_part_can_be_drawn(
    run: Any, tensors: Path, gaussians: Gaussians, tmp_path: Path
) -> None:
    run("render", tensors, tmp_path / "x.png", "--scale", 3, "--crop", "200,10,50,60")
    drawn = gaussianimage.render(gaussians, size=(192, 288), crop=(10, 200, 60, 50))
    np.testing.assert_array_equal(pixels(tmp_path / "x.png"), to_array(drawn))


def test_sixteen_bits_can_be_asked_for(run: Any, tensors: Path, tmp_path: Path) -> None:
    run("render", tensors, tmp_path / "x.png", "--bit-depth", 16)
    assert read(tmp_path / "x.png").bit_depth == 16


def test_ellipses_are_drawn_instead(
    run: Any, gimg: Path, gaussians: Gaussians, tmp_path: Path
) -> None:
    run("render", gimg, tmp_path / "x.png", "--ellipses")
    np.testing.assert_array_equal(pixels(tmp_path / "x.png"), draw_ellipses(gaussians))


def test_ellipses_have_styles(run: Any, gimg: Path, gaussians: Gaussians, tmp_path: Path) -> None:
    look = ["--style", "outline", "--background", "white", "--sigma", "0.5", "--size", "x128"]
    run("render", gimg, tmp_path / "x.png", "--ellipses", *look)
    expected = draw_ellipses(
        gaussians, size=(128, 192), style="outline", background="white", sigma=0.5
    )
    np.testing.assert_array_equal(pixels(tmp_path / "x.png"), expected)


def test_many_files_go_into_a_folder(run: Any, gimg: Path, tensors: Path, tmp_path: Path) -> None:
    run("render", gimg, tensors, "-o", tmp_path / "out", "--format", "jpg", "--ellipses")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["parrot.jpg", "x.jpg"]


@pytest.mark.parametrize("name", ["x.safetensors", "x.gimg"])
def test_a_broken_file_fails(fails: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"broken")
    line = fails("render", tmp_path / name, tmp_path / "x.png")
    assert line.startswith(f"{tmp_path / name}: ")


def test_a_missing_file_fails(fails: Any, tmp_path: Path) -> None:
    missing = tmp_path / "x.safetensors"
    assert fails("render", missing, tmp_path / "x.png") == f"{missing}: No such file or directory"
