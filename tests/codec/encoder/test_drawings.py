"""Pages, pixel art and codes are told from photos."""

from pathlib import Path

import numpy as np
import pytest

from gaussianimage.codec.encoder.drawings import is_drawing
from gaussianimage.errors import PictureWarning
from gaussianimage.picture import as_picture, from_array
from gaussianimage.picture.warn import ignore

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize("name", ["bikes", "parrot", "plane", "stream"])
def test_a_photo_is_no_drawing(name: str) -> None:
    assert not is_drawing(as_picture(DATA / f"{name}.png"))


def test_a_photo_of_stars_is_no_drawing() -> None:
    generator = np.random.default_rng(0)
    sky = generator.normal(12, 3, (128, 160, 3)).clip(0, 255).astype(np.uint8)
    for y, x in generator.integers(4, 120, (60, 2)):
        sky[y : y + 2, x : x + 2] = 230
    assert not is_drawing(from_array(sky))


def test_a_code_of_two_colors_is_a_drawing() -> None:
    code = np.random.default_rng(0).integers(0, 2, (24, 24), np.uint8).repeat(4, 0).repeat(4, 1)
    assert is_drawing(from_array(255 * code))


def test_a_page_with_smooth_letters_is_a_drawing() -> None:
    page = np.full((160, 200, 3), 255, np.uint8)
    strokes = np.random.default_rng(0).integers(0, 256, (12, 60, 3), np.uint8)
    for top in range(10, 150, 20):
        page[top : top + 2, 10:190] = strokes[:2].repeat(3, axis=1)
    assert is_drawing(from_array(page))


def test_a_small_picture_is_told_nothing() -> None:
    assert not is_drawing(from_array(np.zeros((40, 40), np.uint8)))


@pytest.mark.parametrize("white", [4095, 1023, 300])
@pytest.mark.parametrize("gray", [False, True])
def test_a_dark_photo_of_16_bits_is_no_drawing(white: int, gray: bool) -> None:
    photo = as_picture(DATA / "plane.png").pixels
    noise = np.random.default_rng(0).normal(0, 1, photo.shape)
    dark = np.rint(white * photo + noise).clip(0, white).astype(np.uint16)
    with pytest.warns(PictureWarning, match="so the picture is dark"):
        assert not is_drawing(from_array(dark[..., 1] if gray else dark))


def test_a_dark_photo_of_stars_is_no_drawing() -> None:
    generator = np.random.default_rng(0)
    sky = generator.normal(40, 4, (128, 160)).clip(0, 4095).astype(np.uint16)
    for y, x in generator.integers(4, 120, (60, 2)):
        sky[y : y + 2, x : x + 2] = 3500
    assert not is_drawing(from_array(sky, warn=ignore))


@pytest.mark.parametrize("white", [65535, 4095, 300])
def test_a_page_is_a_drawing_however_dark_it_is(white: int) -> None:
    page = np.full((160, 200, 3), white, np.uint16)
    strokes = np.random.default_rng(0).integers(0, white, (2, 60, 3), np.uint16)
    for top in range(10, 150, 20):
        page[top : top + 2, 10:190] = strokes.repeat(3, axis=1)
    assert is_drawing(from_array(page, warn=ignore))
