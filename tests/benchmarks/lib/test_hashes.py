"""BlurHash and ThumbHash: known strings, and pictures that come back roughly."""

import numpy as np
import pytest
from lib.hashes import draw_blurhash, draw_thumbhash, encode_blurhash, encode_thumbhash

from gaussianimage.metrics import psnr


def slope(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    parts = [x / width, y / height, 1 - x / width]
    return np.rint(255 * np.stack(parts, axis=2)).astype(np.uint8)


def test_a_constant_picture_is_its_color() -> None:
    pixels = np.full((20, 30, 3), (200, 100, 50), np.uint8)
    text = encode_blurhash(pixels, 1, 1)
    assert len(text) == 6
    assert (draw_blurhash(text, 20, 30) == pixels).all()
    assert np.abs(draw_thumbhash(encode_thumbhash(pixels), 20, 30).astype(int) - pixels).max() < 8


def test_the_length_of_a_blurhash_is_that_of_its_description() -> None:
    for across, down in ((4, 3), (1, 9), (9, 9)):
        assert len(encode_blurhash(slope(40, 60), across, down)) == 4 + 2 * across * down


@pytest.mark.parametrize("size", [(40, 60), (60, 40), (50, 50)])
def test_a_smooth_picture_comes_back(size: tuple[int, int]) -> None:
    pixels = slope(*size)
    mean = np.broadcast_to(np.rint(pixels.mean(axis=(0, 1))).astype(np.uint8), pixels.shape)
    for drawn in (
        draw_blurhash(encode_blurhash(pixels), *size),
        draw_thumbhash(encode_thumbhash(pixels), *size),
    ):
        assert drawn.shape == pixels.shape
        assert psnr(pixels, drawn) > psnr(pixels, mean.copy()) + 8
    assert len(encode_thumbhash(pixels)) < 26
