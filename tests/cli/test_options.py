"""The options that commands share."""

from typing import Any

import click
import pytest
from click.testing import CliRunner

from gaussianimage.cli.options import (
    BatchOptions,
    Target,
    batch_options,
    bit_depth_option,
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
    assert parsed(batch_options) == {"batch": BatchOptions(None, 1, None, False, False)}
    words = ["-o", "out", "-j", "3", "-t", "2", "--no-overwrite", "--quiet"]
    assert parsed(batch_options, *words) == {"batch": BatchOptions("out", 3, 2, True, True)}


def test_sets_of_options_stand_beside_each_other() -> None:
    values = parsed(lambda f: batch_options(target_options(f)), "-j", "2", "-q", "60")
    assert values["batch"].jobs == 2
    assert values["target"] == Target(60, None, None)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], Target(None, None, None)),
        (["-q", "0"], Target(0, None, None)),
        (["-n", "9000"], Target(None, 9000, None)),
        (["--bpp", "0.25"], Target(None, None, 0.25)),
        (["--size", "900"], Target(None, None, None, 900)),
        (["--psnr", "30"], Target(None, None, None, None, 30)),
        (["--ssim", "0.9"], Target(None, None, None, None, None, 0.9)),
    ],
)
def test_a_target_is_one_or_none(arguments: list[str], expected: Target) -> None:
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
