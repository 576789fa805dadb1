import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage.torch import alpha_blend
from gaussianimage.torch.models import blending_tiles

LEAST, MOST = 1 / 255, 0.999
NAMES = ["means", "cholesky", "colors", "opacities", "depths"]


def blended(means, cholesky, colors, opacities, height, width, depths=None):
    """Return the picture by the definition, one Gaussian after the other over all pixels."""
    x = torch.arange(width, dtype=means.dtype) + 0.5
    y = (torch.arange(height, dtype=means.dtype) + 0.5)[:, None]
    image = means.new_zeros(height, width, colors.shape[1])
    passing = means.new_ones(height, width)
    order = range(len(means)) if depths is None else depths.argsort(stable=True).tolist()
    for i in order:
        l11, l21, l22 = cholesky[i]
        u = ((x - means[i, 0]) / l11).expand(height, width)
        v = (y - means[i, 1] - l21 * u) / l22
        alpha = (opacities[i] * torch.exp(-(u * u + v * v) / 2)).clamp_max(MOST)
        alpha = torch.where(alpha > LEAST, alpha, 0.0)
        image = image + (alpha * passing)[..., None] * colors[i]
        passing = passing * (1 - alpha)
    return image, passing


def scene(seed, count, size, channels=3, most=1.2):
    """Return Gaussians of about 1 to 10 px and any sign, some more than opaque, in any order."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    means = (uniform(count, 2) * 1.4 - 0.2) * torch.tensor([size[1], size[0]])
    cholesky = (uniform(count, 3) * 9 + 1) * (uniform(count, 3) - 0.5).sign()
    colors = uniform(count, channels) * 2 - 1
    return means, cholesky, colors, uniform(count) * most, uniform(count)


def gradients(draw, inputs, size, depths, given):
    leaves = [tensor.detach().clone().requires_grad_() for tensor in inputs]
    image, passing = draw(*leaves, *size, depths=depths)
    ((image * given[..., :-1]).sum() + (passing * given[..., -1]).sum()).backward()
    return [image.detach(), passing.detach(), *(leaf.grad for leaf in leaves)]


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.integers(1, 20), st.integers(1, 30))
def test_picture_and_gradient_are_those_of_the_definition(seed, count, height, width):
    *inputs, depths = scene(seed, count, (height, width))
    given = torch.randn(height, width, 4, dtype=torch.float64)
    expected = gradients(blended, inputs, (height, width), depths, given) if count else None
    found = gradients(alpha_blend, inputs, (height, width), depths, given)
    if expected is None:
        assert not found[0].any()
        assert (found[1] == 1).all()
        return
    for part, exact in zip(found, expected, strict=True):
        assert torch.allclose(part, exact, rtol=1e-9, atol=1e-9 * (1 + exact.abs().max()))


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_float32_follows_float64_for_any_number_of_channels(channels):
    size = 40, 52
    *inputs, depths = scene(4, 80, size, channels)
    given = torch.randn(*size, channels + 1, dtype=torch.float64)
    expected = gradients(alpha_blend, inputs, size, depths, given)
    single = [tensor.float() for tensor in inputs]
    found = gradients(alpha_blend, single, size, depths.float(), given.float())
    for part, exact in zip(found, expected, strict=True):
        assert part.dtype == torch.float32
        # At the cut-off rounding decides about α = 1/255.
        close = (part - exact).abs() <= 1e-4 * exact.abs().max()
        assert close.double().mean() > 0.999


def test_gradients_are_the_derivatives():
    *inputs, depths = scene(2, 4, (9, 11), most=0.9)
    leaves = [tensor.requires_grad_() for tensor in inputs]
    assert torch.autograd.gradcheck(
        lambda *parts: alpha_blend(*parts, 9, 11, depths=depths), leaves, eps=1e-7
    )


def test_what_is_in_front_hides_what_is_behind():
    means = torch.full((2, 2), 4.0)
    cholesky = torch.tensor([[1e5, 0.0, 1e5]]).repeat(2, 1)
    colors, opacities = torch.eye(2), torch.tensor([0.75, 0.5])
    front, passing = alpha_blend(means, cholesky, colors, opacities, 8, 8)
    assert front[3, 3].tolist() == pytest.approx([0.75, 0.125])
    assert passing[3, 3].item() == pytest.approx(0.125)
    depths = torch.tensor([2.0, 1.0])
    behind, _ = alpha_blend(means, cholesky, colors, opacities, 8, 8, depths=depths)
    assert behind[3, 3].tolist() == pytest.approx([0.375, 0.5])


def test_nothing_is_quite_opaque():
    means, cholesky = torch.full((1, 2), 4.5), torch.tensor([[5.0, 0.0, 5.0]])
    opacities = torch.tensor([3.0], requires_grad=True)
    image, passing = alpha_blend(means, cholesky, torch.ones(1, 1), opacities, 9, 9)
    assert image.max().item() == pytest.approx(MOST)
    assert passing.min().item() == pytest.approx(1 - MOST, rel=1e-4)
    image[4, 4].sum().backward()
    assert opacities.grad.item() == 0


@pytest.mark.parametrize(
    ("name", "poison"),
    [
        *((name, value) for name in NAMES[:4] for value in (math.nan, math.inf, -math.inf)),
        ("means", 1e30),
        ("cholesky", 1e30),
        ("cholesky", 0.0),
        ("opacities", 0.0),
        ("opacities", -1.0),
    ],
)
def test_what_cannot_be_drawn_leaves_no_trace(name, poison):
    *inputs, depths = scene(6, 12, (16, 16))
    given = torch.randn(16, 16, 4, dtype=torch.float64)
    inputs[NAMES.index(name)][5] = poison
    found = gradients(alpha_blend, inputs, (16, 16), depths, given)
    *rest, depths = (torch.cat([tensor[:5], tensor[6:]]) for tensor in (*inputs, depths))
    expected = gradients(alpha_blend, rest, (16, 16), depths, given)
    for part, exact in zip(found[:2], expected[:2], strict=True):
        assert torch.allclose(part, exact)
    for part, exact in zip(found[2:], expected[2:], strict=True):
        assert not part[5].any()
        assert torch.allclose(torch.cat([part[:5], part[6:]]), exact)


def test_batches_do_not_show(monkeypatch):
    size = 37, 50
    *inputs, depths = scene(8, 60, size)
    given = torch.randn(*size, 4, dtype=torch.float64)
    expected = gradients(alpha_blend, inputs, size, depths, given)
    monkeypatch.setattr(blending_tiles, "_BUFFER", 64 * 30)
    monkeypatch.setattr(blending_tiles, "_PAIRS", 50)
    found = gradients(alpha_blend, inputs, size, depths, given)
    for part, exact in zip(found, expected, strict=True):
        assert torch.allclose(part, exact, rtol=1e-10, atol=1e-10)


def test_the_same_input_gives_the_same_bits():
    *inputs, depths = scene(9, 60, (37, 50))
    inputs = [tensor.float() for tensor in inputs]
    given = torch.randn(37, 50, 4)
    first, second = (
        gradients(alpha_blend, inputs, (37, 50), depths.float(), given) for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_tensors_of_a_wrong_kind_are_refused(name):
    arguments = dict(zip(NAMES, scene(1, 5, (8, 8)), strict=True))
    with pytest.raises(ValueError, match=f"{name}: expected shape"):
        alpha_blend(**arguments | {name: arguments[name][..., None]}, height=8, width=8)
    with pytest.raises(TypeError, match=r": expected (torch\.)?float"):
        alpha_blend(**arguments | {name: arguments[name].half()}, height=8, width=8)
    with pytest.raises(TypeError, match=f"{name}: expected a dense tensor"):
        alpha_blend(**arguments | {name: arguments[name].to_sparse()}, height=8, width=8)
    with pytest.raises(ValueError, match=": expected a tensor on"):
        alpha_blend(**arguments | {name: arguments[name].to("meta")}, height=8, width=8)


def test_a_picture_of_no_size_is_refused():
    *inputs, _ = scene(1, 5, (8, 8))
    with pytest.raises(ValueError, match="height: expected"):
        alpha_blend(*inputs, 0, 8)


def test_a_background_is_seen_through_what_is_transparent():
    generator = torch.Generator().manual_seed(0)
    means = torch.rand(5, 2, generator=generator) * 12
    cholesky = torch.tensor([2.0, 0.5, 1.5]).repeat(5, 1)
    colors, opacities = torch.rand(5, 3, generator=generator), torch.full((5,), 0.6)
    plain, transmittance = alpha_blend(means, cholesky, colors, opacities, 12, 14)
    behind = torch.tensor([0.2, 0.4, 0.9], requires_grad=True)
    image, _ = alpha_blend(means, cholesky, colors, opacities, 12, 14, background=behind)
    assert torch.equal(image, plain + transmittance[..., None] * behind)
    image.sum().backward()
    assert torch.allclose(behind.grad, transmittance.sum().expand(3))
    with pytest.raises(ValueError, match=r"background: expected shape \(3,\)"):
        alpha_blend(means, cholesky, colors, opacities, 12, 14, background=torch.ones(4))
