from typing import Any

import numpy as np
import pytest

from gaussianimage.codec.encoder.targets import DEFAULT_QUALITY, TARGETS, Target


def test_a_target_is_the_one_that_is_given() -> None:
    assert Target.parse() == Target("quality", DEFAULT_QUALITY)
    assert Target.parse(quality=0) == Target("quality", 0.0)
    assert Target.parse(gaussians=7) == Target("gaussians", 7.0)
    assert Target.parse(bpp=np.float32(0.5)) == Target("bpp", 0.5)
    assert Target.parse(size=np.int64(900)) == Target("size", 900.0)
    assert Target.parse(psnr=30) == Target("psnr", 30.0)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"quality": -0.1}, ValueError),
        ({"quality": 100.1}, ValueError),
        ({"quality": float("nan")}, ValueError),
        ({"quality": "high"}, TypeError),
        ({"quality": True}, TypeError),
        ({"gaussians": 0}, ValueError),
        ({"gaussians": 2**24 + 1}, ValueError),
        ({"gaussians": 7.0}, TypeError),
        ({"bpp": 0}, ValueError),
        ({"bpp": 65}, ValueError),
        ({"bpp": float("inf")}, ValueError),
        ({"bpp": [1]}, TypeError),
        ({"size": 0}, ValueError),
        ({"size": 10.5}, TypeError),
        ({"size": -5}, ValueError),
        ({"psnr": 0}, ValueError),
        ({"psnr": 101}, ValueError),
        ({"psnr": 1j}, TypeError),
    ],
    ids=str,
)
def test_targets_out_of_range_are_named(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(options))):
        Target.parse(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 50, "bpp": 1},
        {"gaussians": 50, "size": 100},
        {"psnr": 30, "quality": 30},
        {"quality": 1, "gaussians": 1, "bpp": 1, "size": 1, "psnr": 1},
    ],
    ids=str,
)
def test_two_targets_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"one target, got .* and"):
        Target.parse(**options)


@pytest.mark.parametrize("kind", TARGETS)
def test_both_ends_of_a_range_are_allowed(kind: str) -> None:
    for value in TARGETS[kind]:
        number = int(value) if kind in ("gaussians", "size") else value
        assert Target.parse(**{kind: number}) == Target(kind, value)


def test_sizes_and_bits_a_pixel_bound_a_file() -> None:
    assert Target("size", 900.0).file_bytes(64) == 900
    assert Target("bpp", 0.5).file_bytes(64) == 4
    assert Target("quality", 60.0).file_bytes(64) is None
