"""The models by their names, and their starts."""

import dataclasses

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage.paper.models import MODELS, Start

START = Start(gaussians=5, height=12, width=16, seed=3, offset=True, fill=False)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_draws_the_picture_and_starts_from_its_seed(name: str) -> None:
    model, same = (MODELS[name](START) for _ in range(2))
    other = MODELS[name](dataclasses.replace(START, seed=4))
    assert model().shape == (12, 16, 3)
    values, equal, different = (
        torch.cat([p.flatten() for p in m.parameters()]) for m in (model, same, other)
    )
    assert torch.equal(values, equal)
    assert not torch.equal(values, different)
