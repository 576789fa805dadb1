import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from implicit.methods import Settings, coordinates, draw, fit
from implicit.wire import Wire

from gaussianimage.metrics import psnr


def test_the_paper_s_network_has_the_paper_s_size():
    sizes = [(p.numel(), p.is_complex()) for p in Wire(212, 4, torch.Generator()).parameters()]
    assert sum(size for size, _ in sizes) == 136_743
    assert sum(size * (1 + twice) for size, twice in sizes) == 272_850


def test_it_comes_close_to_a_picture(pixels):
    places = coordinates(*pixels.shape[:2], torch.device("cpu"))
    target = torch.tensor(pixels).reshape(-1, 3) / 255
    network = Wire(32, 3, torch.Generator().manual_seed(5))
    before = psnr(pixels, draw(network, places).reshape(pixels.shape).numpy())
    fit(network, target, places, 5e-3, Settings(250, 512))
    assert before < 12
    assert psnr(pixels, draw(network, places).reshape(pixels.shape).numpy()) > 20
