"""--size, --scale and --crop."""

from typing import Any

import click
import pytest
from click.testing import CliRunner

from gaussianimage.cli.viewport import Viewport, viewport_options


def parsed(*arguments: str) -> Viewport:
    found: list[Viewport] = []

    @click.command()
    @viewport_options
    def command(viewport: Viewport) -> None:
        found.append(viewport)

    result = CliRunner().invoke(command, arguments, standalone_mode=False)
    if result.exception:
        raise result.exception
    return found[0]


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ([], None),
        (["--size", "640x480"], (480, 640)),
        (["--size", "640X480"], (480, 640)),
        (["--size", "384x"], (256, 384)),
        (["--size", "x256"], (256, 384)),
        (["--size", "1x"], (1, 1)),
        (["--scale", "2"], (1024, 1536)),
        (["--scale", "0.0001"], (1, 1)),
    ],
)
def test_sizes_are_given_width_first(arguments: list[str], size: Any) -> None:
    assert parsed(*arguments).resolve(512, 768) == (size, None)


def test_a_crop_is_given_left_first_in_pixels_of_the_output() -> None:
    assert parsed("--crop", "10,20,300,200").resolve(512, 768) == (None, (20, 10, 200, 300))
    both = parsed("--scale", "2", "--crop", "1000,20,536,1004")
    assert both.resolve(512, 768) == ((1024, 1536), (20, 1000, 1004, 536))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--size", "640"],
        ["--size", "x"],
        ["--size", "0x5"],
        ["--size", "-5x5"],
        ["--size", "5x5.5"],
        ["--size", "9999999999x1"],
        ["--scale", "0"],
        ["--scale", "-1"],
        ["--scale", "inf"],
        ["--scale", "nan"],
        ["--crop", "1,2,3"],
        ["--crop", "1,2,0,4"],
        ["--crop", "-1,2,3,4"],
        ["--crop", "1,2,3,4,5"],
        ["--size", "5x5", "--scale", "1"],
    ],
)
def test_what_is_no_size_is_a_usage_error(arguments: list[str]) -> None:
    with pytest.raises(click.UsageError):
        parsed(*arguments)


def test_a_crop_outside_of_the_picture_is_an_error() -> None:
    with pytest.raises(ValueError, match="--crop 700,0,69,1 is not within 768 x 512 pixels"):
        parsed("--crop", "700,0,69,1").resolve(512, 768)
    with pytest.raises(ValueError, match="not within"):
        parsed("--crop", "0,512,1,1").resolve(512, 768)


def test_a_size_out_of_range_is_an_error() -> None:
    with pytest.raises(ValueError, match="1 to 65536 pixels, not 49152000 x 32768000"):
        parsed("--scale", "64000").resolve(512, 768)
