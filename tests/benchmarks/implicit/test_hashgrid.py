import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from implicit.hashgrid import HashGrid, _interpolated
from implicit.methods import METHODS, Settings, coordinates, draw, fit

from gaussianimage.metrics import psnr


@pytest.mark.parametrize(
    ("size", "published"), [((512, 768), 300_090), ((768, 1020), 525_400)], ids=["kodak", "div2k"]
)
def test_the_networks_are_about_as_large_as_the_paper_s(size, published):
    network = METHODS["ingp"].make(*size, torch.Generator())
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == pytest.approx(published, rel=0.03)


def test_features_are_interpolated_between_grid_points():
    table = torch.arange(9.0)[:, None].repeat(1, 2)  # 3 x 3 points of a grid of 2 x 2 cells
    unit = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.25, 0.0], [0.5, 0.25]])
    values = _interpolated(table, 2, unit)[:, 0]
    assert values.tolist() == pytest.approx([0, 8, 0.5, 2.5])


def test_points_share_the_places_of_a_small_table():
    table = torch.arange(8.0)[:, None].repeat(1, 2)
    unit = torch.rand(200, 2, generator=torch.Generator().manual_seed(1))
    corners = (unit * 50).floor() / 50 + 1e-7  # where one point has all the weight
    values = _interpolated(table, 50, corners)[:, 0]
    assert sorted(set(values.round().int().tolist())) == list(range(8))


def test_it_comes_close_to_a_picture(pixels):
    places = coordinates(*pixels.shape[:2], torch.device("cpu"))
    target = torch.tensor(pixels).reshape(-1, 3) / 255
    network = HashGrid(48, 1024, torch.Generator().manual_seed(5), levels=6)
    before = psnr(pixels, draw(network, places).reshape(pixels.shape).numpy())
    fit(network, target, places, 1e-2, Settings(150, 512))
    assert before < 12
    assert psnr(pixels, draw(network, places).reshape(pixels.shape).numpy()) > 30
