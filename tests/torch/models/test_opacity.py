import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage.torch import BlendedModel, CholeskyModel, OpacityModel, alpha_blend


@pytest.mark.parametrize("kind", [OpacityModel, BlendedModel])
def test_a_gaussian_has_nine_numbers(kind):
    model = kind.random(10, 20, 30)
    assert sum(parameter.numel() for parameter in model.parameters()) == 90


def test_a_sum_weighs_colors_by_opacity():
    model, plain = OpacityModel.random(40, 20, 30), CholeskyModel.random(40, 20, 30)
    assert torch.allclose(model(), plain() / 2)
    with torch.no_grad():
        model.opacities.fill_(torch.tensor(0.8).logit())
    assert torch.allclose(model(), plain() * 0.8, atol=1e-6)


def test_blending_is_over_white_and_in_the_order_of_indices():
    model = BlendedModel.random(40, 20, 30)
    means, cholesky, colors = CholeskyModel.random(40, 20, 30).physical()
    opacities = torch.full((40,), 0.5)
    image, passing = alpha_blend(means, cholesky, colors, opacities, 20, 30)
    assert torch.equal(model(), image + passing[..., None])
    assert model().min() < 0.9


@pytest.mark.parametrize("kind", [OpacityModel, BlendedModel])
def test_the_model_is_differentiable_in_all_parameters(kind):
    model = kind.random(3, 7, 9).double()

    def image(*values):
        names = dict(model.named_parameters())
        return torch.func.functional_call(model, dict(zip(names, values, strict=True)))

    leaves = [p.detach().clone().requires_grad_() for p in model.parameters()]
    assert torch.autograd.gradcheck(image, leaves)
