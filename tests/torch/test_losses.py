from functools import partial

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage import metrics
from gaussianimage.torch import get_loss
from gaussianimage.torch.losses import LOSSES, ms_ssim

# A size that every loss takes, and is fast.
LEAST = {"l1+ms-ssim": (161, 162), "l1+ms-ssim-5": (65, 75)}
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
    _, target = pictures(*LEAST.get(name, (30, 40)))
    picture = torch.tensor(target)
    assert float(get_loss(name)(picture, picture)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_the_derivatives(name):
    size = LEAST.get(name, (13, 45))
    image, target = (torch.tensor(picture) for picture in pictures(*size, 2))
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
    first = get_loss(name, channels="first")
    with pytest.raises(ValueError, match="target: expected shape"):
        loss(image, torch.zeros(20, 20, 1))
    with pytest.raises(ValueError, match="target: expected shape"):
        first(image, torch.zeros(20, 1, 3))
    with pytest.raises(ValueError, match=r"image: expected shape \(\.\.\., C, H, W\)"):
        first(image[0], image[0])
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


@pytest.mark.parametrize("size", [(161, 161), (163, 190)])
def test_ms_ssim_is_one_minus_the_metric(size):
    image, target = pictures(*size)
    loss = ms_ssim(torch.tensor(image).float(), torch.tensor(target).float())
    assert float(loss) == pytest.approx(1 - metrics.ms_ssim(image, target), abs=2e-6)


def test_fusions_are_seven_tenths_and_three():
    image, target = (torch.tensor(picture) for picture in pictures(161, 170))
    one, two, whole = (get_loss(name)(image, target) for name in ("l1", "l2", "l1+ms-ssim"))
    assert torch.isclose(get_loss("l2+l1")(image, target), 0.7 * two + 0.3 * one)
    assert torch.isclose(whole, 0.7 * one + 0.3 * ms_ssim(image, target))
    small = 0.7 * one + 0.3 * ms_ssim(image, target, window=5)
    assert torch.isclose(get_loss("l1+ms-ssim-5")(image, target), small)
    assert not torch.isclose(small, whole)


def test_a_window_of_five_needs_65_pixels_and_the_usual_one_161():
    for name, least in (("l1+ms-ssim-5", 65), ("l1+ms-ssim", 161)):
        short = torch.rand(least - 1, least, 1)
        with pytest.raises(ValueError, match=f"at least {least} x {least}"):
            get_loss(name)(short, short)


def test_contrast_below_zero_counts_as_zero_and_has_finite_derivatives():
    target = torch.rand(65, 65, 1, generator=torch.Generator().manual_seed(0))
    image = (1 - target).requires_grad_()
    loss = ms_ssim(image, target, window=5)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(1)
    assert image.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_loses_the_mean_of_its_pictures_in_either_layout(name):
    size = LEAST.get(name, (21, 30))
    given = [pictures(*size, seed=seed) for seed in (0, 1)]
    image, target = (torch.tensor(np.stack(part)) for part in zip(*given, strict=True))
    loss = get_loss(name)
    expected = (loss(image[0], target[0]) + loss(image[1], target[1])) / 2
    assert torch.isclose(loss(image, target), expected)
    first = get_loss(name, channels="first")
    assert torch.isclose(first(image.movedim(-1, -3), target.movedim(-1, -3)), expected)
    assert torch.isclose(loss(image[None], target[None]), expected)


def test_autocast_and_half_precision_keep_the_digits_of_ssim():
    image, target = (torch.tensor(picture).float() for picture in pictures(40, 50))
    image = (target + 0.01 * (image - target)).requires_grad_()
    loss = get_loss("ssim")(image, target)
    (gradient,) = torch.autograd.grad(loss, image)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        other = get_loss("ssim")(image, target)
        (within,) = torch.autograd.grad(other, image)
    assert torch.equal(other, loss)
    assert torch.equal(within, gradient)
    half = get_loss("ssim")(image.detach().bfloat16(), target.bfloat16())
    assert half.dtype == torch.float32


def test_torch_func_differentiates_ssim():
    image, target = (torch.tensor(picture) for picture in pictures(13, 14, 1))
    direction = torch.ones_like(image)
    loss = partial(get_loss("ssim"), target=target)
    _, forward = torch.func.jvp(loss, (image,), (direction,))
    assert torch.isclose(forward, (torch.func.grad(loss)(image) * direction).sum())


def test_an_unknown_layout_is_refused():
    with pytest.raises(ValueError, match="channels: expected last or first"):
        get_loss("l2", channels="NCHW")
