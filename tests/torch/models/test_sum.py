import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

import gaussianimage
from gaussianimage import Gaussians
from gaussianimage.torch import Canvas, CholeskyModel, RawParameters, ScaleRotationModel

MODELS = [CholeskyModel, ScaleRotationModel]


def raw_parameters(count=20, channels=3, seed=3, dtype=torch.float64):
    """Return parameters as training may leave them: any signs, any angle."""
    generator = torch.Generator().manual_seed(seed)
    columns = (2, 3, channels)
    return RawParameters(
        *(torch.randn(count, n, generator=generator, dtype=dtype) * 2 for n in columns)
    )


# The start --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "drawn"), [(CholeskyModel, [3]), (ScaleRotationModel, [2, 1])])
def test_the_start_has_the_random_numbers_of_the_authors_code(kind, drawn):
    model = kind.random(50, 20, 30, seed=7)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        means = torch.rand(50, 2)
        shape = torch.cat([torch.rand(50, n) for n in drawn], 1)
        colors = torch.rand(50, 3)
    assert torch.allclose(model.means.tanh(), 2 * means - 1, atol=1e-6)
    assert torch.equal(model.shape, shape)
    assert torch.equal(model.colors, colors)


@pytest.mark.parametrize("kind", MODELS)
def test_a_start_depends_on_its_seed_alone(kind):
    torch.manual_seed(0)
    first = kind.random(10, 20, 30)
    torch.manual_seed(1)
    second, other = kind.random(10, 20, 30), kind.random(10, 20, 30, seed=2)
    for a, b, c in zip(first.raw, second.raw, other.raw, strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


@pytest.mark.parametrize(("offset", "least", "most"), [(True, 0.5, 1.5), (False, 0.0, 1.0)])
def test_the_start_covers_the_picture_with_small_gaussians(offset, least, most):
    means, cholesky, colors = CholeskyModel.random(4000, 20, 30, offset=offset).physical()
    assert (means.amin(0) > 0).all()
    assert (means.amax(0) < torch.tensor([30, 20])).all()
    assert means.mean(0).tolist() == pytest.approx([15, 10], rel=0.05)
    for lengths in (cholesky[:, 0], cholesky[:, 2]):
        assert least <= lengths.min() < least + 0.01
        assert most - 0.01 < lengths.max() <= most
    assert colors.min() >= 0
    assert colors.max() <= 1


def test_no_center_starts_at_infinity(monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda *size, generator: torch.zeros(size))
    model = CholeskyModel.random(3, 20, 30)
    assert model.means.isfinite().all()
    model().sum().backward()
    assert model.means.grad.isfinite().all()


# What is drawn ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("offset", [True, False])
def test_the_picture_is_that_of_its_gaussians(kind, offset):
    raw = raw_parameters(dtype=torch.float32)
    model = kind(raw, Canvas(21, 34, shift=0.5), offset=offset)
    gaussians = model.gaussians()
    assert gaussians.q_max == math.log(255)
    assert (gaussians.height, gaussians.width) == (21, 34)
    np.testing.assert_allclose(model().detach(), gaussianimage.render(gaussians), atol=1e-4)


def test_cholesky_factors_are_shifted_on_the_diagonal():
    raw = raw_parameters()
    _, cholesky, colors = CholeskyModel(raw, Canvas(20, 30)).physical()
    assert torch.equal(cholesky, raw.shape + torch.tensor([0.5, 0.0, 0.5]))
    assert torch.equal(colors, raw.colors)
    assert torch.equal(
        CholeskyModel(raw, Canvas(20, 30), offset=False).physical().cholesky, raw.shape
    )


@pytest.mark.parametrize("offset", [0.5, 0.0])
def test_scales_and_angle_give_the_covariance(offset):
    raw = raw_parameters()
    model = ScaleRotationModel(raw, Canvas(20, 30), offset=bool(offset))
    expected = Gaussians.from_scale_rotation(
        np.zeros((20, 2)),
        np.abs(raw.shape[:, :2].numpy() + offset),
        2 * math.pi / (1 + np.exp(-raw.shape[:, 2].numpy())),
        np.zeros((20, 3)),
        20,
        30,
    )
    np.testing.assert_allclose(model.gaussians().covariance, expected.covariance, rtol=1e-9)


def test_centers_are_hyperbolic_tangents_over_the_picture_and_can_be_shifted():
    raw = raw_parameters()
    x, y = raw.means.tanh().unbind(1)
    expected = torch.stack([30 * (x + 1) / 2, 20 * (y + 1) / 2], 1)
    assert torch.allclose(CholeskyModel(raw, Canvas(20, 30)).physical().means, expected)
    shifted = CholeskyModel(raw, Canvas(20, 30, shift=0.5)).physical().means
    assert torch.allclose(shifted, expected + 0.5)


@pytest.mark.parametrize("kind", MODELS)
def test_what_is_drawn_is_differentiable_in_what_is_learned(kind):
    model = kind(raw_parameters(4), Canvas(20, 30))

    def physical(*raw):
        return tuple(model.physical(RawParameters(*raw)))

    assert torch.autograd.gradcheck(physical, tuple(model.raw))


@pytest.mark.parametrize("kind", MODELS)
def test_the_whole_model_is_differentiable(kind):
    model = kind(raw_parameters(3), Canvas(7, 9))

    def image(*raw):
        return model.draw(model.physical(RawParameters(*raw)))

    assert torch.autograd.gradcheck(image, tuple(model.raw))


def test_other_parameters_can_stand_in_for_the_models_own():
    model, other = CholeskyModel(raw_parameters(), Canvas(20, 30)), raw_parameters(seed=4)
    expected = CholeskyModel(other, Canvas(20, 30)).physical()
    for part, same in zip(model.physical(other), expected, strict=True):
        assert torch.equal(part, same)


def test_scales_of_zero_have_a_finite_gradient():
    raw = RawParameters(torch.zeros(1, 2), torch.tensor([[-0.5, -0.5, 0.0]]), torch.ones(1, 3))
    model = ScaleRotationModel(raw, Canvas(5, 5))
    model().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("channels", [1, 2, 7])
def test_any_number_of_channels_is_drawn(channels):
    model = CholeskyModel.random(9, 8, 6, channels=channels)
    assert model().shape == (8, 6, channels)


# As a module ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MODELS)
def test_a_gaussian_has_eight_numbers_and_the_state_holds_nothing_else(kind):
    model = kind.random(10, 20, 30)
    assert sum(parameter.numel() for parameter in model.parameters()) == 80
    assert sorted(model.state_dict()) == ["colors", "means", "shape"]
    copy = kind.random(10, 20, 30, seed=2)
    copy.load_state_dict(model.state_dict())
    assert torch.equal(copy(), model())


def test_a_model_is_converted_as_a_whole():
    model = ScaleRotationModel.random(4, 8, 9).double()
    assert model().dtype == torch.float64


def test_a_model_says_what_it_is():
    text = repr(CholeskyModel.random(10, 20, 30))
    assert "10 Gaussians of 3 channels" in text
    assert "height=20, width=30" in text


# Misuse -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"count": 0}, ValueError, "count: expected at least 1"),
        ({"count": 2.5}, TypeError, "count: expected an integer"),
        ({"channels": 0}, ValueError, "channels: expected at least 1"),
        ({"height": 0}, ValueError, "height: expected"),
        ({"width": 70000}, ValueError, "width: expected"),
        ({"seed": "1"}, TypeError, "seed: expected an integer"),
    ],
)
def test_a_start_out_of_range_is_refused(changes, error, message):
    arguments = {"count": 5, "height": 8, "width": 9} | changes
    with pytest.raises(error, match=message):
        CholeskyModel.random(**arguments)


@pytest.mark.parametrize("name", ["means", "shape", "colors"])
def test_parameters_of_a_wrong_shape_are_refused(name):
    raw = raw_parameters()
    wrong = raw._replace(**{name: getattr(raw, name)[..., None]})
    with pytest.raises(ValueError, match=f"raw: {name}: expected shape"):
        CholeskyModel(wrong, Canvas(8, 9))
    for odd in (getattr(raw, name).half(), getattr(raw, name).to_sparse(), None):
        with pytest.raises(TypeError, match=f"raw: {name}: expected"):
            CholeskyModel(raw._replace(**{name: odd}), Canvas(8, 9))


def test_a_canvas_out_of_range_is_refused():
    with pytest.raises(ValueError, match="q_max: expected"):
        Canvas(8, 9, q_max=0)


def test_more_than_four_channels_are_no_gaussians():
    with pytest.raises(ValueError, match="colors: expected"):
        CholeskyModel.random(3, 8, 9, channels=5).gaussians()
