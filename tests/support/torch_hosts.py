"""Steps that a CUDA graph is to hold, examined without a GPU: the device `meta` stands in for one.

On it, reading a number raises an error as it is, and so does whatever has as many results as the
numbers say. What remains to be caught are tensors of the host.
"""

import sys

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class OffTheHost(TorchDispatchMode):
    """Fails where an operator takes a tensor from the host, or makes one there."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, results)):
            assert not isinstance(leaf, Tensor) or leaf.device.type == "meta", f"{func}: {leaf}"
        return results


class Examined(Exception):  # noqa: N818 - not an error
    """A step has been examined, and found fit to be recorded."""


class Examiner:
    """Stands in for `RecordedStep`: runs the step twice, examines the second one, and stops."""

    def __init__(self, step, optimizer, *, also=()):
        self.step = step

    def run(self, iterations):
        self.step()
        with OffTheHost():
            self.step()
        raise Examined


def examine(monkeypatch, module):
    """Have the steps of a module with `recordable` and `RecordedStep` examined."""
    monkeypatch.setattr(module, "recordable", lambda _: True)
    monkeypatch.setattr(module, "RecordedStep", Examiner)
    monkeypatch.setattr(sys.modules["gaussianimage.torch.rasterize"], "_check", lambda *_: None)
