import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage import metrics
from gaussianimage.torch import get_loss
from gaussianimage.torch.losses import LOSSES

SIZES = [(11, 11), (12, 30), (42, 43), (64, 75), (107, 74)]


def pictures(height, width, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 10
    planes = [0.5 + 0.4 * np.sin(x + k) * np.cos(y) for k in range(channels)]
    target = np.stack(planes, axis=2)
    return np.clip(target + rng.normal(0, 0.1, target.shape), 0, 1), target


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float64, 1e-7), (torch.float32, 2e-6)])
def test_ssim_is_one_minus_the_metric(size, dtype, allowed):
    image, target = pictures(*size)
    loss = get_loss("ssim")(torch.tensor(image, dtype=dtype), torch.tensor(target, dtype=dtype))
    assert loss.dtype == dtype
    assert float(loss) == pytest.approx(1 - metrics.ssim(image, target), abs=allowed)


def test_ssim_of_flat_pictures_is_that_of_their_brightness():
    # Nothing but the luminance term differs, and variances of zero must not lose digits.
    image, target = torch.full((20, 20, 1), 0.9), torch.full((20, 20, 1), 0.7)
    expected = (2 * 0.9 * 0.7 + 1e-4) / (0.9**2 + 0.7**2 + 1e-4)
    assert float(get_loss("ssim")(image, target)) == pytest.approx(1 - expected, abs=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_equal_pictures_lose_nothing(name):
    _, target = pictures(30, 40)
    picture = torch.tensor(target)
    assert float(get_loss(name)(picture, picture)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_the_derivatives(name):
    image, target = (torch.tensor(picture) for picture in pictures(13, 45, 2))
    image.requires_grad_()
    assert torch.autograd.gradcheck(get_loss(name), (image, target), fast_mode=True)


def test_l1_and_l2_are_means():
    image, target = (torch.tensor(picture) for picture in pictures(9, 14))
    difference = (image - target).numpy()
    assert float(get_loss("l1")(image, target)) == pytest.approx(np.abs(difference).mean())
    assert float(get_loss("l2")(image, target)) == pytest.approx((difference**2).mean())


@pytest.mark.parametrize("name", ["l1", "l2"])
def test_mixtures_are_seven_tenths_of_the_pixels_loss_and_three_of_ssim(name):
    image, target = (torch.tensor(picture) for picture in pictures(20, 25))
    expected = 0.7 * get_loss(name)(image, target) + 0.3 * get_loss("ssim")(image, target)
    assert float(get_loss(f"{name}+ssim")(image, target)) == pytest.approx(float(expected))


@pytest.mark.parametrize("name", LOSSES)
def test_pictures_that_differ_in_kind_are_refused(name):
    loss, image = get_loss(name), torch.zeros(20, 20, 3)
    with pytest.raises(ValueError, match="target: expected shape"):
        loss(image, torch.zeros(20, 20, 1))
    with pytest.raises(TypeError, match=r"target: expected torch\.float32"):
        loss(image, torch.zeros(20, 20, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match="target: expected a tensor on cpu"):
        loss(image, torch.zeros(20, 20, 3, device="meta"))
    with pytest.raises(ValueError, match="image: expected shape"):
        loss(image[0], image[0])


def test_ssim_needs_room_for_its_window():
    with pytest.raises(ValueError, match="at least 11 x 11"):
        get_loss("ssim")(torch.zeros(10, 40, 3), torch.zeros(10, 40, 3))


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="loss: expected one of l1, l2"):
        get_loss("L2")
