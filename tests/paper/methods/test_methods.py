"""Each method for what its publication claims, on a small picture."""

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import numpy as np
import torch
from PIL import Image

from gaussianimage.errors import FormatError
from gaussianimage.paper.methods.gaussianimage_plus import (
    DistortionDrivenGrowth,
    PlusRecipe,
    fit_plus,
    low_pass,
)
from gaussianimage.paper.methods.image_gs import ImageGsRecipe, fit_image_gs, gradient_magnitude
from gaussianimage.paper.methods.layered import LayeredModel, LayeredRecipe, fit_layered
from gaussianimage.paper.methods.lig import LigRecipe, fit_lig
from gaussianimage.paper.methods.models import CovarianceModel
from gaussianimage.paper.methods.plus_codec import PlusQuantized, compress_plus, from_bytes
from gaussianimage.paper.methods.smart_splat import SmartRecipe, fit_smart, smart_start
from gaussianimage.torch import CholeskyModel, Training


@pytest.fixture(scope="module")
def target(request):
    path = request.config.rootpath / "tests/data/parrot.png"
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB").resize((48, 32))) / 255
    return torch.tensor(pixels, dtype=torch.float32)


def psnr(image, target):
    return float(-10 * (image.detach().clamp(0, 1) - target).square().mean().log10())


# -- GaussianImage++ ------------------------------------------------------------------------------


def test_growth_puts_gaussians_where_the_error_is(target):
    model = CovarianceModel(
        torch.tensor([[24.0, 16.0]]),
        torch.tensor([[400.0, 0, 200]]),
        target.mean((0, 1))[None],
        (32, 48),
    )
    corner = target.clone()
    corner[:8, :8] += 5
    recipe = PlusRecipe(iterations=10, grow_every=0.1, most_births=0.5)
    growth = DistortionDrivenGrowth(9, recipe)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    Training(model, corner, optimizer, [growth]).run(2)
    assert len(model.means) == 1 + round(9 * 0.5)
    assert (model.means[1:] < 8.5).all()
    # The filter of CAF is on the diagonal, and nothing off it.
    assert (model.shape[1:, [0, 2]] >= low_pass(5, (32, 48)) - 0.01).all()
    assert (model.shape[1:, 1].abs() < 0.01).all()


def test_what_is_no_covariance_is_pruned(target):
    shape = torch.tensor([[4.0, 0, 4], [4, 5, 4], [-1, 0, 4]])
    model = CovarianceModel(torch.full((3, 2), 9.0), shape, torch.ones(3, 3), (32, 48))
    growth = DistortionDrivenGrowth(3, PlusRecipe(iterations=10, prune_every=1))
    Training(model, target, torch.optim.Adam(model.parameters(), lr=1e-4), [growth]).run(1)
    assert len(model.means) == 1


def test_growth_and_filter_beat_the_same_gaussians_from_the_start(target):
    """The ablation of the publication: D3 with CAF against a plain random start."""
    recipe = PlusRecipe(iterations=200, learning_rate=0.2, grow_every=0.1)
    whole = fit_plus(target, 80, recipe)
    assert 70 < len(whole.means) <= 80
    generator = torch.Generator().manual_seed(1)
    means = torch.rand(80, 2, generator=generator) * torch.tensor([48, 32])
    shape = torch.rand(80, 3, generator=generator) * torch.tensor([1.0, 0, 1.0]) + torch.tensor(
        [0.5, 0, 0.5]
    )
    plain = CovarianceModel(means, shape, torch.zeros(80, 3), (32, 48))
    optimizer = torch.optim.Adam(plain.parameters(), lr=0.2, eps=1e-15)
    Training(plain, target, optimizer).run(200)
    assert psnr(whole(), target) > psnr(plain(), target) + 0.5


