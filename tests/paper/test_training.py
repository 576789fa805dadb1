import math
from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import nn
from torch_hosts import Examined, examine

from gaussianimage import metrics
from gaussianimage.errors import GaussianImageError
from gaussianimage.paper import training
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.training import recordable, train
from gaussianimage.torch import (
    BlendedModel,
    CholeskyModel,
    OpacityModel,
    ScaleRotationModel,
    SplattingModel,
)
from gaussianimage.torch.losses import LOSSES

SIZE = 20, 26
# Sides that losses of several scales need, in pixels.
LEAST = {"l1+ms-ssim": 161, "l1+ms-ssim-5": 65}
SHORT = Recipe(iterations=60, learning_rate=0.02, halve_every=24)


@pytest.fixture
def target():
    y, x = torch.meshgrid(
        torch.linspace(0, 3, SIZE[0]), torch.linspace(0, 4, SIZE[1]), indexing="ij"
    )
    return torch.stack([0.5 + 0.4 * torch.sin(x + k) * torch.cos(y) for k in range(3)], 2)


class Constant(nn.Module):
    """A picture of one color, whose training can be followed by hand."""

    def __init__(self, value):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(float(value)))

    def forward(self):
        return self.value.expand(*SIZE, 3)


@pytest.mark.parametrize(
    ("kind", "loop"),
    [
        (CholeskyModel, "native"),
        (ScaleRotationModel, "native"),
        (CholeskyModel, "torch"),
        (ScaleRotationModel, "torch"),
        (OpacityModel, "auto"),
        (BlendedModel, "auto"),
        (SplattingModel, "auto"),
    ],
)
def test_every_model_comes_closer_to_its_picture(kind, loop, target):
    model = kind.random(60, *SIZE)
    before = metrics.psnr(model().detach().clamp(0, 1).numpy(), target.numpy())
    result = train(model, target, SHORT, loop=loop)
    assert result.loop == ("native" if loop == "native" else "torch")
    after = metrics.psnr(model().detach().clamp(0, 1).numpy(), target.numpy())
    assert result.psnr == pytest.approx(after, abs=1e-4)
    assert result.history[0].psnr == pytest.approx(before, abs=1e-4)
    assert after > before + 1
    assert result.iterations == 60
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_falls(loss, target):
    if loss in LEAST:
        target = target.repeat(9, 7, 1)[: LEAST[loss], : LEAST[loss]]
    model = CholeskyModel.random(60, *target.shape[:2])
    losses = []
    for iterations in (40, 0):
        image = model().detach().clamp(0, 1)
        losses.append(float(LOSSES[loss](image, target)))
        train(model, target, Recipe(iterations=iterations, learning_rate=0.02, loss=loss))
    # Sixty Gaussians are few for the larger pictures.
    assert losses[1] < (1 if loss in LEAST else 0.7) * losses[0]


@pytest.mark.parametrize("kind", [CholeskyModel, SplattingModel])
@pytest.mark.parametrize("optimizer", ["adan", "adam"])
def test_the_same_start_gives_the_same_bits(kind, optimizer, target):
    recipe = Recipe(iterations=12, learning_rate=0.02, optimizer=optimizer)
    first, second = (kind.random(40, *SIZE, seed=3) for _ in range(2))
    results = [train(model, target, recipe) for model in (first, second)]
    assert results[0].psnr == results[1].psnr
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


# On a GPU an iteration is recorded; what a recording runs on a CPU is the same.


@pytest.mark.parametrize("halve_every", [24, 7, 1])
def test_a_recorded_run_does_what_a_plain_one_does(halve_every, target, monkeypatch):
    recipe = Recipe(iterations=430, learning_rate=0.02, halve_every=halve_every)
    plain, recorded = (CholeskyModel.random(20, *SIZE) for _ in range(2))
    expected = train(plain, target, recipe, loop="torch")
    monkeypatch.setattr(training, "recordable", lambda _: True)
    result = train(recorded, target, recipe, loop="torch")
    assert all(map(torch.equal, recorded.parameters(), plain.parameters()))
    course, wanted = ([(p.iteration, p.psnr) for p in r.history] for r in (result, expected))
    assert course == wanted


def test_a_recorded_run_is_over_when_its_time_is(target, monkeypatch):
    monkeypatch.setattr(training, "recordable", lambda _: True)
    for iterations, expected in ((1000, 1), (0, 0)):
        model = CholeskyModel.random(20, *SIZE)
        recipe = Recipe(iterations=iterations, seconds=1e-9)
        assert train(model, target, recipe, loop="torch").iterations == expected


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", training._RECORDABLE)
def test_what_is_recorded_neither_waits_for_the_device_nor_copies_from_the_host(
    kind, loss, monkeypatch
):
    examine(monkeypatch, training)
    size = (LEAST[loss],) * 2 if loss in LEAST else SIZE
    model = kind.random(20, *size).to("meta")
    with pytest.raises(Examined):
        train(model, torch.empty(*size, 3, device="meta"), Recipe(loss=loss))


