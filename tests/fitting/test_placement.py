import numpy as np
import pytest

from gaussianimage import _native, rendering
from gaussianimage.fitting.density import detail
from gaussianimage.fitting.placement import (
    BIRTH_COLOR,
    MOST_PER_PIXEL,
    START_COLOR,
    GaussianArrays,
    births,
    initial,
)
from gaussianimage.gaussians import Gaussians


def half_busy(height: int = 40, width: int = 60, channels: int = 3) -> np.ndarray:
    """Return a picture that is constant on the left and noise on the right."""
    pixels = np.full((height, width, channels), 0.5, np.float32)
    right = pixels[:, width // 2 :]
    right[:] = np.random.default_rng(0).uniform(size=right.shape)
    return pixels


def drawn(new: GaussianArrays, height: int, width: int) -> np.ndarray:
    gaussians = Gaussians.from_cholesky(new.means, new.cholesky, new.colors, height, width, 4.5)
    return rendering.render(gaussians)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_first_gaussian_is_the_mean_color_everywhere(channels: int) -> None:
    pixels = half_busy(channels=channels)
    new = initial(pixels, 1, np.random.default_rng(0))
    assert len(new.means) == 1
    picture = drawn(new, 40, 60)
    assert picture == pytest.approx(
        np.broadcast_to(pixels.mean(axis=(0, 1)), pixels.shape), abs=2e-6
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1), (40, 60)])
@pytest.mark.parametrize("count", [1, 2, 25])
def test_as_many_as_asked_for_lie_inside_of_any_picture(size: tuple[int, int], count: int) -> None:
    height, width = size
    new = initial(half_busy(height, width), count, np.random.default_rng(3))
    assert new.means.shape == (count, 2)
    assert new.cholesky.shape == (count, 3)
    assert new.colors.shape == (count, 3)
    assert new.colors.dtype == np.float32
    assert (new.means >= 0).all()
    assert (new.means <= (width, height)).all()
    assert (new.cholesky[:, [0, 2]] > 0).all()
    assert not new.cholesky[:, 1].any()


def test_detail_gets_more_and_smaller_gaussians() -> None:
    new = initial(half_busy(), 201, np.random.default_rng(1))
    x, sigma = new.means[1:, 0], new.cholesky[1:, 0]
    busy = x > 30
    assert busy.sum() > 160
    assert np.median(sigma[busy]) < 0.5 * np.median(sigma[~busy])


def test_colors_are_a_part_of_what_the_mean_lacks() -> None:
    pixels = half_busy()
    new = initial(pixels, 50, np.random.default_rng(2))
    x, y = new.means[1:].astype(int).T
    lacking = pixels[y, x] - pixels.mean(axis=(0, 1))
    assert new.colors[1:] == pytest.approx(START_COLOR * lacking, abs=1e-6)


def optimizer_off_by(residual: np.ndarray) -> _native.Optimizer:
    """Return an optimizer that draws nothing and has this residual."""
    return _native.Optimizer(-residual, 4.5, 1)


def test_births_go_where_the_error_is_and_halve_it() -> None:
    residual = np.full((40, 60, 3), 0.001, np.float32)
    residual[10:20, 10:20] = [0.5, -0.25, 0.1]
    uniform = np.ones((40, 60), np.float32)
    new = births(optimizer_off_by(residual), uniform, 20, 200, np.random.default_rng(0))
    x, y = new.means.T
    inside = (abs(x - 15) < 7) & (abs(y - 15) < 7)
    assert inside.sum() >= 18
    hit = residual[y.astype(int), x.astype(int)]
    assert new.colors == pytest.approx(-BIRTH_COLOR * hit)
    # Gaussians are small where they are dense.
    assert np.median(new.cholesky[inside, 0]) < 1.5


@pytest.mark.parametrize("count", [30, 300, 3000])
def test_births_together_take_no_more_than_the_error(count: int) -> None:
    residual = np.full((40, 60, 3), 0.25, np.float32)
    new = births(
        optimizer_off_by(residual),
        np.ones((40, 60), np.float32),
        count,
        count,
        np.random.default_rng(0),
    )
    picture = drawn(new, 40, 60)[5:-5, 5:-5]
    assert picture.max() <= 0
    assert picture.mean() > -0.27
    assert picture.min() > -0.75


def test_births_leave_room_for_each_other() -> None:
    residual = np.full((60, 80, 3), 0.001, np.float32)
    residual[24:36, 34:46] = 1
    uniform = np.ones((60, 80), np.float32)
    new = births(optimizer_off_by(residual), uniform, 100, 100, np.random.default_rng(0))
    near = (np.abs(new.means - (40, 30)) < 8).all(axis=1)
    assert 0.05 < near.sum() / 16**2 < 1.2 * MOST_PER_PIXEL


def test_births_without_any_error_are_spread_evenly() -> None:
    residual = np.zeros((40, 60, 1), np.float32)
    new = births(
        optimizer_off_by(residual), np.ones((40, 60), np.float32), 64, 64, np.random.default_rng(0)
    )
    assert not new.colors.any()
    assert new.means.mean(axis=0) == pytest.approx([30, 20], abs=3)
    assert new.cholesky[:, 0] == pytest.approx(new.cholesky[0, 0])


def test_births_follow_the_pictures_detail_in_size() -> None:
    pixels = half_busy()
    residual = np.full(pixels.shape, 0.1, np.float32)
    new = births(optimizer_off_by(residual), detail(pixels), 100, 1000, np.random.default_rng(0))
    right = new.means[:, 0] > 32
    left = new.means[:, 0] < 28
    assert new.cholesky[right, 0].mean() <= new.cholesky[left, 0].mean()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 50, 3), (50, 1, 4)])
def test_births_fit_into_any_picture(shape: tuple[int, int, int]) -> None:
    residual = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    new = births(
        optimizer_off_by(residual), np.ones(shape[:2], np.float32), 7, 7, np.random.default_rng(0)
    )
    assert (new.means >= 0).all()
    assert (new.means <= (shape[1], shape[0])).all()
    assert np.isfinite(new.cholesky).all()
