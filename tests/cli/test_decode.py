"""The command `decode`."""

import dataclasses
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alpha_samples import ball
from PIL import Image

import gaussianimage
from gaussianimage.picture import Picture, flatten_array, from_array, icc, read

ICC = icc.rgb_profile(icc.SRGB_PRIMARIES, icc.gamma_curve(1.8), "Gamma 1.8")
EXIF = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x01\0\0\0\0\0\0"


def pixels(path: Path) -> np.ndarray[Any, Any]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_pixels_are_those_that_the_library_decodes(
    run: Any, gimg: Path, encoded: bytes, tmp_path: Path
) -> None:
    result = run("decode", gimg, tmp_path / "x.png")
    np.testing.assert_array_equal(pixels(tmp_path / "x.png"), gaussianimage.decode(encoded))
    assert result.stdout == ""
    assert result.stderr.startswith("96 x 64, ")


@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "tiff", "bmp", "ppm"])
def test_the_extension_is_the_format(run: Any, gimg: Path, tmp_path: Path, extension: str) -> None:
    run("decode", gimg, tmp_path / f"x.{extension}")
    assert read(tmp_path / f"x.{extension}").width == 96


def test_stdout_is_a_png(run: Any, encoded: bytes) -> None:
    result = run("decode", "-", "-", "--quiet", stdin=encoded)
    decoded = gaussianimage.as_picture(result.stdout_bytes)
    expected = gaussianimage.as_picture(gaussianimage.decode(encoded))
    np.testing.assert_array_equal(decoded.pixels, expected.pixels)


@pytest.mark.parametrize("command", ["decode", "render"])
def test_stdout_gets_the_format_asked_for(run: Any, encoded: bytes, command: str) -> None:
    result = run(command, "-", "-", "--format", "bmp", stdin=encoded)
    assert result.stdout_bytes.startswith(b"BM")


@pytest.mark.parametrize("command", ["decode", "render"])
def test_the_format_asked_for_is_that_of_every_output(
    run: Any, gimg: Path, tmp_path: Path, command: str
) -> None:
    for name in ("x.png", "x.unknown", "x.jpg"):
        run(command, gimg, tmp_path / name, "--format", "webp")
        with Image.open(tmp_path / name) as image:
            assert image.format == "WEBP"
    run(command, gimg, "-o", tmp_path / "new", "--format", "webp")
    assert (tmp_path / "new" / "parrot.webp").exists()


