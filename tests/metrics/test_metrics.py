import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussianimage import metrics


def scene(height, width, channels, phase=0.0):
    y, x, k = np.mgrid[0:height, 0:width, 0:channels].astype(np.float64)
    waves = 0.3 * np.sin(0.11 * x + 0.07 * y + k + phase) + 0.15 * np.sin(0.9 * x - 0.5 * y)
    return 0.5 + waves + 0.04 * np.sin(2.3 * x * (1 + 0.001 * y))


def distorted(height, width, channels):
    noise = 0.03 * np.sin(17 * scene(height, width, channels))
    return np.clip(0.9 * scene(height, width, channels, phase=0.2) + noise + 0.02, 0, 1)


# pytorch_msssim 1.0.0 with PyTorch 2.13.0: ssim(t(scene), t(distorted), data_range=1.0) and
# ms_ssim(...) likewise, in float64, where t makes a tensor (1, C, H, W).
PUBLISHED = {
    (161, 161, 1): (0.967933159, 0.974160055),
    (176, 240, 3): (0.968078498, 0.974269755),
    (191, 303, 3): (0.968081932, 0.974240200),  # odd sides are padded
}


@pytest.mark.parametrize("shape", PUBLISHED)
def test_ssim_is_that_of_pytorch_msssim(shape):
    assert metrics.ssim(scene(*shape), distorted(*shape)) == pytest.approx(
        PUBLISHED[shape][0], abs=2e-6
    )


@pytest.mark.parametrize("shape", PUBLISHED)
def test_ms_ssim_is_that_of_pytorch_msssim(shape):
    assert metrics.ms_ssim(scene(*shape), distorted(*shape)) == pytest.approx(
        PUBLISHED[shape][1], abs=5e-6
    )


