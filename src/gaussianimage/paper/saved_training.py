"""The state of a training in a file, from which an interrupted run goes on."""

import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gaussianimage._util.files import StrPath
from gaussianimage._util.safetensors import load_tensors, save_tensors
from gaussianimage.errors import FormatError, UnsupportedError
from gaussianimage.paper.recipe import Recipe

__all__ = ["SavedTraining"]

_KIND = "gaussianimage.paper.training-state"
_VERSION = 1
_METADATA = ("identity", "steps", "best_error", "monitor")

# Seconds between two savings.
_EVERY = 60.0

MonitorState = Sequence[Sequence[float]]


class Loop(Protocol):
    """A training whose whole state is in arrays."""

    @property
    def steps(self) -> int:
        """Number of iterations done."""

    @property
    def best_error(self) -> float:
        """The least error so far."""

    @property
    def target(self) -> NDArray[np.float32]:
        """The picture."""

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Return all arrays of the state."""

    def load(self, state: Mapping[str, NDArray[Any]], steps: int, best_error: float) -> None:
        """Go on from a state."""


class SavedTraining:
    """A file that holds the state of a training while it runs.

    Parameters
    ----------
    path : str or os.PathLike
        The file, of the extension .safetensors; its folder must exist.
    every : float, default 60
        Seconds between two savings, from 0.

    Notes
    -----
    A state is continued only if the training starts from the same numbers, for the same picture, by
    the same recipe; another state is overwritten.
    """

    def __init__(self, path: StrPath, *, every: float = _EVERY) -> None:
        self._path = Path(path)
        self._every = every
        self._identity = ""
        self._last = time.perf_counter()
        self.monitor: MonitorState = ()

    def begin(self, loop: Loop, monitor: MonitorState, recipe: Recipe) -> None:
        """Continue a training from its start, if the file holds a later state of it.

        Parameters
        ----------
        loop : Loop
            The training at its start; changed to the saved state.
        monitor : sequence of sequence of float
            Time and history at the start; `monitor` has those to go on from.
        recipe : Recipe
        """
        self._identity = _digest(loop, recipe)
        self.monitor = monitor
        try:
            arrays, found = load_tensors(self._path, _KIND, _VERSION, (), _METADATA)
            if found["identity"] == self._identity:
                steps, best_error, kept = _progress(found, recipe)
                if len(kept) < len(monitor) or any(a.dtype != np.float32 for a in arrays.values()):
                    return
                loop.load(arrays, steps, best_error)
                self.monitor = kept
        except (OSError, FormatError, UnsupportedError, ValueError):
            pass  # there is no usable state

    def is_due(self) -> bool:
        """Whether it is time to save."""
        return time.perf_counter() - self._last >= self._every

    def save(self, loop: Loop, monitor: MonitorState) -> None:
        """Write the state; a file that was there is replaced whole.

        Raises
        ------
        OSError
            If it can't be written.
        """
        metadata = {
            "identity": self._identity,
            "steps": str(loop.steps),
            "best_error": repr(loop.best_error),
            "monitor": json.dumps([list(point) for point in monitor]),
        }
        save_tensors(self._path, _KIND, _VERSION, loop.state(), metadata)
        self._last = time.perf_counter()

    def remove(self) -> None:
        """Remove the file, if it is there."""
        self._path.unlink(missing_ok=True)


def _progress(found: Mapping[str, str], recipe: Recipe) -> tuple[int, float, MonitorState]:
    """Return steps, least error and history in metadata; `ValueError` if they are wrong."""
    try:
        steps, best_error = int(found["steps"]), float(found["best_error"])
        history = [[float(number) for number in point] for point in json.loads(found["monitor"])]
    except (TypeError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if not 0 <= steps <= recipe.iterations or not best_error >= 0:
        raise ValueError("impossible steps or error")
    for iteration, _, seconds in history:
        if not 0 <= iteration <= recipe.iterations or not 0 <= seconds < math.inf:
            raise ValueError("an impossible history")
    return steps, best_error, history


def _digest(loop: Loop, recipe: Recipe) -> str:
    """Return the identity of a training that is at its start."""
    digest = hashlib.sha256(json.dumps(asdict(recipe), sort_keys=True).encode())
    digest.update(loop.target.tobytes())
    for name, array in sorted(loop.state().items()):
        digest.update(name.encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
