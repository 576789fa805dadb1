"""A training iteration that a GPU repeats by itself, without waiting for Python."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

from gaussianimage.torch.cuda.graph_replay import replayable
from gaussianimage.torch.cuda.workspace import Room, use_room

Result = TypeVar("Result")

# Iterations between two looks at the device.
CHUNK = 500
# Room for entries (Gaussians per tile of the picture) beyond those that there are at first.
SPARE = 1.25
SPARE_ENTRIES = 1024


class RecordedStep(Generic[Result]):
    """An iteration of any model and loss on `rasterize`, recorded as a CUDA graph.

    Parameters
    ----------
    step : callable
        One whole iteration: ``optimizer.zero_grad()``, picture, loss, ``backward()`` and
        ``optimizer.step()``. It must always do the same on tensors that stay where they are, and
        wait for no result: no ``float(loss)``. What it returns, such as the loss, `run` returns.
    optimizer : torch.optim.Optimizer
        What the step changes: its parameters and their state. PyTorch's own need
        ``capturable=True``, and a step size that is to change must be a tensor.
    also : sequence of Tensor
        What else the step changes and later depends on, such as buffers of the model.

    Notes
    -----
    The first iteration is an ordinary one. Every 500 iterations the device is asked if the room for
    its lists sufficed; if not, they are repeated with more, from where they began. On a CPU
    everything works alike, and nothing is recorded.
    """

    def __init__(
        self,
        step: Callable[[], Result],
        optimizer: torch.optim.Optimizer,
        *,
        also: Sequence[Tensor] = (),
    ) -> None:
        self._step = step
        self._optimizer = optimizer
        self._also = tuple(also)
        self._recording: _Recording[Result] | None = None
        self._result: Result | None = None

    def run(self, iterations: int) -> Result | None:
        """Run iterations; return what the last one did.

        Tensors in it are overwritten by the next iterations. None if none has ever run.
        """
        left = iterations
        if left and self._recording is None:
            self._recording = self._start()
            left -= 1
        while left > 0:
            self._advance(min(left, CHUNK))
            left -= CHUNK
        return self._result

    def _start(self) -> "_Recording[Result]":
        room = Room(None, self._device())
        with use_room(room):
            self._result = self._step()
        return _Recording(self._step, self._tensors(), self._room(int(room.peak)))

    def _advance(self, iterations: int) -> None:
        assert self._recording is not None
        before = [tensor.clone() for tensor in self._tensors()]
        while True:
            self._result = self._recording.run(iterations)
            entries = int(self._recording.room.peak)
            if self._recording.room.fits():
                return
            with torch.no_grad():
                for tensor, value in zip(self._tensors(), before, strict=True):
                    tensor.copy_(value)
            self._recording = _Recording(self._step, self._tensors(), self._room(entries))

    def _device(self) -> torch.device:
        device: torch.device = self._optimizer.param_groups[0]["params"][0].device
        return device

    def _room(self, entries: int) -> Room:
        return Room(int(entries * SPARE) + SPARE_ENTRIES, self._device())

    def _tensors(self) -> list[Tensor]:
        """Return what an iteration changes: parameters, the optimizer's notes on them, the rest."""
        parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        notes = [note for p in parameters for note in self._optimizer.state[p].values()]
        return [*parameters, *(note for note in notes if isinstance(note, Tensor)), *self._also]


class _Recording(Generic[Result]):
    """One iteration with a room for its lists, ready to be repeated."""

    def __init__(self, step: Callable[[], Result], changed: list[Tensor], room: Room) -> None:
        self.room = room
        self._step = step
        self._result: Result | None = None
        self._repeat = replayable(self._work, [*changed, room.peak])

    def run(self, iterations: int) -> Result | None:
        self.room.peak.zero_()
        for _ in range(iterations):
            self._repeat()
        return self._result

    def _work(self) -> None:
        with use_room(self.room):
            self._result = self._step()
