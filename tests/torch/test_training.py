import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.training import train
from gaussianimage.torch import Adan, CholeskyModel, HalveRate, Strategy, Training


def target():
    y, x = torch.meshgrid(torch.linspace(0, 1, 12), torch.linspace(0, 1, 14), indexing="ij")
    return torch.stack([x, y, x * y], 2)


class Diary(Strategy):
    def __init__(self):
        self.calls = []

    def on_start(self, training):
        self.calls.append("start")

    def on_gradients(self, training):
        assert training.population["means"].grad is not None
        assert training.image.grad.shape == training.target.shape
        self.calls.append("gradients")

    def on_step(self, training):
        assert torch.equal(training.error, training.target - training.image.detach())
        self.calls.append(training.iteration)


def test_hooks_are_called_around_each_step_and_a_run_can_be_continued():
    model, diary = CholeskyModel.random(6, 12, 14), Diary()
    training = Training(model, target(), torch.optim.Adam(model.parameters(), lr=0.02), [diary])
    first = training.run(2)
    assert diary.calls == ["start", "gradients", 1, "gradients", 2]
    assert training.run(20) > first
    assert training.iteration == training.iterations == 22
    assert diary.calls.count("start") == 1


def test_without_strategies_it_is_the_papers_loop():
    recipe = Recipe(iterations=8, halve_every=4)
    model = CholeskyModel.random(6, 12, 14)
    expected = train(model, target(), recipe, loop="torch")
    other = CholeskyModel.random(6, 12, 14)
    optimizer = Adan(other.parameters(), lr=1e-3)
    psnr = Training(other, target(), optimizer, [HalveRate(4)], clamp=True).run(8)
    assert psnr == pytest.approx(expected.psnr, abs=1e-9)
    assert torch.equal(other.means, model.means)


def test_a_strategy_can_stop_and_change_the_number_of_gaussians():
    class GrowAndStop(Strategy):
        def on_step(self, training):
            count = len(training.population)
            training.population.prune(torch.arange(count) == 0)
            if training.iteration == 3:
                training.stop()

    model = CholeskyModel.random(6, 12, 14)
    training = Training(model, target(), torch.optim.Adam(model.parameters()), [GrowAndStop()])
    training.run(10)
    assert training.iteration == 3
    assert len(model.means) == 3


def test_a_loss_of_ones_own():
    model = CholeskyModel.random(6, 12, 14)

    def loss(image, wanted):
        return (image - wanted)[:6].abs().mean()

    training = Training(model, target(), torch.optim.Adam(model.parameters(), lr=0.02), loss=loss)
    training.run(1)
    assert not training.image.grad[6:].any()
    with pytest.raises(ValueError, match="loss: expected one of"):
        Training(model, target(), torch.optim.Adam(model.parameters()), loss="none")
