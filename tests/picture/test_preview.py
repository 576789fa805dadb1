"""Previews in a notebook: PNG files of a bounded size."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gaussianimage
from gaussianimage.picture import Picture, from_array
from gaussianimage.picture.preview import png_preview, thinned


def opened(png: bytes) -> Any:
    return Image.open(io.BytesIO(png))


@pytest.mark.parametrize(
    ("size", "shown"),
    [((30, 40), (40, 30)), ((1, 5000), (1024, 1)), ((3000, 2000), (683, 1024))],
)
def test_a_side_is_at_most_1024_pixels(size: tuple[int, int], shown: tuple[int, int]) -> None:
    with opened(png_preview(np.zeros(size, np.uint8))) as image:
        assert (image.format, image.size) == ("PNG", shown)


def test_a_very_large_picture_is_thinned_out() -> None:
    pixels = np.zeros((3, 20_000, 1), np.float32)
    assert thinned(pixels).shape == (1, 5000, 1)
    with opened(Picture(pixels, 8)._repr_png_()) as image:
        assert image.size == (1024, 1)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_a_picture_is_shown_as_it_is(channels: int, mode: str) -> None:
    shape = (4, 5, channels) if channels > 1 else (4, 5)
    pixels = np.random.default_rng(0).integers(1, 256, shape).astype(np.uint8)
    with opened(from_array(pixels, icc=b"profile")._repr_png_()) as image:
        assert image.mode == mode
        assert image.info["icc_profile"] == b"profile"
        assert np.array_equal(np.asarray(image), pixels)


def test_gaussians_are_drawn() -> None:
    gaussians = gaussianimage.Gaussians(
        [[2000, 500]], [[1e4, 0, 1e4]], [[0.2, 5, np.nextafter(1, 0)]], 1000, 4000
    )
    with opened(gaussians._repr_png_()) as image:
        assert image.size == (1024, 256)
        assert image.getpixel((512, 128)) == (51, 255, 255)


def test_a_picture_of_16_bits_is_shown_in_8() -> None:
    picture = Picture(np.full((2, 2, 3), 0.5, np.float32), 16)
    with opened(picture._repr_png_()) as image:
        assert image.getpixel((0, 0)) == (128, 128, 128)
