import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest

pytest.importorskip("torch", reason="needs PyTorch")
pytest.importorskip("triton", reason="needs Triton")

import torch
from torch_device import DEVICE
from torch_scenes import random_tensors

from gaussianimage.torch import rasterize
from gaussianimage.torch.cuda import backward, forward, tile_lists
from gaussianimage.torch.cuda.batch import Batch
from gaussianimage.torch.cuda.tile_lists import count_entries
from gaussianimage.torch.cuda.workspace import Workspace, find_workspace, use_workspace

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


@pytest.mark.usefixtures("on_kernels")
@pytest.mark.parametrize("workspace", [False, True])
def test_a_plain_loop_sorts_once_an_iteration(workspace, monkeypatch):
    made = []
    make_lists = tile_lists.make_lists
    monkeypatch.setattr(tile_lists, "make_lists", lambda *a: made.append(a) or make_lists(*a))
    leaves = [t.to(DEVICE).requires_grad_() for t in random_tensors(2, (), 5, 20, 33, 3)]
    around = use_workspace(Workspace(500, TORCH_DEVICE)) if workspace else nullcontext()
    with around:
        for count in (1, 2):
            rasterize(*leaves, 20, 33).sum().backward()
            assert len(made) == count
            with torch.no_grad():
                leaves[0].add_(0.5)


def test_two_threads_do_not_share_a_workspace(inputs):
    workspaces = [Workspace(500, TORCH_DEVICE) for _ in range(2)]
    pictures = [inputs, [t + 1 for t in inputs]]
    R = torch.ones(1, 20, 33, 3, device=DEVICE)
    expected = [backward.gradient(*picture, R, 4.5) for picture in pictures]
    # Triton's interpreter runs one kernel at a time.
    both, one = threading.Barrier(2, timeout=60), threading.Lock()

    def differentiate(index, batch):
        assert find_workspace(batch) is workspaces[index]
        with one:
            return backward.gradient(*pictures[index], R, 4.5)

    def train(index):
        with use_workspace(workspaces[index]):
            both.wait()
            with one:
                forward.render(*pictures[index], 20, 33, 4.5)
            both.wait()
            batch = Batch.flatten(*pictures[index], (20, 33), 4.5)
            assert [workspace.has(batch) for workspace in workspaces] == [index == 0, index == 1]
            # PyTorch computes gradients in a thread of its own, which has no workspace.
            with ThreadPoolExecutor(1) as elsewhere:
                parts = elsewhere.submit(differentiate, index, batch).result(60)
            both.wait()
            return parts

    with ThreadPoolExecutor(2) as threads:
        results = [threads.submit(train, index) for index in range(2)]
        for result, want in zip(results, expected, strict=True):
            assert all(map(torch.equal, result.result(60), want))
    assert find_workspace(Batch.flatten(*inputs, (20, 33), 4.5)) is None
