"""A gray picture looks like the same picture in RGB, which is fitted as gray."""

from typing import Any

import numpy as np
import pytest
from encoder_samples import DATA, fast
from numpy.typing import NDArray
from PIL import Image

from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.decoder.info import info
from gaussianimage.codec.encoder.gray_in_rgb import (
    GRAY_STEP,
    GrayParameters,
    as_gray,
    is_gray_in_rgb,
    layers_in_rgb,
    parameters_in_rgb,
    step_share,
)
from gaussianimage.codec.encoder.rate_model import step_for_picture
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.quantizer import QuantizerParameters
from gaussianimage.picture import as_picture

with Image.open(DATA / "parrot.png") as image:
    COLOR = np.asarray(image.convert("RGB"))
    GRAY = np.asarray(image.convert("L"))


def in_rgb(gray: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(gray[..., None], 3, axis=2)


def test_a_picture_without_color_is_told_from_one_with_a_single_colored_pixel() -> None:
    assert is_gray_in_rgb(as_picture(in_rgb(GRAY)))
    for pixels in (GRAY, COLOR, np.dstack([in_rgb(GRAY), GRAY])):
        assert not is_gray_in_rgb(as_picture(pixels))
    for channel in range(3):
        nearly = in_rgb(GRAY)
        nearly[-1, -1, channel] ^= 1
        assert not is_gray_in_rgb(as_picture(nearly))


def test_gray_gaussians_draw_what_those_of_the_file_do() -> None:
    rng = np.random.default_rng(3)
    count = 200
    parameters = GrayParameters(40, 128, (30000,))
    layer = QuantizedGaussians(
        rng.integers(0, 6, count).astype(np.uint8),
        rng.integers(0, 20, (count, 2)).astype(np.int32),
        rng.integers(-9, 10, (count, 1)).astype(np.int32),
        rng.integers(-3, 4, (count, 3)).astype(np.int32),
    )
    (written,) = layers_in_rgb([layer])
    of_file = parameters_in_rgb(parameters)
    assert type(of_file) is QuantizerParameters
    assert of_file.background == (30000,) * 3
    assert parameters.color_step == pytest.approx(of_file.color_step / np.sqrt(3))
    gray = parameters.quantizer(48, 64).dequantize(*layer)
    rgb = of_file.quantizer(48, 64).dequantize(*written)
    for one, other in zip(gray[:2], rgb[:2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.abs(gray[2]).max() > 0
    np.testing.assert_allclose(np.repeat(gray[2], 3, axis=1), rgb[2], rtol=1e-6)


def test_the_gray_picture_keeps_all_but_two_channels() -> None:
    picture = as_picture(in_rgb(GRAY.astype(np.uint16) * 257))
    found = as_gray(picture)
    assert found.channels == 1
    assert found.bit_depth == 16
    np.testing.assert_array_equal(found.pixels, picture.pixels[..., 1:2])


def test_gray_gets_a_finer_step_than_color() -> None:
    assert [step_share(channels) for channels in (1, 2, 3, 4)] == [GRAY_STEP, GRAY_STEP, 1, 1]
    gray, rgb = (step_for_picture(as_picture(pixels), 60) for pixels in (GRAY, in_rgb(GRAY)))
    assert gray == pytest.approx(rgb / np.sqrt(3))


@pytest.mark.parametrize(
    "target",
    [{"quality": 0}, {"quality": 45}, {"quality": 75}, {"psnr": 30}, {"ssim": 0.9}, {"size": 900}],
    ids=str,
)
def test_gray_and_the_same_in_rgb_are_alike(target: dict[str, Any]) -> None:
    gray, rgb = fast(GRAY, **target), fast(in_rgb(GRAY), **target)
    assert info(gray.data).channels == 1
    assert info(rgb.data).channels == 3
    assert abs(len(rgb.data) - len(gray.data)) < 0.06 * len(gray.data) + 20
    assert abs(rgb.psnr - gray.psnr) < 0.6
    if "size" in target:
        assert max(len(gray.data), len(rgb.data)) <= 900
    decoded = decode(rgb.data)
    assert decoded.shape == COLOR.shape
    np.testing.assert_array_equal(decoded, in_rgb(decoded[..., 0]))
    error = np.square(decoded.astype(float) - in_rgb(GRAY)).mean()
    assert rgb.psnr == pytest.approx(10 * np.log10(255**2 / error), abs=1e-6)


@pytest.mark.parametrize("kind", ["faint", "deep", "tiny", "constant", "black and white"])
def test_odd_pictures_without_color_keep_their_three_channels(kind: str) -> None:
    pixels = {
        "faint": (120 + GRAY // 32).astype(np.uint8),
        "deep": GRAY.astype(np.uint16) * 256 + np.roll(GRAY, 1, axis=1),
        "tiny": GRAY[20:36, 30:46],
        "constant": np.full((40, 50), 77, np.uint8),
        "black and white": np.where(GRAY > 100, 255, 0).astype(np.uint8),
    }[kind]
    found = fast(in_rgb(pixels), quality=75)
    decoded = decode(found.data, dtype=pixels.dtype)
    np.testing.assert_array_equal(decoded, in_rgb(decoded[..., 0]))
    expected = fast(pixels, quality=75)
    assert abs(min(found.psnr, 60) - min(expected.psnr, 60)) < 1.5


def test_grain_of_a_picture_without_color_has_none_either() -> None:
    rng = np.random.default_rng(1)
    large = np.tile(GRAY, (3, 2))
    noisy = np.clip(large + rng.normal(0, 20, large.shape), 0, 255).astype(np.uint8)
    found = fast(in_rgb(noisy), quality=40, grain=True)
    decoded = decode(found.data)
    assert not np.array_equal(decoded, decode(found.data, grain=False))
    np.testing.assert_array_equal(decoded, in_rgb(decoded[..., 0]))
