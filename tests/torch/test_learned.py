"""Drawing learned parameters by kernels that convert them, against `rasterize` on the CPU."""

import pytest

pytest.importorskip("torch", reason="needs PyTorch")
pytest.importorskip("triton", reason="needs Triton")

import torch
from torch.func import functional_call, grad, hessian, jvp, vmap
from torch_device import DEVICE

from gaussianimage.torch import Canvas, CholeskyModel, RawParameters
from gaussianimage.torch.cuda import tile_lists
from gaussianimage.torch.learned import converts

# PyTorch compiles a script of its own when it first differentiates forwards.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*torch.jit.script. is deprecated:DeprecationWarning"
)

SIZE = (12, 21)
NAMES = ("means", "shape", "colors")


def make_raw(count=7, channels=3, seed=4):
    generator = torch.Generator().manual_seed(seed)
    raw = [torch.randn(count, n, generator=generator) for n in (2, 3, channels)]
    raw[0][0] = torch.tensor([4.0, -7.0])  # where tanh is nearly 1
    return RawParameters(*raw)


def make_model(raw, device="cpu", shift=0.5):
    return CholeskyModel(raw, Canvas(*SIZE, shift=shift)).to(device)


def picture_of(model):
    def picture(*raw):
        return functional_call(model, dict(zip(NAMES, raw, strict=True)), ())

    return picture


def both(compute, request, *, raw=None):
    """Compute with `rasterize` in float32 on the CPU, and with the kernels."""
    results = []
    for kernels in (False, True):
        if kernels:
            request.getfixturevalue("on_kernels")
        model = make_model(make_raw() if raw is None else raw, DEVICE if kernels else "cpu")
        assert converts(model.means, model.colors, SIZE) == kernels
        found = compute(picture_of(model), tuple(t.detach() for t in model.raw))
        results.append([t.detach().cpu() for t in torch.utils._pytree.tree_leaves(found)])
    for expected, found in zip(*results, strict=True):
        assert torch.allclose(found, expected, rtol=2e-4, atol=3e-5 * expected.abs().max().item())


def weights(like):
    generator = torch.Generator().manual_seed(9)
    return torch.randn(like.shape, generator=generator).to(like.device)


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_picture_and_gradient_are_those_of_the_rasterizer(channels, request):
    def compute(picture, raw):
        leaves = [t.clone().requires_grad_() for t in raw]
        image = picture(*leaves)
        image.backward(weights(image))
        return image, [leaf.grad for leaf in leaves]

    both(compute, request, raw=make_raw(channels=channels))


@pytest.mark.usefixtures("on_kernels")
def test_more_entries_than_memory_are_drawn_in_parts(monkeypatch):
    results = []
    for most in (tile_lists.MOST_BYTES, 5 * (tile_lists.ENTRY_BYTES + 32)):
        monkeypatch.setattr(tile_lists, "MOST_BYTES", most)
        model = make_model(make_raw(), DEVICE)
        image = model()
        image.backward(weights(image))
        results.append([image, *(parameter.grad for parameter in model.parameters())])
    for whole, parts in zip(*results, strict=True):
        assert torch.allclose(whole, parts, rtol=1e-5, atol=1e-5)


def test_derivatives_of_second_order_exist(request):
    def compute(picture, raw):
        def loss(*tensors):
            return picture(*tensors).square().mean()

        leaves = [t.clone().requires_grad_() for t in raw]
        slopes = torch.autograd.grad(loss(*leaves), leaves, create_graph=True)
        penalty = sum(slope.square().sum() for slope in slopes)
        return torch.autograd.grad(penalty, leaves), hessian(loss)(*raw)

    both(compute, request, raw=make_raw(2, 1))


def test_forward_mode_exists(request):
    def compute(picture, raw):
        return jvp(picture, raw, tuple(map(weights, raw)))

    both(compute, request)


def test_vmap_draws_each_model_by_itself(request):
    def compute(picture, raw):
        several = [torch.stack([t, 0.5 * t]) for t in raw]

        def loss(*tensors):
            return picture(*tensors).square().mean()

        shared = vmap(picture, in_dims=(0, None, None))(several[0], *raw[1:])
        return vmap(picture)(*several), vmap(grad(loss, (0, 1, 2)))(*several), shared

    both(compute, request)


def test_several_gradients_are_taken_at_once(request):
    def compute(picture, raw):
        leaves = [t.clone().requires_grad_() for t in raw]
        image = picture(*leaves)
        R = torch.stack([weights(image), torch.ones_like(image)])
        return vmap(lambda one: torch.autograd.grad(image, leaves, one, retain_graph=True))(R)

    both(compute, request)


@pytest.mark.usefixtures("on_kernels")
def test_a_number_that_is_none_draws_nothing_and_has_no_gradient():
    raw = make_raw(3)
    raw.means[0, 1] = torch.nan
    raw.shape[1, 2] = torch.inf
    model, other = make_model(raw, DEVICE), make_model(RawParameters(*(t[2:] for t in raw)), DEVICE)
    image = model()
    image.sum().backward()
    assert torch.equal(image, other())
    for parameter in model.parameters():
        assert torch.equal(parameter.grad[:2], torch.zeros_like(parameter.grad[:2]))


@pytest.mark.usefixtures("on_kernels")
def test_a_subclass_converts_as_it_says():
    class Still(CholeskyModel):
        def centers(self, means):
            return 0 * means + self.middle

    model = Still(make_raw(1), Canvas(*SIZE)).to(DEVICE)
    peak = model().norm(dim=2).argmax().item()
    assert divmod(peak, SIZE[1])[0] in (SIZE[0] // 2 - 1, SIZE[0] // 2)


@pytest.mark.usefixtures("on_kernels")
def test_numbers_that_kernels_cannot_count_are_left_to_the_rasterizer():
    model = CholeskyModel(make_raw(1), Canvas(65536, 65536)).to(DEVICE)
    with pytest.raises(ValueError, match=r"are more than 2\^31 - 1 numbers"):
        model()
