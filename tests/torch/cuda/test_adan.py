import copy

import pytest

pytest.importorskip("torch", reason="needs PyTorch")
pytest.importorskip("triton", reason="needs Triton")

import torch
from torch_device import DEVICE

from gaussianimage.torch.adan import Adan
from gaussianimage.torch.cuda.adan import BLOCK, MOST_TENSORS, AdanState, Moving, adan


def waiting():
    return torch.zeros((), dtype=torch.int32, device=DEVICE)


def moving(start, first):
    """Return a parameter before its first step."""
    parameter = start.to(DEVICE)
    zeros = [torch.zeros_like(parameter) for _ in range(3)]
    step = torch.zeros((), dtype=torch.float64, device=DEVICE)
    return Moving(parameter, first, AdanState(*zeros, previous=first.to(DEVICE), step=step))


@pytest.mark.parametrize("betas", [(0.98, 0.92, 0.99), (0.5, 0.0, 0.9)])
@pytest.mark.parametrize("counts", [(3,), (BLOCK + 7, 2, 0, BLOCK)])
@pytest.mark.parametrize("stored", [False, True])
def test_it_takes_the_steps_of_the_optimizer(betas, counts, stored):
    generator = torch.Generator().manual_seed(1)
    starts = [torch.randn(count, generator=generator) for count in counts]
    gradients = [
        torch.randn(6, count, generator=generator) * 10 ** torch.linspace(-6, 1, count)
        for count in counts
    ]
    expected = [torch.nn.Parameter(start.double()) for start in starts]
    optimizer = Adan(expected, lr=0.03, betas=betas)

    kept = [moving(start, run[0]) for start, run in zip(starts, gradients, strict=True)]
    wait = waiting()
    rate = torch.tensor(0.03, device=DEVICE) if stored else 0.03
    for k in range(6):
        for parameter, run in zip(expected, gradients, strict=True):
            parameter.grad = run[k].double()
        optimizer.step()
        now = [
            Moving(one.parameter, run[k].to(DEVICE), one.state)
            for one, run in zip(kept, gradients, strict=True)
        ]
        adan(now, wait, rate, betas, 1e-8)
        assert wait == 0
    for one, parameter in zip(kept, expected, strict=True):
        found = one.parameter.cpu()
        assert found == pytest.approx(parameter.detach(), rel=1e-4, abs=2e-5)
        assert one.state.step == 6
        for name in ("mean", "difference", "square", "previous"):
            want = optimizer.state[parameter][name]
            assert getattr(one.state, name).cpu() == pytest.approx(want, rel=1e-4, abs=1e-7)


def test_many_tensors_take_several_launches():
    ones = torch.ones(2, device=DEVICE)
    many = [moving(torch.zeros(2), ones) for _ in range(MOST_TENSORS + 2)]
    adan(many, waiting(), 0.1, (0.9, 0.9, 0.9), 1e-8)
    for one in many:
        assert one.parameter.tolist() == pytest.approx([-0.1, -0.1], rel=1e-4)
        assert one.state.step == 1


def test_nothing_to_change_is_fine():
    empty = moving(torch.zeros(0), torch.zeros(0, device=DEVICE))
    adan([empty], waiting(), 0.1, (0.9, 0.9, 0.9), 1e-8)
    assert empty.state.step == 1
    adan([], waiting(), 0.1, (0.9, 0.9, 0.9), 1e-8)


@pytest.mark.usefixtures("on_kernels")
def test_an_optimizer_and_its_copy_take_one_launch_for_each_group(monkeypatch):
    launched = []
    from gaussianimage.torch.cuda import adan as module

    def launch(moving, *arguments, launch=module._launch):
        launched.append(len(moving))
        launch(moving, *arguments)

    monkeypatch.setattr(module, "_launch", launch)
    parameters = [torch.nn.Parameter(torch.zeros(n, device=DEVICE)) for n in (3, 5, 2)]
    optimizer = Adan([{"params": parameters[:2]}, {"params": parameters[2:], "lr": 0.5}], lr=0.1)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert launched == [2, 1]
    assert [p[0].item() for p in parameters] == pytest.approx([-0.1, -0.1, -0.5], rel=1e-4)
    copied = copy.deepcopy(optimizer)
    for one in (optimizer, copied):
        for group in one.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.ones_like(parameter)
        one.step()
    for group, other in zip(optimizer.param_groups, copied.param_groups, strict=True):
        assert all(map(torch.equal, group["params"], other["params"]))
