import dataclasses
import math

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage.paper.recipe import Recipe
from gaussianimage.torch import Adan


def test_the_papers_recipe_is_the_default():
    assert dataclasses.asdict(Recipe()) == {
        "iterations": 50000,
        "learning_rate": 1e-3,
        "halve_every": 20000,
        "loss": "l2",
        "seed": 1,
        "optimizer": "adan",
        "seconds": None,
    }


def test_a_shortened_recipe_halves_its_steps_at_the_same_parts():
    short = Recipe(loss="l1", seed=7).shortened(500)
    assert short == Recipe(iterations=500, halve_every=200, loss="l1", seed=7)
    assert Recipe().shortened(1).halve_every == 1
    assert Recipe().shortened(100, learning_rate=0.02).learning_rate == 0.02


@pytest.mark.parametrize(("name", "kind"), [("adan", Adan), ("adam", torch.optim.Adam)])
def test_optimizer_and_schedule_follow_the_recipe(name, kind):
    recipe = Recipe(optimizer=name, learning_rate=0.5, halve_every=3)
    parameter = torch.ones(2, requires_grad=True)
    optimizer = recipe.make_optimizer([parameter])
    assert type(optimizer) is kind
    rates = []
    for iteration in range(7):
        recipe.set_rate(optimizer, iteration)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]


def test_a_step_size_in_a_tensor_is_changed_in_place():
    rate = torch.tensor(0.0)
    optimizer = Adan([torch.ones(2, requires_grad=True)], lr=rate)
    Recipe(learning_rate=0.5, halve_every=3).set_rate(optimizer, 7)
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate == 0.125


def test_a_step_size_that_has_been_halved_away_is_zero():
    optimizer = Adan([torch.ones(2, requires_grad=True)])
    Recipe(halve_every=1).set_rate(optimizer, 10**6)
    assert optimizer.param_groups[0]["lr"] == 0


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"iterations": -1}, ValueError, "iterations: expected"),
        ({"iterations": 10.0}, TypeError, "iterations: expected"),
        ({"halve_every": 0}, ValueError, "halve_every: expected"),
        ({"seed": -1}, ValueError, "seed: expected"),
        ({"learning_rate": 0}, ValueError, "learning_rate: expected"),
        ({"learning_rate": math.nan}, ValueError, "learning_rate: expected"),
        ({"learning_rate": "1e-3"}, TypeError, "learning_rate: expected"),
        ({"seconds": math.inf}, ValueError, "seconds: expected"),
        ({"loss": "l3"}, ValueError, "loss: expected"),
        ({"optimizer": "sgd"}, ValueError, "optimizer: expected one of adan, adam"),
    ],
)
def test_values_out_of_range_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        Recipe(**changes)
