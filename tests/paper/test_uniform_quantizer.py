"""Learned rounding: its values, and the gradients that LSQ gives it."""

import math

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import Tensor

from gaussianimage.paper.uniform_quantizer import LearnedUniformQuantizer, half_precision


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bits", [1, 6, 12])
def test_values_become_the_nearest_levels_of_their_column(bits: int) -> None:
    values = random(200, 3) * torch.tensor([1.0, 10.0, 0.1]) + torch.tensor([0.0, 50.0, -1.0])
    quantizer = LearnedUniformQuantizer(values, bits)
    found = quantizer(values).detach()
    steps = (values.amax(0) - values.amin(0)) / (2**bits - 1)
    assert ((found - values).abs() <= steps * 0.5001).all()
    for level, column in zip(found.T, values.T, strict=True):
        assert len(level.unique()) <= 2**bits
        assert level.min() == pytest.approx(float(column.min()), abs=1e-5)
        assert level.max() == pytest.approx(float(column.max()), abs=1e-5)


def test_what_is_out_of_range_becomes_its_end() -> None:
    quantizer = LearnedUniformQuantizer(torch.tensor([[0.0], [7.0]]), 3)
    values = torch.tensor([[-3.0], [0.4], [2.6], [6.9], [100.0]])
    assert quantizer(values).flatten().tolist() == pytest.approx([0, 0, 3, 7, 7])
    assert quantizer.indices(values).flatten().tolist() == [0, 0, 3, 7, 7]


def test_a_file_holds_the_same_levels() -> None:
    values = random(300, 3)
    quantizer = LearnedUniformQuantizer(values, 6)
    with torch.no_grad():
        quantizer.scale.mul_(-0.7)  # a sign means nothing
        quantizer.beta.add_(0.3)
    indices = quantizer.indices(values).numpy()
    stored = quantizer.stored()
    assert stored.bits == 6
    assert (stored.scale > 0).all()
    assert stored.dequantize(indices) == pytest.approx(quantizer(values).detach().numpy(), abs=1e-6)


@pytest.mark.parametrize("scaling", [False, True])
def test_gradients_are_those_of_lsq(scaling: bool) -> None:
    values = torch.tensor([[-1.0], [0.3], [2.6], [5.5], [9.0], [3.0]], requires_grad=True)
    quantizer = LearnedUniformQuantizer(
        torch.tensor([[0.0], [7.0]]).repeat(3, 1), 3, scaling=scaling
    )
    weights = torch.tensor([[1.0], [2.0], [4.0], [8.0], [16.0], [32.0]])
    (quantizer(values) * weights).sum().backward()
    # Of the step: the rounding error within the range, 0 and 7 beyond it.
    errors = torch.tensor([0, 0 - 0.3, 3 - 2.6, 6 - 5.5, 7, 0])
    factor = 1 / math.sqrt(6 * 7) if scaling else 1
    assert float(quantizer.scale.grad) == pytest.approx(  # type: ignore[arg-type]
        float((errors * weights.flatten()).sum()) * factor, rel=1e-5
    )
    # Of the offset: what lies beyond the range. Of a value: what lies within.
    assert float(quantizer.beta.grad) == pytest.approx(17 * factor)  # type: ignore[arg-type]
    assert values.grad is not None
    assert values.grad.flatten().tolist() == pytest.approx([0, 2, 4, 8, 0, 32])


def test_scaling_changes_gradients_and_no_values() -> None:
    values = random(50, 2)
    with_factor, without = (LearnedUniformQuantizer(values, 4, scaling=s) for s in (True, False))
    assert torch.allclose(with_factor(values), without(values), atol=1e-6)


def test_a_better_range_is_learned() -> None:
    values = torch.cat([random(500, 1), torch.tensor([[40.0]])])
    quantizer = LearnedUniformQuantizer(values, 4)
    optimizer = torch.optim.Adam(quantizer.parameters(), lr=0.02)

    def error() -> Tensor:
        # An absolute error, for which one value far out is not worth a coarse step.
        return (quantizer(values) - values).abs().mean()

    before = float(error().detach())
    for _ in range(300):
        optimizer.zero_grad()
        error().backward()
        optimizer.step()
    assert float(error().detach()) < 0.5 * before


def test_halves_are_those_of_ieee_with_the_gradient_passed_on() -> None:
    values = torch.tensor([0.1, -3.3333, 1e-9, 2049.0], requires_grad=True)
    halves = half_precision(values)
    assert torch.equal(halves, values.half().float())
    halves.backward(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert values.grad is not None
    assert values.grad.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("count", [1, 5])
def test_equal_values_are_quantized_too(count: int) -> None:
    values = torch.full((count, 2), 3.0)
    quantizer = LearnedUniformQuantizer(values, 6)
    assert torch.allclose(quantizer(values), values)
    quantizer(values).sum().backward()
    assert quantizer.scale.grad is not None
    assert quantizer.scale.grad.isfinite().all()


@pytest.mark.parametrize(
    ("shape", "bits", "message"),
    [((5, 3), 0, "bits: expected 1 to 12"), ((5, 3), 13, "bits"), ((0, 3), 6, "N from 1")],
)
def test_what_cannot_be_is_refused(shape: tuple[int, int], bits: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LearnedUniformQuantizer(torch.zeros(shape), bits)
