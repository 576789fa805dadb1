import math

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage.paper.best import Best

BLACK = torch.zeros(2, 3, 3)


def test_the_state_of_the_closest_picture_is_kept():
    module = torch.nn.BatchNorm1d(2)  # with buffers, one of them an integer
    best = Best(module)
    assert best.psnr == -math.inf
    for number, error in enumerate([0.5, 0.1, 0.2, math.nan, 0.1]):
        with torch.no_grad():
            module.weight.fill_(number)
        module.num_batches_tracked.fill_(number)
        best.look(BLACK + error, BLACK)
    assert best.psnr == pytest.approx(20)
    best.restore()
    assert module.weight.tolist() == [1, 1]
    assert module.num_batches_tracked == 1


def test_an_exact_picture_is_infinitely_good():
    best = Best(torch.nn.Linear(1, 1))
    best.look(BLACK, BLACK)
    assert best.psnr == math.inf
