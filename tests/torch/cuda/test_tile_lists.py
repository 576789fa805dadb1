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
from gaussianimage.torch.cuda import tile_lists
from gaussianimage.torch.cuda.batch import TILE, Batch
from gaussianimage.torch.cuda.tile_lists import make_lists


def make_batch(inputs, height, width, q_max=4.5):
    return Batch.flatten(*(t.to(DEVICE) for t in inputs), (height, width), q_max)


def gaussians_by_tile(lists):
    """Return each tile's Gaussians, in the order in which they are drawn."""
    owners, spans = lists.owners.cpu() + lists.first, lists.spans.tolist()
    return [owners[begin:end].tolist() for begin, end in spans]


@settings(max_examples=15)
@given(st.one_of(gaussians(max_side=40), needles(max_side=40)))
def test_every_tile_lists_whatever_touches_it_in_order_and_once(g):
    (lists,) = make_lists(make_batch([t[None] for t in tensors(g)], g.height, g.width, g.q_max))
    across, down = -(-g.width // TILE), -(-g.height // TILE)
    found = gaussians_by_tile(lists)
    assert len(found) == across * down
    assert all(tile == sorted(set(tile)) for tile in found)
    for i, q, _, _ in reference.exponents(g):
        for y, x in np.argwhere(q <= g.q_max):
            assert i in found[y // TILE * across + x // TILE]


def test_the_pictures_of_a_batch_have_tiles_of_their_own():
    inputs = random_tensors(1, (3,), 7, 20, 40, 1)
    (lists,) = make_lists(make_batch(inputs, 20, 40))
    found = gaussians_by_tile(lists)
    for b in range(3):
        (one,) = make_lists(make_batch([t[b : b + 1] for t in inputs], 20, 40))
        expected = [[i + 7 * b for i in tile] for tile in gaussians_by_tile(one)]
        assert found[15 * b : 15 * (b + 1)] == expected


def test_a_far_tile_of_a_wide_picture_lists_its_gaussian():
    means = torch.tensor([[[601.0, 3.0], [8.0, 6.0]]])
    inputs = [means, torch.ones(1, 2, 3), torch.ones(1, 2, 1)]
    (lists,) = make_lists(make_batch(inputs, 9, 700))
    found = gaussians_by_tile(lists)
    across = -(-700 // TILE)
    columns = {i: {t % across for t, tile in enumerate(found) if i in tile} for i in (0, 1)}
    assert columns == {0: {597 // TILE, 605 // TILE}, 1: {0, 1}}


def test_entries_that_exceed_the_capacity_are_left_out_and_told():
    inputs = random_tensors(2, (1,), 9, 40, 40, 3)
    scene = make_batch(inputs, 40, 40)
    (whole,) = make_lists(scene)
    total = whole.capacity
    (roomy,) = make_lists(scene, capacity=total + 50)
    assert int(roomy.used[0]) == int(roomy.used[2]) == total
    assert gaussians_by_tile(roomy) == gaussians_by_tile(whole)
    (tight,) = make_lists(scene, capacity=total - 3)
    assert int(tight.used[0]) == total > tight.capacity
    assert sum(map(len, gaussians_by_tile(tight))) == total - 3
    (full,) = make_lists(scene, capacity=1)
    assert sum(map(len, gaussians_by_tile(full))) <= 1


def test_a_chunk_of_gaussians_goes_on_where_the_last_one_ended(monkeypatch):
    inputs = random_tensors(4, (2,), 40, 34, 45, 1)
    scene = make_batch(inputs, 34, 45)
    (whole,) = make_lists(scene)
    for name, value in (("CHUNK", 16), ("CHUNK_BLOCK", 8), ("LIST_BLOCK", 4), ("CELL", 2)):
        monkeypatch.setattr(tile_lists, name, value)
    (other,) = make_lists(scene)
    assert gaussians_by_tile(other) == gaussians_by_tile(whole)
    assert torch.equal(other.used[::2], whole.used[::2])


def test_parts_of_a_batch_list_their_own_gaussians(monkeypatch):
    inputs = random_tensors(5, (3,), 20, 33, 40, 2)
    scene = make_batch(inputs, 33, 40)
    (whole,) = make_lists(scene)
    monkeypatch.setattr(tile_lists, "MOST_BYTES", 60 * 100)
    parts = list(make_lists(scene))
    assert len(parts) > 3
    found = [gaussians_by_tile(part) for part in parts]
    assert [
        [i for part in tile for i in part] for tile in zip(*found, strict=True)
    ] == gaussians_by_tile(whole)


@pytest.mark.parametrize("count", [1, 2, 3, 130])
def test_every_entry_has_a_number_of_its_gaussian(count):
    inputs = random_tensors(3, (1,), count, 33, 33, 1)
    (lists,) = make_lists(make_batch(inputs, 33, 33))
    entries, owners = lists.entries.cpu().long(), lists.owners.cpu().long()
    assert torch.equal(entries.sort().values, torch.arange(lists.capacity))
    sizes = (lists.boxes[:, 2] * lists.boxes[:, 3]).cpu()
    inner = entries - lists.offsets.cpu()[owners]
    assert bool(((inner >= 0) & (inner < sizes[owners])).all())
