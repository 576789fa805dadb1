"""Pictures with alpha on a color."""

from typing import Any

import numpy as np
import pytest

from gaussianimage.picture import Picture, flatten, flatten_array, from_array, rgb

RED_HALF = np.array([[[255, 0, 0, 128], [255, 0, 0, 0], [10, 20, 30, 255]]], np.uint8)


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ("white", (255, 255, 255)),
        ("#f80", (255, 136, 0)),
        ("#102030", (16, 32, 48)),
        ("#102030ff", (16, 32, 48)),
        ("hsl(0, 100%, 50%)", (255, 0, 0)),
        ((1, 2, 3), (1, 2, 3)),
        (np.array([4, 5, 6]), (4, 5, 6)),
    ],
)
def test_colors_have_names_and_numbers(color: Any, expected: tuple[int, ...]) -> None:
    assert rgb(color) == expected


@pytest.mark.parametrize(
    "color", ["", "no color", "#10203080", (0, 0, 256), (-1, 0, 0), (0.5, 0, 0)]
)
def test_what_is_no_color_is_refused(color: Any) -> None:
    with pytest.raises(ValueError, match="background"):
        rgb(color)


@pytest.mark.parametrize("color", [5, None, (1, 2), (1, 2, 3, 4), ("a", "b", "c")])
def test_what_is_no_color_at_all_is_a_type_error(color: Any) -> None:
    with pytest.raises(TypeError, match="background"):
        rgb(color)


def test_a_picture_is_blended_with_the_color() -> None:
    flat = flatten(from_array(RED_HALF), "#0000ff")
    expected = np.array([[[128, 0, 127], [0, 0, 255], [10, 20, 30]]]) / 255
    np.testing.assert_allclose(flat.pixels, expected, atol=1e-6)
    np.testing.assert_array_equal(
        flatten_array(RED_HALF, "#0000ff"), np.rint(255 * expected).astype(np.uint8)
    )


def test_sixteen_bits_stay() -> None:
    deep = RED_HALF.astype(np.uint16) * 257
    flat = flatten_array(deep, (0, 0, 255))
    assert flat.dtype == np.uint16
    np.testing.assert_array_equal(flat[0, 1:], [[0, 0, 65535], [2570, 5140, 7710]])
    assert flatten(from_array(deep), "white").bit_depth == 16


def test_a_picture_without_alpha_is_returned() -> None:
    picture = from_array(RED_HALF[..., :3])
    assert flatten(picture, "red") is picture


def test_gray_stays_gray_on_gray_and_becomes_rgb_on_a_color() -> None:
    gray = Picture(from_array(RED_HALF[..., 2:]).pixels, icc=b"gray profile", xmp=b"<x/>")
    on_gray, on_red = flatten(gray, "#808080"), flatten(gray, "red")
    assert (on_gray.channels, on_gray.icc) == (1, b"gray profile")
    assert (on_red.channels, on_red.icc, on_red.xmp) == (3, None, b"<x/>")
    np.testing.assert_allclose(on_red.pixels[0, 1], [1, 0, 0])
    assert flatten_array(RED_HALF[..., 2:], "white").shape == (1, 3)
    assert flatten_array(RED_HALF[..., 2:], "red").shape == (1, 3, 3)
