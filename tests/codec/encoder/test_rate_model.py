from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaussianimage import fit
from gaussianimage.codec.encoder.rate_model import (
    COARSEST_STEP,
    FINEST_STEP,
    gaussians_for_psnr,
    gaussians_for_size,
    gaussians_for_step,
    step_for_fit,
    step_for_picture,
    step_for_quality,
)
from gaussianimage.picture import Picture, as_picture

DATA = Path(__file__).parents[2] / "data"
PARROT = as_picture(DATA / "parrot.png")
PLANE = as_picture(DATA / "plane.png")
STREAM = as_picture(DATA / "stream.png")


def test_steps_fall_evenly_with_quality() -> None:
    steps = np.array([step_for_quality(quality) for quality in range(101)])
    assert steps[0] == COARSEST_STEP
    assert steps[100] == pytest.approx(FINEST_STEP)
    ratios = steps[1:] / steps[:-1]
    assert ratios == pytest.approx(ratios[0])
    assert ratios[0] < 1


def test_the_step_of_a_fit_follows_its_error() -> None:
    assert step_for_fit(400.0, 100) == pytest.approx(2 * step_for_fit(100.0, 100))
    assert step_for_fit(400.0, 400) == pytest.approx(step_for_fit(100.0, 100))
    assert step_for_fit(0.0, 5) == 0


def count_for_step(picture: Picture, step: float, *, threads: int | None) -> int:
    return gaussians_for_step(picture, step, threads=threads).fitted


def test_finer_steps_go_with_more_gaussians() -> None:
    counts = [count_for_step(PARROT, step, threads=None) for step in (1.0, 0.5, 0.25, 0.1)]
    assert counts == sorted(counts)
    assert counts[0] >= 1
    assert counts[-1] > 4 * counts[0]


def test_busy_pictures_get_more_gaussians() -> None:
    few, many = (count_for_step(picture, 0.3, threads=None) for picture in (PLANE, STREAM))
    assert few < many


def test_a_fit_has_a_gaussian_for_four_pixels_at_most_and_the_rounds_after_it_more() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (70, 80, 3), np.uint8)
    counts = gaussians_for_step(as_picture(noise), 0.05, threads=None)
    assert counts == (70 * 80 / 4, 70 * 80 * 0.6)
    coarse = gaussians_for_step(PARROT, 0.5, threads=None)
    assert coarse.most == coarse.fitted
    # An icon may need one for each.
    icon = as_picture(noise[:40, :40])
    assert count_for_step(icon, 0.05, threads=None) > 40 * 40 / 3


def test_the_number_for_a_psnr_is_about_right() -> None:
    counts = [gaussians_for_psnr(STREAM, psnr, threads=None) for psnr in (22.0, 25.0, 28.0)]
    assert counts == sorted(counts)
    assert fit(STREAM, counts[1], iterations=300).psnr == pytest.approx(25, abs=3)


def test_larger_files_and_finer_texture_take_more_gaussians() -> None:
    counts = [gaussians_for_size(STREAM, size, threads=None) for size in (300, 600, 1200)]
    assert counts == sorted(counts)
    assert 2**0.5 < counts[2] / counts[1] < 2
    # Of the stream's many, fewer are worth their bits.
    assert gaussians_for_size(PARROT, 600, threads=None) < counts[1]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (16, 16)])
@pytest.mark.parametrize("color", [0, (10, 20, 30), (1, 2, 3, 0)], ids=str)
def test_constant_pictures_need_one_gaussian(size: tuple[int, int], color: Any) -> None:
    picture = as_picture(np.full((*size, np.size(color)), color, np.uint8))
    assert count_for_step(picture, 0.1, threads=None) == 1
    assert gaussians_for_psnr(picture, 40.0, threads=None) == 1
    assert gaussians_for_size(picture, 1000.0, threads=None) == 1


@pytest.mark.parametrize("size", [1, 4])
def test_sparse_pictures_need_a_few_gaussians(size: int) -> None:
    pixels = np.full((150, 200), 255, np.uint8)
    pixels[70 : 70 + size, 90 : 90 + size] = 0
    picture = as_picture(pixels)
    assert 8 <= count_for_step(picture, 0.1, threads=None) < 500
    assert 8 <= gaussians_for_size(picture, 1000.0, threads=None) < 5000
    assert 8 <= gaussians_for_psnr(picture, 60.0, threads=None) < 5000


def test_little_contrast_and_few_pixels_get_finer_steps() -> None:
    usual = step_for_quality(60)
    assert step_for_picture(PARROT, 60) == usual
    faint = as_picture((128 + PARROT.pixels * 16).astype(np.uint8))
    assert usual / 16 <= step_for_picture(faint, 60) < usual / 3
    corner = as_picture(np.rint(PARROT.pixels[:16, :16] * 255).astype(np.uint8))
    assert usual / 4 < step_for_picture(corner, 60) < usual / 2


def test_a_deep_picture_may_have_less_contrast_than_eight_bits_hold() -> None:
    pixels = (0.5 + 1e-4 * PARROT.pixels).astype(np.float64)
    deep = as_picture(np.rint(pixels * 65535).astype(np.uint16))
    assert step_for_picture(deep, 60) < step_for_quality(60) / 500


def test_there_are_never_more_gaussians_than_pixels() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (6, 7, 3)).astype(np.uint8)
    picture = as_picture(noise)
    assert 1 <= count_for_step(picture, 1e-4, threads=None) <= 42
    assert 1 <= gaussians_for_psnr(picture, 100.0, threads=None) <= 42


def test_threads_change_nothing() -> None:
    one, two = (count_for_step(PARROT, 0.3, threads=threads) for threads in (1, 2))
    assert one == two
