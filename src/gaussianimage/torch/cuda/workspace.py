"""A fixed number of entries for work that is recorded once and repeated as it is.

Ordinarily drawing asks the device how many entries there are, to allocate just that many. A CUDA
graph can't ask. Within `use_room` there is room for a number of entries that is known beforehand,
the device notes how many there would have been, and the gradient takes over the lists that its
picture was drawn from.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:  # without Triton there are rooms, if nothing to put in them
    from gaussianimage.torch.cuda.batch import Lists, Scene

    MakeLists = Callable[[Scene, int | None], Iterator[Lists]]


class Room:
    """Room for the entries of every picture that is drawn.

    Parameters
    ----------
    capacity : int or None
        Entries of one call; None for as many as there are, which is found out each time.
    device : torch.device
        Of the pictures.
    """

    def __init__(self, capacity: int | None, device: torch.device) -> None:
        self.capacity = capacity
        self.peak = torch.zeros(1, dtype=torch.int64, device=device)
        self._kept: tuple[Scene, tuple[int, ...], list[Lists]] | None = None

    def fits(self) -> bool:
        """Tell whether no entry has been left out so far; waits for the device."""
        return self.capacity is None or int(self.peak) <= self.capacity

    def lists(self, scene: "Scene", make: "MakeLists") -> list["Lists"]:
        """Make the lists of a scene, or return those of the last one if it is the same."""
        if self._kept is not None:
            kept, versions, lists = self._kept
            if _places(kept) == _places(scene) and _versions(scene) == versions:
                return lists
        lists = list(make(scene, self.capacity))
        entries = torch.stack([one.offsets[-1] - one.offsets[0] for one in lists]).sum()
        torch.maximum(self.peak, entries, out=self.peak)
        # The scene is kept too: as long as it is, its memory won't hold anything else.
        self._kept = scene, _versions(scene), lists
        return lists

    def forget(self) -> None:
        """Let go of the last scene."""
        self._kept = None


# Not a context variable: PyTorch differentiates in another thread.
_room: Room | None = None


@contextmanager
def use_room(room: Room) -> Iterator[None]:
    """Draw with this room, in all threads; forget its last scene in the end."""
    global _room
    before, _room = _room, room
    try:
        yield
    finally:
        _room = before
        room.forget()


def current_room() -> Room | None:
    """Return the room that pictures are drawn with now."""
    return _room


def _tensors(scene: "Scene") -> tuple[Tensor, Tensor, Tensor]:
    return scene.means, scene.cholesky, scene.colors


def _places(scene: "Scene") -> tuple[object, ...]:
    places = tuple((tensor.data_ptr(), tensor.shape) for tensor in _tensors(scene))
    return (*places, scene.batch, scene.height, scene.width, scene.q_max)


def _versions(scene: "Scene") -> tuple[int, ...]:
    return tuple(tensor._version for tensor in _tensors(scene))