@pytest.mark.skipif(os.name != "posix", reason="needs named pipes")
@pytest.mark.parametrize(("options", "start"), [([], b"\x89PNG"), (["--format", "bmp"], b"BM")])
def test_a_named_pipe_gets_the_format_asked_for(
    program: Any, gimg: Path, tmp_path: Path, options: list[str], start: bytes
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        reader = pool.submit(pipe.read_bytes)
        result = program("decode", gimg, pipe, *options)
        if result.returncode:
            pipe.open("wb").close()  # or the reader would wait for ever
        assert (result.returncode, reader.result()[: len(start)]) == (0, start)
    result = program("decode", gimg, "/dev/stdout", *options)
    assert result.stdout.startswith(start)


@pytest.mark.parametrize("command", ["decode", "render"])
@pytest.mark.parametrize("extension", ["jpg", "webp", "avif"])
def test_the_quality_of_a_lossy_format_is_its_own(
    run: Any, gimg: Path, tmp_path: Path, command: str, extension: str
) -> None:
    sizes = []
    for name, options in (("low", ["-q", 10]), ("high", ["--quality", "90"])):
        path = tmp_path / f"{name}.{extension}"
        run(command, gimg, path, *options)
        sizes.append(path.stat().st_size)
    assert sizes[0] < 0.8 * sizes[1]
    run(command, gimg, tmp_path / "x.bin", "--format", extension, "-q", 10)
    assert (tmp_path / "x.bin").stat().st_size == sizes[0]


@pytest.mark.parametrize(
    ("options", "size", "crop"),
    [
        (["--size", "48x32"], (32, 48), None),
        (["--size", "x32"], (32, 48), None),
        (["--scale", "2"], (128, 192), None),
        (["--crop", "10,20,30,40"], None, (20, 10, 40, 30)),
        (["--scale", "2", "--crop", "100,20,30,40"], (128, 192), (20, 100, 40, 30)),
    ],
)
def test_size_and_crop_are_passed_on(
    run: Any, gimg: Path, encoded: bytes, tmp_path: Path, options: Any, size: Any, crop: Any
) -> None:
    run("decode", gimg, tmp_path / "x.png", *options)
    expected = gaussianimage.decode(encoded, size=size, crop=crop)
    np.testing.assert_array_equal(pixels(tmp_path / "x.png"), expected)


def test_a_thumbnail_is_that_of_the_library(
    run: Any, fails: Any, gimg: Path, encoded: bytes, tmp_path: Path
) -> None:
    run("decode", gimg, tmp_path / "x.png", "--thumbnail", 24)
    expected = gaussianimage.thumbnail(encoded, 24)
    assert expected.shape == (16, 24, 3)
    np.testing.assert_array_equal(pixels(tmp_path / "x.png"), expected)
    line = fails("decode", gimg, tmp_path / "x.png", "--thumbnail", 24, "--scale", 2, code=2)
    assert "--thumbnail goes without" in line


def test_a_crop_outside_fails(fails: Any, gimg: Path, tmp_path: Path) -> None:
    line = fails("decode", gimg, tmp_path / "x.png", "--crop", "90,0,10,10")
    assert line == f"{gimg}: --crop 90,0,10,10 is not within 96 x 64 pixels"


def test_a_folder_gets_the_format_asked_for(run: Any, gimg: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gimg"
    other.write_bytes(gimg.read_bytes())
    result = run("decode", gimg, other, "-o", tmp_path / "out", "--format", "WebP", "-j", 2)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["other.webp", "parrot.webp"]
    assert len(result.stderr.splitlines()) == 2


def test_a_format_that_nobody_knows_is_a_usage_error(fails: Any, gimg: Path) -> None:
    assert "no picture format" in fails("decode", gimg, "-o", "out/", "--format", "xyz", code=2)


def test_metadata_and_depth_survive(run: Any, tmp_path: Path) -> None:
    source = Picture(
        np.linspace(0, 1, 48, dtype=np.float32).reshape(4, 4, 3), 16, icc=ICC, exif=EXIF
    )
    file, output = tmp_path / "x.gimg", tmp_path / "x.png"
    file.write_bytes(gaussianimage.encode(source, gaussians=4))
    run("decode", file, output)
    decoded = read(output)
    assert (decoded.icc, decoded.bit_depth) == (ICC, 16)
    assert decoded.exif
    run("decode", file, output, "--bit-depth", "8")
    assert read(output).bit_depth == 8


def test_what_has_not_even_a_header_has_no_part_to_draw(
    fails: Any, gimg: Path, encoded: bytes, tmp_path: Path
) -> None:
    for size in (5, 12, 30):
        gimg.write_bytes(encoded[:size])
        line = fails("decode", gimg, tmp_path / "x.png")
        assert line.startswith(f"{gimg}: the file is cut off")
        assert "--partial" not in line


def test_a_render_keeps_the_profile(run: Any, tmp_path: Path) -> None:
    source = Picture(np.zeros((4, 4, 3), np.float32), icc=ICC, exif=EXIF)
    (tmp_path / "x.gimg").write_bytes(gaussianimage.encode(source, gaussians=1))
    run("render", tmp_path / "x.gimg", tmp_path / "x.png")
    assert (read(tmp_path / "x.png").icc, read(tmp_path / "x.png").exif) == (ICC, None)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x8bGIMG\r\n\n"])
def test_what_is_no_file_fails_and_leaves_nothing(
    fails: Any, tmp_path: Path, content: bytes
) -> None:
    source = tmp_path / "bad.gimg"
    source.write_bytes(content)
    assert fails("decode", source, tmp_path / "x.png").startswith(f"{source}: ")
    assert [p.name for p in tmp_path.iterdir()] == ["bad.gimg"]


def test_a_truncated_file_is_drawn_in_part_only_if_asked(
    fails: Any, run: Any, gimg: Path, encoded: bytes, tmp_path: Path
) -> None:
    gimg.write_bytes(encoded[:-20])
    output = tmp_path / "x.png"
    for command in ("decode", "render"):
        line = fails(command, gimg, output)
        assert line.startswith(f"{gimg}: the file is cut off: ")
        assert line.endswith("--partial draws what comes before")
    assert "decode --partial" in fails("compare", gimg, gimg)
    assert not output.exists()
    run("render", gimg, output, "--partial")
    output.unlink()
    result = run("decode", gimg, output, "--partial")
    assert pixels(output).shape == (64, 96, 3)
    first, second = result.stderr.splitlines()
    assert first.startswith(f"gaussianimage: {gimg}: ")
    assert first.endswith("; drawn in part")
    assert second.startswith("96 x 64")


@pytest.mark.parametrize("layers", [0, 1])
def test_the_gaussians_of_whole_layers_are_counted(
    run: Any, parrot: Path, tmp_path: Path, layers: int
) -> None:
    file, output = tmp_path / "x.gimg", tmp_path / "x.png"
    data = gaussianimage.encode(parrot, gaussians=2000, effort=1, progressive=layers > 0)
    whole = gaussianimage.info(data)
    assert whole.layers == layers + 1
    file.write_bytes(data[: (3 * len(data) + 2 * whole.chunks[-1].offset) // 5])
    drawn = len(gaussianimage.decode_gaussians(data, layers=layers)) - 1  # without the background
    assert (drawn > 0) == (layers > 0)
    result = run("decode", file, output, "--partial", "--json")
    assert json.loads(result.stdout)["gaussians"] == drawn
    assert f", {drawn} Gaussians, " in result.stderr


def test_partial_changes_nothing_for_a_whole_file(run: Any, gimg: Path, tmp_path: Path) -> None:
    run("decode", gimg, tmp_path / "a.png")
    result = run("decode", gimg, tmp_path / "b.png", "--partial")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert len(result.stderr.splitlines()) == 1


def test_limits_are_checked_and_can_be_lifted(
    fails: Any, run: Any, gimg: Path, tmp_path: Path
) -> None:
    limit = ["--max-pixels", 6143]
    assert "max_pixels=6143" in fails("decode", gimg, tmp_path / "x.png", *limit)
    run("decode", gimg, tmp_path / "x.png", *limit, "--no-limits")


def test_a_picture_is_never_written_over_a_file(fails: Any, gimg: Path, encoded: bytes) -> None:
    fails("decode", gimg, gimg, code=2)
    fails("decode", gimg, "-o", gimg, code=2)
    assert gimg.read_bytes() == encoded


@pytest.mark.parametrize("gray", [False, True])
def test_a_background_takes_the_place_of_alpha(run: Any, tmp_path: Path, gray: bool) -> None:
    source = ball()[..., [1, 3]] if gray else ball()
    picture = dataclasses.replace(from_array(source), icc=ICC)
    data = gaussianimage.encode(picture, effort=1)
    (tmp_path / "x.gimg").write_bytes(data)
    run("decode", tmp_path / "x.gimg", tmp_path / "x.png", "--background", "#3060c0")
    found = read(tmp_path / "x.png")
    expected = flatten_array(gaussianimage.decode(data), "#3060c0")
    np.testing.assert_array_equal(pixels(tmp_path / "x.png"), expected)
    assert expected[0, 0].tolist() == [0x30, 0x60, 0xC0]
    assert found.icc == (None if gray else ICC)


def test_a_background_changes_nothing_without_alpha(run: Any, gimg: Path, tmp_path: Path) -> None:
    for name, words in (("a.png", []), ("b.png", ["--background", "red"])):
        run("decode", gimg, tmp_path / name, *words)
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), pixels(tmp_path / "b.png"))