def test_blending_is_not_recorded_nor_is_anything_on_a_cpu():
    assert not recordable(CholeskyModel.random(20, *SIZE))
    assert not {BlendedModel, SplattingModel} & set(training._RECORDABLE)


def test_a_model_without_parameters_is_refused(target):
    with pytest.raises(ValueError, match="empty parameter list"):
        train(nn.Identity(), target)


def test_steps_are_halved_as_the_recipe_says():
    # Far from the target each step of Adam is as long as the rate.
    model = Constant(1.0)
    recipe = Recipe(iterations=9, learning_rate=0.008, halve_every=3, optimizer="adam", loss="l1")
    train(model, torch.zeros(*SIZE, 3), recipe)
    expected = 1 - 3 * (0.008 + 0.004 + 0.002)
    assert model.value.item() == pytest.approx(expected, abs=1e-5)


def test_saturated_pixels_have_no_gradient():
    model = Constant(1.5)
    result = train(model, torch.full((*SIZE, 3), 0.5), Recipe(iterations=3))
    assert model.value.item() == 1.5
    assert result.psnr == pytest.approx(10 * math.log10(4))


@pytest.mark.parametrize("loop", ["native", "torch"])
def test_the_history_runs_from_the_start_to_the_end(loop, target):
    result = train(CholeskyModel.random(20, *SIZE), target, Recipe(iterations=450), loop=loop)
    iterations = [point.iteration for point in result.history]
    assert iterations == [*range(0, 450, 2), 450]
    assert result.history[-1].psnr == result.psnr
    assert result.history[-1].seconds == result.seconds
    seconds = [point.seconds for point in result.history]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("loop", ["native", "torch"])
def test_no_iterations_only_measure(loop, target):
    model = CholeskyModel.random(20, *SIZE)
    before = model().detach()
    result = train(model, target, Recipe(iterations=0), loop=loop)
    assert torch.equal(model(), before)
    assert (result.iterations, len(result.history)) == (0, 1)


@pytest.mark.parametrize("loop", ["native", "torch"])
def test_time_runs_out(loop, target):
    result = train(CholeskyModel.random(20, *SIZE), target, Recipe(seconds=1e-9), loop=loop)
    assert result.iterations == 1
    assert result.history[-1].iteration == 1


def test_whoever_waits_is_told_of_the_end(target):
    told = []
    result = train(
        CholeskyModel.random(20, *SIZE), target, Recipe(iterations=5), progress=told.append
    )
    assert told[-1] == result.history[-1]
    assert told[-1].iterations == 5


def test_an_exact_picture_is_infinitely_good():
    result = train(Constant(0.25), torch.full((*SIZE, 3), 0.25), Recipe(iterations=0))
    assert result.psnr == math.inf


def test_a_picture_that_is_no_longer_finite_ends_the_training():
    with pytest.raises(GaussianImageError, match="the training diverged within 0 iterations"):
        train(Constant(math.nan), torch.zeros(*SIZE, 3), Recipe(iterations=3))


@pytest.mark.parametrize("iterations", [0, 1])
def test_another_picture_than_the_models_is_refused(iterations):
    with pytest.raises(ValueError, match="target: expected shape"):
        train(Constant(1), torch.zeros(5, 5, 3), Recipe(iterations=iterations))
    with pytest.raises(TypeError, match="target: expected"):
        train(Constant(1), torch.zeros(*SIZE, 3).double(), Recipe(iterations=iterations))


class OnGpu(torch.nn.Module):
    """Stands in for a model on a GPU."""

    def parameters(self, recurse=True):
        yield SimpleNamespace(is_cuda=True, dtype=torch.float32)


def test_a_model_of_ones_own_is_recorded_or_says_that_it_is_not():
    class Known(OnGpu):
        recordable = True

    class Waits(OnGpu):
        recordable = False

    class Inherits(Known):
        pass

    class Sub(CholeskyModel):
        pass

    assert training.recordable(Known())
    assert not training.recordable(Waits())
    with pytest.warns(training.PerformanceWarning, match="Inherits is not recorded"):
        assert not training.recordable(Inherits())
    # On a CPU nothing is recorded, and there is nothing to say.
    assert not training.recordable(Sub.random(3, 8, 8))
