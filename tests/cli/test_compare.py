"""The command `compare`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gaussianimage
from gaussianimage.metrics import ms_ssim, psnr, ssim
from gaussianimage.picture import as_picture, write
from gaussianimage.visualize.difference import difference


def saved(path: Path, array: Any) -> Path:
    Image.fromarray(np.asarray(array, np.uint8)).save(path)
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Return two pictures large enough for every figure."""
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (170, 180, 3))
    b = np.clip(a + rng.integers(-9, 10, a.shape), 0, 255)
    return saved(tmp_path / "a.png", a), saved(tmp_path / "b.png", b)


def test_the_figures_are_the_librarys(run: Any, pair: tuple[Path, Path]) -> None:
    a, b = (np.asarray(Image.open(path)) for path in pair)
    record = json.loads(run("compare", *pair, "--json").stdout)
    assert record["a"] == str(pair[0])
    assert record["psnr"] == pytest.approx(psnr(a, b))
    assert record["ssim"] == pytest.approx(ssim(a, b))
    assert record["ms_ssim"] == pytest.approx(ms_ssim(a, b))
    assert run("compare", *pair).stdout.splitlines() == [
        f"PSNR     {psnr(a, b):.2f} dB",
        f"SSIM     {ssim(a, b):.5f}",
        f"MS-SSIM  {ms_ssim(a, b):.5f}",
    ]


def test_a_file_is_compared_as_it_would_be_decoded(
    run: Any, parrot: Path, gimg: Path, encoded: bytes
) -> None:
    record = json.loads(run("compare", parrot, gimg, "--json").stdout)
    expected = psnr(np.asarray(Image.open(parrot)), gaussianimage.decode(encoded))
    assert record["psnr"] == pytest.approx(expected)


def test_equal_pictures_have_no_error(run: Any, parrot: Path) -> None:
    assert run("compare", parrot, parrot).stdout.splitlines()[0] == "PSNR     no error"
    record = json.loads(run("compare", parrot, parrot, "--json").stdout)
    assert (record["mse"], record["psnr"], record["ssim"]) == (0, None, 1)


def test_a_picture_too_small_for_a_figure_still_has_the_others(run: Any, tmp_path: Path) -> None:
    a, b = saved(tmp_path / "a.png", [[1, 2]]), saved(tmp_path / "b.png", [[3, 4]])
    lines = run("compare", a, b).stdout.splitlines()
    assert lines[0].endswith("dB")
    assert lines[1:] == [f"{n}  the pictures are too small" for n in ("SSIM   ", "MS-SSIM")]
    assert json.loads(run("compare", a, b, "--json").stdout)["ssim"] is None


def test_gray_is_compared_with_color_and_opaque_with_alpha(run: Any, tmp_path: Path) -> None:
    gray = saved(tmp_path / "gray.png", np.full((5, 5), 100))
    color = saved(tmp_path / "color.png", np.full((5, 5, 3), 100))
    opaque = saved(tmp_path / "opaque.png", [[[100, 100, 100, 255]] * 5] * 5)
    veiled = saved(tmp_path / "veiled.png", [[[100, 100, 100, 0]] * 5] * 5)
    for other in (color, opaque):
        assert "no error" in run("compare", gray, other).stdout
        assert "no error" in run("compare", other, gray).stdout
    assert "no error" not in run("compare", color, veiled).stdout


def test_the_difference_can_be_looked_at(run: Any, pair: tuple[Path, Path], tmp_path: Path) -> None:
    run("compare", *pair, "--difference", tmp_path / "d.png", "--gain", "8")
    with Image.open(tmp_path / "d.png") as image:
        shown = np.asarray(image)
    a, b = (as_picture(path) for path in pair)
    np.testing.assert_array_equal(shown, difference(a, b, gain=8))


def test_one_of_the_pictures_may_come_by_stdin(run: Any, parrot: Path) -> None:
    assert "no error" in run("compare", "-", parrot, stdin=parrot.read_bytes()).stdout


def test_the_difference_never_replaces_a_picture(fails: Any, tmp_path: Path) -> None:
    a, b = saved(tmp_path / "a.png", [[1, 2]]), saved(tmp_path / "b.png", [[3, 4]])
    before = b.read_bytes()
    line = fails("compare", a, b, "--difference", tmp_path / "x" / ".." / "b.png", code=2)
    assert "b.png: it is A or B" in line
    assert b.read_bytes() == before


def test_a_difference_that_cannot_be_written_is_told_before_the_work(
    fails: Any, parrot: Path, tmp_path: Path
) -> None:
    output = tmp_path / "missing" / "d.png"
    line = fails("compare", parrot, parrot, "--difference", output)
    assert line == f"{output}: its folder does not exist"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--difference", "x.xyz"], "no picture format has the extension .xyz"),
        (["--difference", "-"], "stdout is for the figures"),
        (["--gain", "0"], "0.0 is not in the range"),
    ],
)
def test_wrong_options_are_usage_errors(
    fails: Any, parrot: Path, options: list[str], message: str
) -> None:
    assert message in fails("compare", parrot, parrot, *options, code=2)


def test_stdin_is_only_one_picture(fails: Any) -> None:
    assert "stdin can be read only once" in fails("compare", "-", "-", code=2)


def test_pictures_of_different_sizes_fail(fails: Any, parrot: Path, tmp_path: Path) -> None:
    other = saved(tmp_path / "other.png", np.zeros((5, 7, 3)))
    assert fails("compare", parrot, other) == "the pictures differ in size: 96 x 64 and 7 x 5"


def test_a_missing_picture_fails(fails: Any, parrot: Path, tmp_path: Path) -> None:
    assert "missing.png: No such file" in fails("compare", parrot, tmp_path / "missing.png")


def test_a_damaged_file_is_named(fails: Any, parrot: Path, gimg: Path) -> None:
    gimg.write_bytes(gimg.read_bytes()[:-1])
    assert fails("compare", parrot, gimg).endswith(f", in {gimg}")


def test_a_white_is_that_of_pictures(run: Any, tmp_path: Path) -> None:
    values = np.arange(0, 4000, 10, dtype=np.uint16).reshape(20, 20)
    source, file = tmp_path / "a.png", tmp_path / "a.gimg"
    write(source, values)
    file.write_bytes(gaussianimage.encode(source, gaussians=30, effort=1, white=4095))
    without = run("compare", source, file, "--json")
    assert f"gaussianimage: warning: {source}: only 0..3990" in without.stderr
    result = run("compare", source, file, "--white", 4095, "--json")
    assert result.stderr == ""
    assert json.loads(result.stdout)["psnr"] > json.loads(without.stdout)["psnr"] + 10
