"""Derivatives of `rasterize` beyond `backward`: forward mode, second ones, and torch.func."""

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vmap
from torch_device import DEVICE
from torch_scenes import doubles, random_tensors

from gaussianimage.torch import CholeskyModel, pairs, rasterize

ALL = (0, 1, 2)

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*torch.jit.script. is deprecated:DeprecationWarning"
)


def scene(batch=(), count=3, channels=2):
    """Gaussians in float64, and their picture of 5 x 6 pixels as a function."""
    inputs = doubles(random_tensors(3, batch, count, 5, 6, channels))
    return inputs, lambda *tensors: rasterize(*tensors, 5, 6, q_max=64.0)


def test_gradcheck_in_both_modes_and_twice():
    inputs, picture = scene((2,), count=2, channels=1)
    leaves = [t.requires_grad_() for t in inputs]
    assert torch.autograd.gradcheck(picture, leaves, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(picture, leaves, check_fwd_over_rev=True, fast_mode=True)


def test_forward_and_reverse_jacobians_agree():
    inputs, picture = scene()
    forward, reverse = jacfwd(picture, ALL)(*inputs), jacrev(picture, ALL)(*inputs)
    for one, other in zip(forward, reverse, strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-14)
        assert other.any()


def test_hessians_agree_forward_over_reverse_and_reverse_over_reverse():
    inputs, picture = scene()

    def loss(*tensors):
        return picture(*tensors).pow(3).sum()

    for one, other in zip(
        hessian(loss, ALL)(*inputs), jacrev(jacrev(loss, ALL), ALL)(*inputs), strict=True
    ):
        for a, b in zip(one, other, strict=True):
            assert torch.allclose(a, b, rtol=1e-10, atol=1e-12)


def test_the_tangent_of_float32_is_that_of_float64_and_not_zero():
    inputs, picture = scene()
    directions = tuple(torch.ones_like(t) for t in inputs)
    expected = jvp(picture, inputs, directions)[1]
    halves = [tuple(t.float() for t in part) for part in (inputs, directions)]
    image, tangent = jvp(picture, *halves)
    assert tangent.dtype == torch.float32
    assert torch.equal(image, picture(*halves[0]))
    assert torch.allclose(tangent.double(), expected, rtol=1e-4, atol=1e-5)
    assert expected.abs().max() > 0.1


@pytest.mark.usefixtures("on_kernels")
def test_the_kernels_have_all_derivatives_too():
    inputs = [t.to(DEVICE) for t in random_tensors(3, (), 3, 5, 6, 2)]
    exact = [t.double() for t in inputs]

    def loss(*tensors):
        return rasterize(*tensors, 5, 6, q_max=64.0).square().sum()

    for derivative in (grad(loss, ALL), lambda *t: jvp(loss, t, tuple(map(torch.ones_like, t)))):
        for got, want in zip(derivative(*inputs), derivative(*exact), strict=True):
            assert torch.allclose(got.double(), want, rtol=1e-3, atol=1e-4)


def test_vmap_draws_each_picture_by_itself():
    inputs, picture = scene((3,))
    whole = vmap(picture)(*inputs)
    assert torch.equal(whole, torch.stack([picture(*(t[b] for t in inputs)) for b in range(3)]))
    means, cholesky, colors = inputs
    shared = vmap(picture, in_dims=(None, None, 2), out_dims=3)(
        means[0], cholesky[0], torch.stack([colors[0], 2 * colors[0]], 2)
    )
    assert torch.equal(shared[..., 1], picture(means[0], cholesky[0], 2 * colors[0]))

    def loss(*tensors):
        return picture(*tensors).square().sum()

    each = vmap(grad(loss))(*inputs)
    for b in range(3):
        assert torch.allclose(each[b], grad(loss)(*(t[b] for t in inputs)))


def test_torch_func_takes_a_model():
    model = CholeskyModel.random(4, 6, 7).double()
    parameters = dict(model.named_parameters())
    gradients = grad(lambda p: functional_call(model, p, ()).square().sum())(parameters)
    model().square().sum().backward()
    for name, parameter in parameters.items():
        assert torch.allclose(gradients[name], parameter.grad)


def test_a_penalty_on_the_gradient_can_be_trained():
    inputs, picture = scene()
    leaves = [t.requires_grad_() for t in inputs]
    first = torch.autograd.grad(picture(*leaves).square().sum(), leaves, create_graph=True)
    sum(part.square().sum() for part in first).backward()
    assert all(leaf.grad.isfinite().all() and leaf.grad.any() for leaf in leaves)


def test_what_has_no_derivative_says_so():
    inputs, picture = scene()

    def loss(*tensors):
        return picture(*tensors).pow(3).sum()

    with pytest.raises(NotImplementedError, match="third derivatives"):
        jacrev(jacrev(jacrev(loss)))(*inputs)
    with pytest.raises(NotImplementedError, match="forward mode within forward mode"):
        jvp(lambda *t: jvp(picture, t, inputs)[1], inputs, inputs)


def test_chunks_of_pairs_do_not_change_the_derivatives(monkeypatch):
    inputs, _ = scene((2,), count=5)
    directions = [torch.ones_like(t) for t in inputs]
    gradient = torch.ones(2, 5, 6, 2, dtype=torch.float64)

    def results():
        return [
            pairs.tangent(*inputs, directions, 5, 6, 64.0),
            *pairs.curvature(*inputs, gradient, directions, 64.0),
            pairs.absolute_gradient(*inputs, gradient, 64.0),
        ]

    whole = results()
    monkeypatch.setattr(pairs, "CHUNK", 40)
    for got, want in zip(results(), whole, strict=True):
        assert torch.allclose(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("value", [float("nan"), 0.0, 1e13])
def test_a_gaussian_that_is_not_drawn_has_no_second_derivative(value):
    (means, cholesky, colors), picture = scene()
    cholesky[1, 0] = value
    leaves = [t.clone().requires_grad_() for t in (means, cholesky, colors)]
    first = torch.autograd.grad(picture(*leaves).square().sum(), leaves, create_graph=True)
    parts = torch.autograd.grad(sum(part[0].sum() for part in first), leaves)
    for part in parts:
        assert part.isfinite().all()
        assert not part[1].any()


# -- Precision, batches and backgrounds -----------------------------------------------------------


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_is_drawn_in_float32(kind):
    inputs = random_tensors(1, (), 5, 9, 11, 3)
    halves = [t.to(kind).requires_grad_() for t in inputs]
    image = rasterize(*halves, 9, 11)
    assert torch.equal(image, rasterize(*(t.detach().float() for t in halves), 9, 11))
    image.sum().backward()
    assert [t.grad.dtype for t in halves] == [kind] * 3
    means, cholesky, colors = inputs
    mixed = rasterize(means, cholesky, colors.to(kind), 9, 11)
    assert torch.equal(mixed, rasterize(means, cholesky, colors.to(kind).float(), 9, 11))


def test_autocast_changes_nothing():
    network = torch.nn.Linear(4, 3)
    means, cholesky, _ = random_tensors(1, (), 5, 9, 11, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        colors = network(torch.ones(5, 4))
        assert colors.dtype == torch.bfloat16
        image = rasterize(means, cholesky, colors, 9, 11)
    assert torch.equal(image, rasterize(means, cholesky, colors.float(), 9, 11))
    image.sum().backward()
    assert network.weight.grad.any()


def test_any_number_of_leading_dimensions():
    inputs = random_tensors(1, (2, 3), 4, 9, 11, 3)
    image = rasterize(*inputs, 9, 11)
    assert image.shape == (2, 3, 9, 11, 3)
    assert torch.equal(image[1, 2], rasterize(*(t[1, 2] for t in inputs), 9, 11))
    empty = rasterize(*(t[:, :0] for t in inputs), 9, 11)
    assert empty.shape == (2, 0, 9, 11, 3)


def test_a_background_is_added_and_differentiated():
    inputs = random_tensors(1, (2,), 4, 9, 11, 3)
    plain = rasterize(*inputs, 9, 11)
    one = torch.tensor([0.5, 0.25, -1.0], requires_grad=True)
    image = rasterize(*inputs, 9, 11, background=one)
    assert torch.equal(image, plain + one)
    image.sum().backward()
    assert torch.equal(one.grad, torch.full((3,), 2.0 * 9 * 11))
    each = torch.stack([one.detach(), -one.detach()])
    assert torch.equal(rasterize(*inputs, 9, 11, background=each)[1], plain[1] - one.detach())
