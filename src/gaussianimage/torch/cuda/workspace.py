"""Memory of a fixed size for the entries of a picture, for work that is recorded once.

Without a workspace, drawing asks the device how many entries a picture has and allocates memory for
just that many. A CUDA graph can't ask. Within `use_workspace`, drawing takes memory for a number of
entries that is known beforehand, the device records how many entries there would have been, and the
gradient uses the lists that its picture was drawn from. A workspace belongs to the thread that uses
it, so that trainings in several threads, on one GPU or on several, do not disturb one another.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from gaussianimage.torch.cuda.batch import Batch, TileLists

# Memory for entries, relative to those that there are: Gaussians grow as they are trained.
SPARE = 1.25
SPARE_ENTRIES = 1024

MakeLists = Callable[[Batch, int | None, Tensor], Iterator[TileLists]]


def capacity_for(entries: int) -> int:
    """Return the number of entries to make room for when a picture has `entries` of them now."""
    return int(entries * SPARE) + SPARE_ENTRIES


class Workspace:
    """The size of that memory, and the lists of the last batch.

    Parameters
    ----------
    capacity : int or None
        Entries that fit; None for as many as there are, for which each call waits for the device.
    device : torch.device
        The device of the pictures.

    Attributes
    ----------
    peak : Tensor, (1,), int64
        The most entries that a batch has had.
    """

    def __init__(self, capacity: int | None, device: torch.device) -> None:
        self.capacity = capacity
        self.peak = torch.zeros(1, dtype=torch.int64, device=device)
        self._kept: tuple[Batch, tuple[int, ...], list[TileLists]] | None = None

    def fits(self) -> bool:
        """Tell whether all entries have fitted so far; waits for the device."""
        return self.capacity is None or int(self.peak) <= self.capacity

    def lists(self, batch: Batch, make: MakeLists) -> list[TileLists]:
        """Make the lists of a batch, or return the last ones if they are of the same batch."""
        if self._kept is not None and self.has(batch):
            return self._kept[2]
        lists = list(make(batch, self.capacity, self.peak))
        # The batch is kept so that no other tensor gets its memory, by which it is recognized.
        self._kept = batch, _versions(batch), lists
        return lists

    def has(self, batch: Batch) -> bool:
        """Whether the last batch was this one, unchanged since."""
        if self._kept is None:
            return False
        kept, versions, _ = self._kept
        return _places(kept) == _places(batch) and _versions(batch) == versions

    def forget(self) -> None:
        """Free the last batch and its lists."""
        self._kept = None


class _Current(threading.local):
    """The workspace that this thread draws with."""

    workspace: Workspace | None = None


_current = _Current()
# The workspaces of all threads: PyTorch computes gradients in threads of its own.
_active: list[Workspace] = []


@contextmanager
def use_workspace(workspace: Workspace) -> Iterator[None]:
    """Draw with a workspace in this thread while the block runs; free its last batch after it."""
    before, _current.workspace = _current.workspace, workspace
    _active.append(workspace)
    try:
        yield
    finally:
        _current.workspace = before
        _active.remove(workspace)
        workspace.forget()


def find_workspace(batch: Batch) -> Workspace | None:
    """Return the workspace of this thread, or else the one that has just drawn this batch."""
    if _current.workspace is not None:
        return _current.workspace
    # A copy, because other threads add and remove theirs.
    return next((one for one in list(_active) if one.has(batch)), None)


def _tensors(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    return batch.means, batch.cholesky, batch.colors


def _places(batch: Batch) -> tuple[object, ...]:
    places = tuple((tensor.data_ptr(), tensor.shape) for tensor in _tensors(batch))
    return (*places, batch.pictures, batch.height, batch.width, batch.q_max)


def _versions(batch: Batch) -> tuple[int, ...]:
    return tuple(tensor._version for tensor in _tensors(batch))