def test_its_codec_has_nine_bytes_a_gaussian_and_restores_the_picture(target):
    model = fit_plus(target, 60, PlusRecipe(iterations=100, learning_rate=0.1))
    rounded = psnr(PlusQuantized(model)(), target)
    data = compress_plus(model, target, 40, learning_rate=0.05)
    assert len(data) == 12 + 8 * 8 + 9 * len(model.means)
    restored = from_bytes(data)
    assert restored.size == (32, 48)
    assert psnr(restored(), target) > rounded
    for wrong in (data[:-1], data + b"0", data[:9]):
        with pytest.raises(FormatError, match=r"expected .* bytes"):
            from_bytes(wrong)


# -- LIG ------------------------------------------------------------------------------------------


def test_the_lower_level_is_small_and_the_upper_one_adds_to_it(target):
    model = fit_lig(target, 80, LigRecipe(iterations=160, learning_rate=0.1))
    assert model.lower.size == (16, 24)
    assert (len(model.lower.means), len(model.upper.means)) == (10, 70)
    lower = psnr(model() - model.upper(), target)
    assert psnr(model(), target) > lower + 1
    # What the upper level adds is a difference, of both signs.
    assert model.upper().min() < 0 < model.upper().max()


# -- Image-GS -------------------------------------------------------------------------------------


def test_image_gs_starts_at_edges_and_grows_to_n(target):
    model = fit_image_gs(target, 32, ImageGsRecipe(iterations=0))
    assert len(model.means) == 16
    strength = gradient_magnitude(target)
    places = (model.means.detach() * torch.tensor([48, 32])).long()
    assert strength[places[:, 1], places[:, 0]].mean() > strength.mean()
    # A mean of colors stays within their range, and every start color is the picture's.
    assert torch.allclose(model.colors, target[places[:, 1], places[:, 0]])
    begun = psnr(model(), target)
    grown = fit_image_gs(target, 32, ImageGsRecipe(iterations=30, speed=4))
    assert len(grown.means) == 32
    assert psnr(grown(), target) > begun + 1


# -- SmartSplat -----------------------------------------------------------------------------------


def test_smartsplat_starts_small_where_the_picture_varies(target):
    model = smart_start(target, 200)
    variational, spread = model.shape[:140, 0], model.shape[140:, 0]
    strength = gradient_magnitude(target)
    column, row = model.means.long().clamp_max(torch.tensor([47, 31])).unbind(1)
    there = strength[row, column]
    assert there[:140].mean() > there[140:].mean()
    busy = there[:140] > there[:140].median()
    assert variational[busy].mean() < variational[~busy].mean()
    assert spread.mean() > variational.mean()
    assert (model.colors >= 0).all()
    assert (model.colors <= 1).all()


def test_the_spread_part_keeps_apart(target):
    means = smart_start(target, 200).means.detach()
    others = torch.rand(60, 2, generator=torch.Generator().manual_seed(0))
    uniform = torch.cat([means[:140], others * torch.tensor([48, 32])])
    # The nearest one is the point itself.
    nearest = [
        torch.cdist(p[140:], p).topk(2, 1, largest=False).values[:, 1] for p in (means, uniform)
    ]
    assert nearest[0].mean() > 1.2 * nearest[1].mean()


def test_its_start_beats_a_uniform_one_after_the_same_iterations(target):
    results = [
        psnr(fit_smart(target, 100, SmartRecipe(iterations=15, smart=smart))(), target)
        for smart in (True, False)
    ]
    assert results[0] > results[1] + 0.3


# -- Layers ---------------------------------------------------------------------------------------


def test_each_layer_is_a_picture_by_itself(target):
    def layers(joint):
        recipe = LayeredRecipe(iterations=200, layers=3, learning_rate=0.05, joint=joint)
        return [psnr(picture, target) for picture in fit_layered(target, 90, recipe).pictures()]

    together, alone = layers(True), layers(False)
    assert together == sorted(together)
    assert together[0] > alone[0] + 3
    assert together[1] > alone[1] + 2
    assert together[2] > alone[2] - 4


def test_layers_need_gaussians():
    with pytest.raises(ValueError, match="layers: expected 1 to 3, got 4"):
        LayeredModel(CholeskyModel.random(3, 8, 8), 4)
