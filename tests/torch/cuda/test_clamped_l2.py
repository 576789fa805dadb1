import math

import pytest

pytest.importorskip("torch", reason="needs PyTorch")
pytest.importorskip("triton", reason="needs Triton")

import torch
from torch_device import DEVICE

from gaussianimage.torch.cuda.clamped_l2 import BLOCK, clamped_l2


@pytest.mark.parametrize("count", [1, BLOCK + 5])
def test_it_is_the_derivative_that_pytorch_finds(count):
    generator = torch.Generator().manual_seed(3)
    image = torch.randn(count, generator=generator)
    image[:3] = torch.tensor([0.0, 1.0, -math.inf])[:count]
    target = torch.rand(count, generator=generator)
    shown, gradient = clamped_l2(image.to(DEVICE), target.to(DEVICE))
    exact = image.double().requires_grad_()
    (exact.clamp(0, 1) - target.double()).square().mean().backward()
    assert torch.equal(shown.cpu(), image.clamp(0, 1))
    assert torch.allclose(gradient.cpu().double(), exact.grad, rtol=1e-6, atol=1e-9 / count)


def test_a_picture_that_is_no_number_stays_so():
    image = torch.tensor([math.nan, math.inf, 0.5], device=DEVICE)
    shown, gradient = clamped_l2(image, torch.zeros(3, device=DEVICE))
    assert shown.cpu().tolist() == pytest.approx([math.nan, 1, 0.5], nan_ok=True)
    assert gradient.cpu().tolist() == pytest.approx([0, 0, 1 / 3])
