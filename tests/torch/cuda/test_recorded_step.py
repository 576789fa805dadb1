import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch_device import DEVICE
from torch_scenes import random_tensors

from gaussianimage.torch import Adan, rasterize
from gaussianimage.torch.cuda import workspace
from gaussianimage.torch.cuda.recorded_step import RecordedStep

SIZE = (9, 20)


def training(make_optimizer=Adan):
    """Return parameters, their optimizer and an iteration of it that returns the loss before it."""
    inputs = random_tensors(3, (), 4, *SIZE, 3)
    parameters = [torch.nn.Parameter(t.to(DEVICE)) for t in inputs]
    target = torch.full((*SIZE, 3), 0.5, device=DEVICE)
    optimizer = make_optimizer(parameters, lr=torch.tensor(0.05, device=DEVICE))

    def step():
        optimizer.zero_grad()
        loss = (rasterize(*parameters, *SIZE) - target).square().mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return parameters, optimizer, step


def capturable_adam(parameters, lr):
    return torch.optim.Adam(parameters, lr=lr, capturable=DEVICE == "cuda")


@pytest.mark.parametrize("make_optimizer", [Adan, capturable_adam])
def test_a_recorded_step_does_what_the_step_does(make_optimizer):
    expected, _, step = training(make_optimizer)
    losses = [step() for _ in range(7)]
    parameters, optimizer, step = training(make_optimizer)
    recorded = RecordedStep(step, optimizer)
    assert recorded.run(0) is None
    assert torch.equal(recorded.run(1), losses[0])
    assert torch.equal(recorded.run(4), losses[4])
    assert torch.equal(recorded.run(2), losses[6])
    assert all(map(torch.equal, parameters, expected))


def test_a_changed_step_size_counts():
    expected, optimizer, step = training()
    for rate in (0.05, 0.01):
        optimizer.param_groups[0]["lr"].fill_(rate)
        for _ in range(3):
            step()
    parameters, optimizer, step = training()
    recorded = RecordedStep(step, optimizer)
    recorded.run(3)
    optimizer.param_groups[0]["lr"].fill_(0.01)
    recorded.run(3)
    assert all(map(torch.equal, parameters, expected))


@pytest.mark.usefixtures("on_kernels")
def test_rows_that_nothing_wrote_are_not_added(monkeypatch):
    new_empty = torch.Tensor.new_empty

    def poisoned(*given, **options):
        # Squares of such numbers overflow, which Triton's interpreter reports.
        made = new_empty(*given, **options)
        return made.fill_(1e30) if made.is_floating_point() else made

    monkeypatch.setattr(torch.Tensor, "new_empty", poisoned)
    _, optimizer, step = training()
    monkeypatch.setattr(workspace, "SPARE_ENTRIES", 0)
    monkeypatch.setattr(workspace, "SPARE", 0.2)
    recorded = RecordedStep(step, optimizer)
    recorded.run(1)
    monkeypatch.setattr(workspace, "SPARE", 1.0)
    recorded.run(3)


@pytest.mark.usefixtures("on_kernels")
def test_lists_that_outgrow_their_workspace_change_no_bit(monkeypatch):
    expected, _, step = training()
    losses = [step() for _ in range(4)]
    parameters, optimizer, step = training()
    monkeypatch.setattr(workspace, "SPARE_ENTRIES", 0)
    monkeypatch.setattr(workspace, "SPARE", 0.2)
    recorded = RecordedStep(step, optimizer)
    recorded.run(1)
    first = recorded._recording
    monkeypatch.setattr(workspace, "SPARE", 1.0)
    assert torch.equal(recorded.run(3), losses[3])
    assert recorded._recording is not first
    assert all(map(torch.equal, parameters, expected))


@pytest.mark.usefixtures("on_kernels")
def test_what_else_a_step_changes_is_put_back_when_it_is_repeated(monkeypatch):
    _, optimizer, step = training()
    steps = torch.zeros((), device=DEVICE)

    def counted():
        steps.add_(1)
        return step()

    monkeypatch.setattr(workspace, "SPARE_ENTRIES", 0)
    monkeypatch.setattr(workspace, "SPARE", 0.2)
    recorded = RecordedStep(counted, optimizer, also=[steps])
    recorded.run(1)
    first = recorded._recording
    monkeypatch.setattr(workspace, "SPARE", 1.0)
    recorded.run(3)
    assert recorded._recording is not first
    assert steps == 4
