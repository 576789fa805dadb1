import pytest

pytest.importorskip("torch", reason="needs PyTorch")
pytest.importorskip("triton", reason="needs Triton")

import torch
from torch_device import DEVICE
from torch_scenes import random_tensors

from gaussianimage.torch.cuda import backward, forward, tile_lists
from gaussianimage.torch.cuda.batch import Batch
from gaussianimage.torch.cuda.tile_lists import count_entries
from gaussianimage.torch.cuda.workspace import Workspace, use_workspace

TORCH_DEVICE = torch.device(DEVICE)


@pytest.fixture
def inputs():
    return [t.to(DEVICE) for t in random_tensors(2, (1,), 5, 20, 33, 3)]


def count_all_entries(inputs):
    return int(count_entries(Batch.flatten(*inputs, (20, 33), 4.5)).sum())


def test_a_picture_and_its_gradient_are_the_same_within_a_workspace(inputs):
    R = torch.ones(1, 20, 33, 3, device=DEVICE)
    image, parts = forward.render(*inputs, 20, 33, 4.5), backward.gradient(*inputs, R, 4.5)
    for capacity in (None, count_all_entries(inputs), 500):
        workspace = Workspace(capacity, TORCH_DEVICE)
        with use_workspace(workspace):
            assert torch.equal(forward.render(*inputs, 20, 33, 4.5), image)
            assert all(map(torch.equal, backward.gradient(*inputs, R, 4.5), parts))
        assert workspace.fits()
        assert int(workspace.peak) == count_all_entries(inputs)


def test_a_workspace_that_is_too_small_says_so(inputs):
    workspace = Workspace(count_all_entries(inputs) - 1, TORCH_DEVICE)
    with use_workspace(workspace):
        forward.render(*inputs, 20, 33, 4.5)
        assert not workspace.fits()
        backward.gradient(*inputs, torch.ones(1, 20, 33, 3, device=DEVICE), 4.5)
        forward.render(*(t[:, :1] for t in inputs), 20, 33, 4.5)
    assert not workspace.fits()


def test_lists_are_made_once_for_a_picture_and_its_gradient(inputs, monkeypatch):
    made = []
    make_lists = tile_lists.make_lists
    monkeypatch.setattr(tile_lists, "make_lists", lambda *a: made.append(a) or make_lists(*a))
    R = torch.ones(1, 20, 33, 3, device=DEVICE)
    with use_workspace(Workspace(500, TORCH_DEVICE)):
        forward.render(*inputs, 20, 33, 4.5)
        backward.gradient(*inputs, R, 4.5)
        assert len(made) == 1
        inputs[0].add_(1)
        backward.gradient(*inputs, R, 4.5)
        assert len(made) == 2
        forward.render(*inputs, 21, 33, 4.5)
        assert len(made) == 3
    with use_workspace(Workspace(500, TORCH_DEVICE)):
        forward.render(*inputs, 21, 33, 4.5)
    assert len(made) == 4
