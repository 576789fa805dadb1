import pytest

pytest.importorskip("torch", reason="needs PyTorch")
pytest.importorskip("triton", reason="needs Triton")

import torch
from torch_device import DEVICE

from gaussianimage.torch.adan import Adan
from gaussianimage.torch.cuda.adan import BLOCK, AdanState, adan


@pytest.mark.parametrize("betas", [(0.98, 0.92, 0.99), (0.5, 0.0, 0.9)])
@pytest.mark.parametrize("count", [3, BLOCK + 7])
@pytest.mark.parametrize("stored", [False, True])
def test_it_takes_the_steps_of_the_optimizer(betas, count, stored):
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(count, generator=generator)
    gradients = torch.randn(6, count, generator=generator) * 10 ** torch.linspace(-6, 1, count)
    expected = torch.nn.Parameter(start.double())
    optimizer = Adan([expected], lr=0.03, betas=betas)

    parameter = start.to(DEVICE)
    zeros = [torch.zeros(count, device=DEVICE) for _ in range(3)]
    step = torch.zeros((), dtype=torch.float64, device=DEVICE)
    state = AdanState(*zeros, previous=gradients[0].to(DEVICE), step=step)
    rate = torch.tensor(0.03, device=DEVICE) if stored else 0.03
    for gradient in gradients:
        expected.grad = gradient.double()
        optimizer.step()
        step += 1
        adan(parameter, gradient.to(DEVICE), state, rate, betas, 1e-8)
    assert parameter.cpu() == pytest.approx(expected.detach(), rel=1e-4, abs=2e-5)
    for name in ("mean", "difference", "square", "previous"):
        want = optimizer.state[expected][name]
        assert getattr(state, name).cpu() == pytest.approx(want, rel=1e-4, abs=1e-7)


def test_nothing_to_change_is_fine():
    empty = torch.zeros(0, device=DEVICE)
    step = torch.ones((), dtype=torch.float64, device=DEVICE)
    adan(empty, empty, AdanState(empty, empty, empty, empty, step), 0.1, (0.9, 0.9, 0.9), 1e-8)
