import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import nn

from gaussianimage.torch import Adan, CholeskyModel, Population

ADAM = torch.optim.Adam


def trained(kind=ADAM, count=5):
    """A model after two steps, and its population."""
    model = CholeskyModel.random(count, 8, 9)
    optimizer = kind(model.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        model().square().sum().backward()
        optimizer.step()
    return model, Population(model, optimizer)


def moments(population, name):
    state = population.optimizer.state[population[name]]
    return {key: value for key, value in state.items() if value.ndim}


def rows(count):
    return {
        "means": torch.ones(count, 2),
        "shape": torch.ones(count, 3),
        "colors": torch.zeros(count, 3),
    }


@pytest.mark.parametrize("kind", [ADAM, Adan])
def test_state_follows_the_rows_that_stay(kind):
    model, population = trained(kind)
    before = {
        name: {k: v.clone() for k, v in moments(population, name).items()} for name in rows(1)
    }
    values = {name: population[name].detach().clone() for name in before}
    population.prune(torch.tensor([False, True, False, False, True]))
    kept = [0, 2, 3]
    population.add(rows(2))
    assert len(population) == len(model.means) == 5
    for name, state in before.items():
        assert torch.equal(population[name][:3], values[name][kept])
        for key, value in moments(population, name).items():
            assert torch.equal(value[:3], state[key][kept])
            assert value[:3].any()
            assert not value[3:].any()
    assert population.optimizer.state[model.means]["step"] == 2


def test_pruning_what_draws_nothing_does_not_change_the_training():
    """A Gaussian outside of the picture leaves no trace: the others go on as if it had not been."""
    results = []
    for prune in (False, True):
        model, population = trained()
        with torch.no_grad():
            model.colors[2] = 0
            model.shape[2] = -0.5
        if prune:
            population.prune(torch.arange(5) == 2)
        for _ in range(3):
            population.optimizer.zero_grad()
            model().square().sum().backward()
            population.optimizer.step()
        keep = torch.arange(5) != 2 if not prune else slice(None)
        results.append(model.means.detach()[keep])
    assert torch.equal(*results)


def test_split_replaces_parents_by_copies_with_their_state():
    model, population = trained()
    parents = moments(population, "means")["exp_avg"][[1, 3]].clone()
    colors = model.colors.detach()[[1, 3]].clone()
    stay = model.means.detach()[[0, 2, 4]].clone()
    population.split(torch.tensor([1, 3]), {"means": torch.arange(8.0).view(4, 2)})
    assert len(model.means) == 7
    assert torch.equal(model.means[:3], stay)
    assert torch.equal(model.means[3:], torch.arange(8.0).view(4, 2))
    assert torch.equal(model.colors[3:], colors.repeat(2, 1))
    assert torch.equal(moments(population, "means")["exp_avg"][3:], parents.repeat(2, 1))


def test_the_optimizer_trains_what_was_added():
    model, population = trained()
    population.add(rows(1))
    before = model.colors.detach().clone()
    population.optimizer.zero_grad()
    (model() - 1).square().sum().backward()
    population.optimizer.step()
    assert (model.colors[-1] != before[-1]).any()


def test_parts_of_a_larger_module_and_groups():
    model = nn.ModuleDict({"inner": CholeskyModel.random(4, 8, 9), "other": nn.Linear(2, 3)})
    inner = model["inner"]
    groups = [
        {"params": [inner.means], "lr": 1.0},
        {"params": [inner.colors, *model["other"].parameters()]},
    ]
    optimizer = ADAM(groups, lr=0.1)
    population = Population(model, optimizer, ["inner.means", "inner.colors"])
    population.prune(torch.tensor([True, False, False, False]))
    assert [len(group["params"]) for group in optimizer.param_groups] == [1, 3]
    assert optimizer.param_groups[0]["params"][0] is inner.means
    assert inner.means.shape == (3, 2)
    population.reset_state()


def test_misuse_is_refused():
    model, population = trained()
    with pytest.raises(ValueError, match="dead: expected 5 bools"):
        population.prune(torch.zeros(5))
    with pytest.raises(ValueError, match="rows: expected as many rows for each of means"):
        population.add({"means": torch.ones(2, 2)})
    with pytest.raises(ValueError, match="chosen: expected each index once"):
        population.split(torch.tensor([1, 1]), {})
    with pytest.raises(ValueError, match="the model has no parameter nothing"):
        Population(model, population.optimizer, ["nothing"])
    with pytest.raises(ValueError, match="expected one of the model's parameter means"):
        Population(model, ADAM([torch.ones(3, requires_grad=True)]))
