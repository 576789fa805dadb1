"""Weights of pixels: an error on a plain ground counts more, and where it is worst."""

import numpy as np
import pytest

from gaussianimage.codec.encoder import eye_weights
from gaussianimage.codec.encoder.eye_weights import (
    UsualMasking,
    first_weights,
    luma,
    on_channels,
    renewed_weights,
)
from gaussianimage.picture import from_array


def half_busy(height: int = 90, width: int = 70) -> np.ndarray:
    """A picture whose left half is plain and whose right half is noise."""
    pixels = np.full((height, width, 3), 0.5, np.float32)
    noise = np.random.default_rng(0).uniform(0, 1, (height, width - width // 2, 1))
    pixels[:, width // 2 :] = noise
    return pixels


def test_a_plain_ground_weighs_more_than_a_busy_one() -> None:
    weights = first_weights(half_busy())
    assert weights.mean() == pytest.approx(1, rel=1e-5)
    assert weights[:, :25].min() > 2 * weights[:, 45:].max()


def test_parts_of_a_picture_have_the_weights_of_the_whole() -> None:
    pixels = half_busy()
    usual = UsualMasking()
    for rows in (slice(0, 30), slice(30, 90)):
        usual.add(pixels[rows])
    part = first_weights(pixels[20:70, 30:60], usual.value)
    assert part[4:-4, 4:-4] == pytest.approx(first_weights(pixels)[24:66, 34:56], rel=0.01)
    assert first_weights(pixels, usual.value).mean() == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("color", [0.0, 1.0])
def test_a_constant_picture_has_usual_masking_too(color: float) -> None:
    pixels = np.full((20, 20, 1), color, np.float32)
    usual = UsualMasking()
    usual.add(pixels)
    assert first_weights(pixels, usual.value) == pytest.approx(np.ones((20, 20)), rel=0.01)


def test_weights_move_to_where_the_error_is_seen() -> None:
    light = luma(half_busy())
    error = np.zeros_like(light)
    error[10:30, 5:25] = 0.05  # on the plain ground
    error[10:30, 45:65] = 0.05
    weights = renewed_weights(light, error, np.ones_like(light))
    assert weights.mean() == pytest.approx(1, rel=1e-5)
    assert weights[15:25, 10:20].min() > 1.5 * weights[15:25, 50:60].max()
    assert weights[15:25, 10:20].min() > 1.5 * weights[60:80, 10:20].max()


def test_without_any_error_weights_are_finite() -> None:
    light = luma(half_busy())
    weights = renewed_weights(light, np.zeros_like(light), np.ones_like(light))
    assert np.isfinite(weights).all()
    assert weights.min() > 0


def blurred(values: np.ndarray) -> np.ndarray:
    """Blur three times over 3 × 3 pixels, in double precision."""
    for _ in range(3):
        padded = np.pad(np.asarray(values, np.float64), 1, mode="edge")
        rows = padded[:-2] + padded[1:-1] + padded[2:]
        values = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9
    return values


def variance(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float64)
    return np.maximum(blurred(values * values) - blurred(values) ** 2, 0)


def normalized(weights: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    for _ in range(3):
        weights = np.clip(weights / weights.mean(), *bounds)
    return weights / weights.mean()


def emphasis(light: np.ndarray, error: np.ndarray) -> np.ndarray:
    spread = variance(light) + variance(light + error) + eye_weights.NOISE
    result = blurred(error.astype(np.float64) ** 2) / spread**2
    return result / result.mean()


def block_means(values: np.ndarray) -> np.ndarray:
    height, width = values.shape
    padded = np.pad(values.astype(np.float64), ((0, -height % 4), (0, -width % 4)), mode="edge")
    return padded.reshape(-(-height // 4), 4, -(-width // 4), 4).mean(axis=(1, 3))


SIZES = [(1, 1), (1, 70), (3, 5), (61, 40), (90, 135), (33, 260)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_weights_are_those_of_plain_formulas(height: int, width: int) -> None:
    pixels = half_busy(height, width)
    light = luma(pixels)
    error = 0.1 * luma(half_busy(height, width)[::-1, ::-1])
    first = first_weights(pixels)
    plain = (variance(light) + eye_weights.MASKED) ** -eye_weights.MASKING
    assert first == pytest.approx(normalized(plain, eye_weights.FIRST_RANGE), rel=1e-3)
    coarse = emphasis(block_means(light), block_means(error)).repeat(4, 0).repeat(4, 1)
    both = emphasis(light, error) + coarse[:height, :width] + 1e-6
    wanted = np.sqrt(normalized(blurred(np.sqrt(both)), eye_weights.RANGE) * first)
    found = renewed_weights(light, error, first)
    assert found == pytest.approx(wanted / wanted.mean(), rel=1e-3)


def test_threads_change_no_bit_of_weights() -> None:
    pixels = half_busy(205, 301)
    error = 0.1 * luma(pixels[::-1, ::-1])
    found = []
    for threads in (1, 2, 5):
        first = first_weights(pixels, threads=threads)
        found.append(renewed_weights(luma(pixels), error, first, threads=threads))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_huge_errors_leave_weights_finite() -> None:
    light = luma(half_busy())
    error = np.zeros_like(light)
    error[40, 40] = 1e6
    weights = renewed_weights(light, error, np.ones_like(light))
    assert np.isfinite(weights).all()
    assert weights.min() > 0


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_luma_is_one_for_white(channels: int) -> None:
    values = np.ones((2, 3, channels), np.float32)
    np.testing.assert_allclose(luma(values), 1, rtol=1e-6)
    assert sum(eye_weights.LUMA) == pytest.approx(1)


def test_the_weights_of_a_picture_stay() -> None:
    picture = from_array(np.zeros((4, 5, 4), np.uint8))
    weights = np.arange(20, dtype=np.float32).reshape(4, 5)
    assert np.array_equal(on_channels(weights, picture)[..., 3], weights)
    halved = picture.__class__(picture.pixels, weights=np.full((4, 5, 4), 0.5, np.float32))
    assert np.array_equal(on_channels(weights, halved)[..., 0], weights / 2)
