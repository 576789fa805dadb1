import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs PyTorch")
pytest.importorskip("triton", reason="needs Triton")

import torch
from strategies import gaussians, needles
from torch_device import DEVICE
from torch_scenes import random_tensors, tensors

from gaussianimage import reference
from gaussianimage.torch.cuda.batch import TILE, Batch
from gaussianimage.torch.cuda.tile_lists import make_lists


def make_batch(inputs, height, width, q_max=4.5):
    return Batch.flatten(*(t.to(DEVICE) for t in inputs), (height, width), q_max)


def gaussians_by_tile(lists, tiles):
    """Return each tile's Gaussians, in the order in which they are drawn."""
    owners, order, starts = (t.cpu().long() for t in (lists.owners, lists.order, lists.starts))
    owners = owners + lists.first
    return [owners[order[starts[t] : starts[t + 1]]].tolist() for t in range(tiles)]


@settings(max_examples=30)
@given(st.one_of(gaussians(), needles()))
def test_every_tile_lists_whatever_touches_it_in_order_and_once(g):
    (lists,) = make_lists(make_batch([t[None] for t in tensors(g)], g.height, g.width, g.q_max))
    across, down = -(-g.width // TILE), -(-g.height // TILE)
    found = gaussians_by_tile(lists, across * down)
    assert all(tile == sorted(set(tile)) for tile in found)
    for i, q, _, _ in reference.exponents(g):
        for y, x in np.argwhere(q <= g.q_max):
            assert i in found[y // TILE * across + x // TILE]


def test_the_pictures_of_a_batch_have_tiles_of_their_own():
    inputs = random_tensors(1, (3,), 7, 20, 40, 1)
    (lists,) = make_lists(make_batch(inputs, 20, 40))
    found = gaussians_by_tile(lists, 18)
    for b in range(3):
        (one,) = make_lists(make_batch([t[b : b + 1] for t in inputs], 20, 40))
        expected = [[i + 7 * b for i in tile] for tile in gaussians_by_tile(one, 6)]
        assert found[6 * b : 6 * (b + 1)] == expected


def test_many_tiles_need_wider_keys():
    means = torch.tensor([[[60000.0, 3.0], [8.0, 9000.0]]])
    inputs = [means, torch.ones(1, 2, 3), torch.ones(1, 2, 1)]
    scene = make_batch(inputs, 9000, 65536)
    assert scene.tiles > 2**20
    (lists,) = make_lists(scene)
    keys = torch.searchsorted(lists.starts, lists.order, right=True).cpu() - 1
    columns, rows = keys % 4096, keys // 4096
    owners = lists.owners[lists.order].cpu()
    assert {int(c) for c in columns[owners == 0]} == {60000 // 16 - 1, 60000 // 16}
    assert {int(r) for r in rows[owners == 1]} == {8999 // 16}


def test_entries_that_exceed_the_capacity_are_left_out_and_told():
    inputs = random_tensors(2, (1,), 9, 40, 40, 3)
    scene = make_batch(inputs, 40, 40)
    (whole,) = make_lists(scene)
    total = len(whole.order)
    (roomy,) = make_lists(scene, capacity=total + 50)
    assert int(roomy.offsets[-1]) == total
    assert gaussians_by_tile(roomy, scene.tiles) == gaussians_by_tile(whole, scene.tiles)
    (tight,) = make_lists(scene, capacity=total - 3)
    assert int(tight.offsets[-1]) == total > len(tight.order)
    assert sum(map(len, gaussians_by_tile(tight, scene.tiles))) == total - 3


@pytest.mark.parametrize("count", [1, 2, 3, 130])
def test_entries_belong_to_their_gaussian_whatever_the_count(count):
    inputs = random_tensors(3, (1,), count, 33, 33, 1)
    (lists,) = make_lists(make_batch(inputs, 33, 33))
    sizes = lists.offsets.diff().cpu()
    assert torch.equal(lists.owners.cpu().long(), torch.arange(count).repeat_interleave(sizes))
