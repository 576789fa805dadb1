import copy

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage.torch import Adan

BETAS = (0.98, 0.92, 0.99)


def transcribed(start, gradients, rates, betas=BETAS, eps=1e-8):
    """Apply the published rule to one number after the other."""
    b1, b2, b3 = betas
    theta, m, v, n = start.copy(), 0.0, 0.0, 0.0
    before = gradients[0]
    for k, (g, rate) in enumerate(zip(gradients, rates, strict=True), 1):
        d = g - before
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * d
        n = b3 * n + (1 - b3) * (g + b2 * d) ** 2
        m_hat, v_hat, n_hat = m / (1 - b1**k), v / (1 - b2**k), n / (1 - b3**k)
        theta = theta - rate * (m_hat + b2 * v_hat) / (np.sqrt(n_hat) + eps)
        before = g
    return theta


def steps(parameter, optimizer, gradients):
    for gradient in gradients:
        parameter.grad = torch.as_tensor(gradient, dtype=parameter.dtype)
        optimizer.step()


@pytest.fixture
def run():
    rng = np.random.default_rng(5)
    # From 1e-6 to 10, where the floor of the denominator does and doesn't matter.
    return rng.normal(size=8), rng.normal(size=(40, 8)) * 10.0 ** np.arange(-6, 2)


@pytest.mark.parametrize("betas", [BETAS, (0.5, 0.0, 0.9), (0.0, 0.9, 0.0)])
def test_steps_are_those_of_the_published_rule(run, betas):
    start, gradients = run
    parameter = torch.tensor(start, requires_grad=True)
    steps(parameter, Adan([parameter], lr=0.01, betas=betas, eps=1e-4), gradients)
    expected = transcribed(start, gradients, [0.01] * 40, betas, 1e-4)
    np.testing.assert_allclose(parameter.detach(), expected, rtol=1e-12)


def test_a_schedule_changes_the_rate(run):
    start, gradients = run
    parameter = torch.tensor(start, requires_grad=True)
    optimizer = Adan([parameter], lr=0.01)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 10, gamma=0.5)
    for gradient in gradients:
        steps(parameter, optimizer, [gradient])
        schedule.step()
    rates = [0.01 * 0.5 ** (k // 10) for k in range(40)]
    np.testing.assert_allclose(parameter.detach(), transcribed(start, gradients, rates), rtol=1e-12)


def test_the_first_step_is_as_long_as_the_rate():
    parameter = torch.zeros(3, requires_grad=True)
    steps(parameter, Adan([parameter], lr=0.25), [[3.0, -1e-3, 50.0]])
    assert parameter.tolist() == pytest.approx([-0.25, 0.25, -0.25], rel=1e-4)


def test_float32_parameters_follow_float64_and_stay_float32(run):
    start, gradients = run
    parameter = torch.tensor(start, dtype=torch.float32, requires_grad=True)
    steps(parameter, Adan([parameter], lr=0.01), gradients)
    assert parameter.dtype == torch.float32
    expected = transcribed(start, gradients, [0.01] * 40)
    np.testing.assert_allclose(parameter.detach(), expected, atol=2e-5)


def test_a_rate_in_a_tensor_can_be_changed_in_place(run):
    start, gradients = run
    parameter = torch.tensor(start, requires_grad=True)
    rate = torch.tensor(0.01, dtype=torch.float64)
    optimizer = Adan([parameter], lr=rate)
    steps(parameter, optimizer, gradients[:20])
    rate.fill_(0.003)
    steps(parameter, optimizer, gradients[20:])
    expected = transcribed(start, gradients, [0.01] * 20 + [0.003] * 20)
    np.testing.assert_allclose(parameter.detach(), expected, rtol=1e-12)


def test_a_saved_state_goes_on_with_the_same_bits(run):
    start, gradients = run
    parameter = torch.tensor(start, requires_grad=True)
    optimizer = Adan([parameter])
    steps(parameter, optimizer, gradients[:7])
    other = parameter.detach().clone().requires_grad_()
    resumed = Adan([other])
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    steps(parameter, optimizer, gradients[7:])
    steps(other, resumed, gradients[7:])
    assert torch.equal(parameter, other)


def test_a_parameter_without_a_gradient_is_left_alone():
    moved, left = (torch.ones(2, requires_grad=True) for _ in range(2))
    optimizer = Adan([moved, left])
    moved.grad = torch.ones(2)
    optimizer.step()
    assert torch.equal(left, torch.ones(2))
    assert not torch.equal(moved, left)


def test_a_closure_gives_loss_and_gradient():
    parameter = torch.tensor([2.0], requires_grad=True)
    optimizer = Adan([parameter], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = parameter.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure) == 4
    assert optimizer.step() is None
    assert parameter.item() < 1.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -1e-3}, "lr: expected"),
        ({"betas": (0.9, 1.0, 0.9)}, "betas: expected"),
        ({"eps": -1.0}, "eps: expected"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Adan([torch.zeros(1, requires_grad=True)], **options)