def slow_ssim(a, b):
    """Return the SSIM of one channel by its definition, window by window in float64."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for i in range(a.shape[0] - 10):
        for j in range(a.shape[1] - 10):
            x, y = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
            mx, my = (window * x).sum(), (window * y).sum()
            xx, yy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
            xy = (window * (x - mx) * (y - my)).sum()
            values.append(
                (2 * mx * my + 1e-4) * (2 * xy + 9e-4) / ((mx**2 + my**2 + 1e-4) * (xx + yy + 9e-4))
            )
    return np.mean(values)


@pytest.mark.parametrize("size", [(11, 11), (11, 90), (76, 75), (20, 31)])
def test_ssim_is_its_definition(size):
    a, b = scene(*size, 1)[..., 0], distorted(*size, 1)[..., 0]
    assert metrics.ssim(a, b) == pytest.approx(slow_ssim(a, b), abs=2e-6)


def test_ssim_is_accurate_in_flat_bright_areas():
    a = np.full((32, 32), 0.95)
    a[::2] += 0.001
    assert metrics.ssim(a, a[::-1]) == pytest.approx(slow_ssim(a, a[::-1]), abs=2e-6)


def test_a_channel_counts_as_one_part_of_the_mean():
    a, b = scene(170, 180, 3), distorted(170, 180, 3)
    for metric in (metrics.ssim, metrics.ms_ssim):
        apart = [metric(a[..., k], b[..., k]) for k in range(3)]
        assert metric(a, b) == pytest.approx(np.mean(apart), abs=1e-6)


@pytest.mark.parametrize("metric", [metrics.ssim, metrics.ms_ssim])
def test_equal_pictures_are_perfectly_similar(metric):
    a = scene(200, 170, 2)
    assert metric(a, a) == pytest.approx(1, abs=1e-6)


def test_equal_pictures_have_infinite_psnr():
    assert metrics.psnr(scene(5, 6, 3), scene(5, 6, 3)) == float("inf")


def test_psnr_of_a_known_error():
    a = np.zeros((4, 5))
    assert metrics.mse(a, a + 0.1) == pytest.approx(0.01)
    assert metrics.psnr(a, a + 0.1) == pytest.approx(20)
    assert metrics.psnr(a, a + 0.1, peak=10) == pytest.approx(40)


def test_psnr_of_black_against_white_is_zero():
    assert metrics.psnr(np.zeros((3, 3), np.uint8), np.full((3, 3), 255, np.uint8)) == 0


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535)])
@pytest.mark.parametrize("metric", [metrics.psnr, metrics.ssim, metrics.ms_ssim])
def test_integers_are_scaled_to_one(metric, dtype, white):
    a, b = (np.rint(p(165, 170, 3) * white).astype(dtype) for p in (scene, distorted))
    assert metric(a, b) == pytest.approx(metric(a / white, b / white), rel=1e-6)
    assert metric(a, b / white) == pytest.approx(metric(a, b), rel=1e-6)


@given(st.integers(0, 255), st.integers(0, 255))
def test_unsigned_differences_do_not_wrap(p, q):
    a, b = np.full((2, 2), p, np.uint8), np.full((2, 2), q, np.uint8)
    assert metrics.mse(a, b) == pytest.approx(((p - q) / 255) ** 2, abs=1e-15)


def test_the_arguments_are_not_changed():
    a, b = scene(161, 161, 1), distorted(161, 161, 1)
    before = a.copy(), b.copy()
    metrics.psnr(a, b), metrics.ms_ssim(a, b)
    assert np.array_equal(a, before[0])
    assert np.array_equal(b, before[1])


def test_a_nan_is_not_hidden():
    a = scene(16, 16, 1)
    b = a.copy()
    b[8, 8] = np.nan
    assert np.isnan(metrics.psnr(a, b))
    assert np.isnan(metrics.ssim(a, b))


@pytest.mark.parametrize(
    "metric", [metrics.mse, metrics.psnr, metrics.ssim, metrics.ms_ssim], ids=lambda m: m.__name__
)
class TestMisuse:
    def test_different_shapes(self, metric):
        with pytest.raises(
            ValueError, match=r"b: expected the shape of a, \(170, 170, 3\), got \(170, 170\)"
        ):
            metric(np.zeros((170, 170, 3)), np.zeros((170, 170)))

    def test_no_picture(self, metric):
        with pytest.raises(ValueError, match=r"got \(0, 5\)"):
            metric(np.zeros((0, 5)), np.zeros((0, 5)))
        with pytest.raises(ValueError, match=r"got \(5,\)"):
            metric(np.zeros(5), np.zeros(5))

    def test_an_ambiguous_type(self, metric):
        with pytest.raises(TypeError, match="int64"):
            metric(np.zeros((170, 170), np.int64), np.zeros((170, 170), np.int64))


def test_a_picture_smaller_than_the_window_is_refused():
    with pytest.raises(ValueError, match="11 x 11"):
        metrics.ssim(scene(10, 50, 1), scene(10, 50, 1))
    with pytest.raises(ValueError, match="161 x 161"):
        metrics.ms_ssim(scene(160, 500, 1), scene(160, 500, 1))
    side = metrics.MS_SSIM_SIDE
    assert side == 161
    assert metrics.ms_ssim(scene(side, side, 1), scene(side, side, 1)) == 1


def test_bits_per_pixel():
    assert metrics.bpp(27_300, 512, 768) == pytest.approx(0.55542, abs=1e-5)
    assert metrics.bpp(0, 1, 1) == 0


@pytest.mark.parametrize("arguments", [(-1, 5, 5), (10, 0, 5), (10, 5, -1)])
def test_bits_per_pixel_of_nothing_is_refused(arguments):
    with pytest.raises(ValueError, match="expected a picture"):
        metrics.bpp(*arguments)


def test_the_error_of_a_large_picture_is_summed_in_bands(monkeypatch):
    a, b = np.random.default_rng(0).uniform(size=(2, 37, 20, 3))
    whole = metrics.mse(a, b)
    for band in (1, 60, 500):
        monkeypatch.setattr(metrics, "_BAND", band)
        assert metrics.mse(a, b) == pytest.approx(whole, rel=1e-12)
    monkeypatch.undo()
    large = np.zeros((2, 1500, 1000, 3), np.uint8)
    tracemalloc.start()
    try:
        assert metrics.mse(*large) == 0
        assert tracemalloc.get_traced_memory()[1] < 40 * metrics._BAND
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(3, 5), (40, 30, 3)])
def test_the_error_of_bytes_is_that_of_their_values(shape):
    a, b = np.random.default_rng(0).integers(0, 256, (2, *shape), np.uint8)
    a[:1], b[:1] = 0, 255  # the largest differences
    assert metrics.mse(a, b) == pytest.approx(metrics.mse(a / 255, b / 255), rel=1e-12)
    assert metrics.mse(a, b) == metrics.mse(b, a)
