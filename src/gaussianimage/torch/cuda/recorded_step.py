"""A training iteration that a GPU repeats without waiting for Python."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

from gaussianimage.torch.cuda.graph_replay import replayable
from gaussianimage.torch.cuda.workspace import Workspace, capacity_for, use_workspace

Result = TypeVar("Result")

# Iterations between two looks at the device.
CHUNK = 500


class RecordedStep(Generic[Result]):
    """An iteration of any model and loss on `rasterize`, recorded as a CUDA graph.

    Parameters
    ----------
    step : callable
        One whole iteration: ``optimizer.zero_grad()``, picture, loss, ``backward()`` and
        ``optimizer.step()``. It must always do the same on tensors that stay where they are, and
        not wait for a result, as ``float(loss)`` does. `run` returns what it returns.
    optimizer : torch.optim.Optimizer
        Its parameters and their state are what the step changes. PyTorch's own optimizers need
        ``capturable=True``, and a step size that changes must be a tensor.
    also : sequence of Tensor
        Other tensors that the step changes and later depends on, such as buffers of the model.

    Notes
    -----
    The first iteration is not recorded. Every 500 iterations the host checks whether the memory for
    the entries sufficed; if not, these iterations are repeated with more. On a CPU nothing is
    recorded and the results are the same.
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
        """Run iterations; return the result of the last one.

        The next iterations overwrite the tensors in it. None if no iteration has ever run.
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
        workspace = Workspace(None, self._device())
        with use_workspace(workspace):
            self._result = self._step()
        return _Recording(self._step, self._tensors(), self._new_workspace(int(workspace.peak)))

    def _advance(self, iterations: int) -> None:
        assert self._recording is not None
        before = [tensor.clone() for tensor in self._tensors()]
        while True:
            self._result = self._recording.run(iterations)
            entries = int(self._recording.workspace.peak)
            if self._recording.workspace.fits():
                return
            with torch.no_grad():
                for tensor, value in zip(self._tensors(), before, strict=True):
                    tensor.copy_(value)
            self._recording = _Recording(self._step, self._tensors(), self._new_workspace(entries))

    def _device(self) -> torch.device:
        device: torch.device = self._optimizer.param_groups[0]["params"][0].device
        return device

    def _new_workspace(self, entries: int) -> Workspace:
        return Workspace(capacity_for(entries), self._device())

    def _tensors(self) -> list[Tensor]:
        """Return the parameters, the optimizer's state of them, and the other changing tensors."""
        parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        states = [value for p in parameters for value in self._optimizer.state[p].values()]
        return [*parameters, *(s for s in states if isinstance(s, Tensor)), *self._also]


class _Recording(Generic[Result]):
    """One iteration with a workspace for its lists, ready to be repeated."""

    def __init__(
        self, step: Callable[[], Result], changed: list[Tensor], workspace: Workspace
    ) -> None:
        self.workspace = workspace
        self._step = step
        self._result: Result | None = None
        self._repeat = replayable(self._work, [*changed, workspace.peak])

    def run(self, iterations: int) -> Result | None:
        self.workspace.peak.zero_()
        for _ in range(iterations):
            self._repeat()
        return self._result

    def _work(self) -> None:
        with use_workspace(self.workspace):
            self._result = self._step()
