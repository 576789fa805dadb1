import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage.torch.models import blending_tiles
from gaussianimage.torch.models.blending_tiles import (
    TILE,
    select_visible,
    tile_batches,
    tiled,
    untiled,
)

LEAST = 1 / 255


def scene(seed, count=25, size=(37, 50)):
    """Return Gaussians of 0.1 to 100 px, needles too, inside and outside of the picture."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(-0.5, 1.5, (count, 2)) * (size[1], size[0])
    lengths = np.exp(rng.uniform(np.log(0.1), np.log(100), (count, 3)))
    cholesky = lengths * rng.choice([-1, 1], (count, 3))
    opacities = rng.uniform(0, 1, count)
    return tuple(torch.tensor(array) for array in (means, cholesky, opacities))


def listed(means, cholesky, opacities, size, depths=None):
    """Return the Gaussians of every tile, front to back, by their own numbers."""
    visible = select_visible(means, cholesky, opacities, depths, size, LEAST)
    found = {}
    for batch in tile_batches(visible, size):
        for tile, rows in zip(batch.tiles.tolist(), batch.rows.T, strict=True):
            assert tile not in found
            found[tile] = visible.source[rows[rows < len(visible.source)]].tolist()
    return found


def drawn(means, cholesky, opacities, size):
    """By tile the Gaussians of which a pixel is above the cut-off, from every pixel center."""
    y, x = (torch.arange(side, dtype=torch.float64) + 0.5 for side in size)
    u = ((x - means[:, :1]) / cholesky[:, :1])[:, None, :]
    v = ((y - means[:, 1:]) / cholesky[:, 2:])[:, :, None] - (cholesky[:, 1] / cholesky[:, 2])[
        :, None, None
    ] * u
    alphas = opacities[:, None, None] * torch.exp(-(u * u + v * v) / 2)
    found = {}
    across = -(-size[1] // TILE)
    for i, row, column in (alphas > LEAST).nonzero().tolist():
        found.setdefault(row // TILE * across + column // TILE, set()).add(i)
    return found


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 50))
def test_every_tile_lists_all_that_can_be_seen_in_it(seed, height, width):
    gaussians = scene(seed, size=(height, width))
    found = listed(*gaussians, (height, width))
    for tile, expected in drawn(*gaussians, (height, width)).items():
        assert expected <= set(found[tile])
    assert all(rows == sorted(rows) for rows in found.values())


def test_a_needle_across_the_picture_is_only_in_the_tiles_that_it_meets():
    # 30 px long and 0.3 px wide along the diagonal of a picture of 10 x 10 tiles.
    means, opacities = torch.tensor([[40.0, 40.0]]), torch.ones(1)
    cholesky = torch.tensor([[30.0, 30.0, 0.3]])
    found = listed(means, cholesky, opacities, (80, 80))
    # Those on the diagonal, and at most those beside it.
    assert all(abs(tile // 10 - tile % 10) <= 1 for tile in found)
    assert {11 * k for k in range(10)} <= set(found)


def test_depths_decide_the_order_and_indices_among_equals():
    count = 6
    means, opacities = torch.full((count, 2), 4.0), torch.full((count,), 0.5)
    cholesky = torch.tensor([[2.0, 0.0, 2.0]]).repeat(count, 1)
    depths = torch.tensor([3.0, 1.0, 2.0, 1.0, math.inf, math.nan])
    assert listed(means, cholesky, opacities, (8, 8), depths) == {0: [1, 3, 2, 0]}
    assert listed(means, cholesky, opacities, (8, 8)) == {0: list(range(count))}


@pytest.mark.parametrize(("buffer", "pairs"), [(64, 2**21), (2**18, 10), (64, 10)])
def test_small_batches_list_the_same(monkeypatch, buffer, pairs):
    gaussians = scene(3, count=60)
    expected = listed(*gaussians, (37, 50))
    monkeypatch.setattr(blending_tiles, "_BUFFER", buffer)
    monkeypatch.setattr(blending_tiles, "_PAIRS", pairs)
    assert listed(*gaussians, (37, 50)) == expected


def test_batches_stay_within_the_buffer(monkeypatch):
    monkeypatch.setattr(blending_tiles, "_BUFFER", 64 * 40)
    visible = select_visible(*scene(1, count=60), None, (37, 50), LEAST)
    shapes = [batch.rows.shape for batch in tile_batches(visible, (37, 50))]
    assert len(shapes) > 1
    assert all(deep * wide <= 40 or wide == 1 for deep, wide in shapes)


@pytest.mark.parametrize(
    "change",
    [
        {"means": [math.nan, 4.0]},
        {"means": [4.0, math.inf]},
        {"means": [4.0, 1e7]},
        {"cholesky": [math.nan, 0.0, 2.0]},
        {"cholesky": [2.0, math.inf, 2.0]},
        {"cholesky": [0.0, 0.0, 2.0]},
        {"cholesky": [2.0, 0.0, 1e-7]},
        {"opacities": math.nan},
        {"opacities": math.inf},
        {"opacities": -1.0},
        {"opacities": 0.0},
        {"opacities": LEAST},
    ],
)
def test_what_cannot_be_drawn_is_not_listed(change):
    values = {"means": [4.0, 4.0], "cholesky": [2.0, 0.0, 2.0], "opacities": 1.0} | change
    gaussians = tuple(torch.tensor([value]) for value in values.values())
    assert listed(*gaussians, (8, 8)) == {}


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (17, 24), (30, 9)])
def test_tiles_can_be_put_together_again(size):
    picture = torch.rand(*size, 3)
    cut = tiled(picture)
    assert cut.shape == (-(-size[0] // TILE) * -(-size[1] // TILE), 3, TILE * TILE)
    assert torch.equal(untiled(cut, size), picture)
    assert cut.sum().item() == pytest.approx(picture.sum().item(), rel=1e-5)
