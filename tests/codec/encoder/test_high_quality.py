"""Fits with a Gaussian for a few pixels, as the highest qualities need them."""

from pathlib import Path

import numpy as np
import pytest

import gaussianimage

PARROT = gaussianimage.as_picture(Path(__file__).parents[2] / "data" / "parrot.png")


def two_textures() -> np.ndarray:
    """Return noise of much contrast beside noise of little, which weighs more for the eye."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:160, :240]
    contrast = np.where(x < 120, 0.12, 0.02)
    gray = 0.5 + 0.1 * np.sin(x / 30) + rng.normal(size=y.shape) * contrast
    return np.repeat(gray[..., None], 3, axis=2).clip(0, 1).astype(np.float32)


@pytest.mark.parametrize("tune", ["eye", "psnr"])
def test_a_higher_quality_is_better(tune: str) -> None:
    pixels = two_textures()
    results = [
        gaussianimage.encode_with_result(pixels, quality=quality, effort=1, tune=tune)
        for quality in (80, 90, 100)
    ]
    sizes = [len(result.data) for result in results]
    assert sizes == sorted(sizes)
    assert np.diff([result.psnr for result in results]).min() > 2.5


def test_a_dithered_picture_needs_more_gaussians_at_a_higher_quality() -> None:
    y, x = np.mgrid[:96, :96]
    gray = 0.5 + 0.4 * np.sin(x / 17) * np.cos(y / 23)
    pixels = (gray > np.random.default_rng(0).random(gray.shape)).astype(np.uint8) * np.uint8(255)
    results = [
        gaussianimage.encode_with_result(pixels, quality=quality, effort=1)
        for quality in (75, 90, 100)
    ]
    assert results[-1].gaussians > 0.27 * pixels.size
    assert np.diff([result.psnr for result in results]).min() > 2


@pytest.mark.parametrize("psnr", [50.0, 60.0, 70.0])
def test_sixteen_bits_have_any_psnr(psnr: float) -> None:
    pixels = np.rint(PARROT.pixels[..., 1] * 65535).astype(np.uint16)
    found = gaussianimage.encode_with_result(pixels, psnr=psnr, effort=1)
    assert psnr - 0.5 < found.psnr < psnr + 0.8
