"""The options that commands share."""

from typing import Any

import click
import pytest
from click.testing import CliRunner

from gaussianimage.cli.options import (
    BatchOptions,
    TargetOptions,
    batch_options,
    bit_depth_option,
    max_pixels_option,
    metadata_options,
    seed_option,
    target_options,
)


def parsed(decorate: Any, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    @click.command()
    @click.option("--other", default=1)
    @decorate
    def command(**values: Any) -> None:
        found.update(values)

    result = CliRunner().invoke(command, arguments, standalone_mode=False)
    if result.exception:
        raise result.exception
    assert found.pop("other") == 1
    return found


def test_batch_options_come_as_one_value() -> None:
    assert parsed(batch_options) == {
        "batch": BatchOptions(None, 1, None, False, False, recursive=False)
    }
    words = ["-o", "out", "-j", "3", "-t", "2", "--no-overwrite", "--quiet", "-r"]
    assert parsed(batch_options, *words) == {
        "batch": BatchOptions("out", 3, 2, True, True, recursive=True)
    }


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("20000", 20000),
        ("20k", 20000),
        ("20 kB", 20000),
        ("20K", 20000),
        ("20KiB", 20480),
        ("20ki", 20480),
        ("1.5M", 1_500_000),
        (".5MB", 500_000),
        ("0.1GiB", 107_374_182),
        ("900b", 900),
    ],
)
def test_a_size_may_have_a_unit(text: str, number: int) -> None:
    assert parsed(target_options, "--size", text)["target"] == TargetOptions(
        None, None, None, number
    )
    assert parsed(max_pixels_option, "--max-pixels", text)["max_pixels"] == number


@pytest.mark.parametrize(
    "text", ["", "0", "k", "20q", "-5", "1e3", "20kk", "20ib", "0.4", "9" * 30]
)
def test_a_size_is_a_number_from_1(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is not a number such as|is not in the range"):
        parsed(target_options, "--size", text)


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ([], "all"),
        (["--strip"], ()),
        (["--strip-gps"], ("icc", "exif", "xmp")),
        (["--strip", "--strip-gps"], ()),
        (["--keep-icc"], ("icc",)),
        (["--strip", "--keep-icc", "--keep-exif"], ("icc", "exif")),
        (["--keep-exif", "--keep-gps", "--keep-xmp"], ("exif", "xmp", "gps")),
        (["--keep-exif", "--strip-gps"], ("exif",)),
    ],
)
def test_what_is_named_of_metadata_is_kept_and_nothing_else(words: list[str], kept: Any) -> None:
    assert parsed(metadata_options, *words) == {"metadata": kept}


def test_sets_of_options_stand_beside_each_other() -> None:
    values = parsed(lambda f: batch_options(target_options(f)), "-j", "2", "-q", "60")
    assert values["batch"].jobs == 2
    assert values["target"] == TargetOptions(60, None, None)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], TargetOptions(None, None, None)),
        (["-q", "0"], TargetOptions(0, None, None)),
        (["-n", "9000"], TargetOptions(None, 9000, None)),
        (["--bpp", "0.25"], TargetOptions(None, None, 0.25)),
        (["--size", "900"], TargetOptions(None, None, None, 900)),
        (["--psnr", "30"], TargetOptions(None, None, None, None, 30)),
        (["--ssim", "0.9"], TargetOptions(None, None, None, None, None, 0.9)),
    ],
)
def test_a_target_is_one_or_none(arguments: list[str], expected: TargetOptions) -> None:
    target = parsed(target_options, *arguments)["target"]
    assert target == expected
    assert set(target.as_arguments()) == {"quality", "gaussians", "bpp", "size", "psnr", "ssim"}


@pytest.mark.parametrize(
    "arguments",
    [["-q", "-1"], ["-q", "inf"], ["--bpp", "0"], ["--bpp", "nan"], ["-n", "16777217"]],
)
def test_a_target_out_of_range_is_a_usage_error(arguments: list[str]) -> None:
    with pytest.raises(click.BadParameter):
        parsed(target_options, *arguments)


def test_all_targets_at_once_are_all_named() -> None:
    with pytest.raises(click.UsageError, match="--quality and --gaussians and --bpp are"):
        parsed(target_options, "--bpp", "1", "-n", "1", "-q", "1")


def test_a_seed_is_a_63_bit_number() -> None:
    assert parsed(seed_option) == {"seed": None}
    assert parsed(seed_option, "--seed", str(2**63 - 1)) == {"seed": 2**63 - 1}
    with pytest.raises(click.BadParameter):
        parsed(seed_option, "--seed", str(2**63))


def test_a_bit_depth_is_a_number_or_left_open() -> None:
    assert parsed(bit_depth_option("8")) == {"bit_depth": None}
    assert parsed(bit_depth_option("8"), "--bit-depth", "16") == {"bit_depth": 16}
