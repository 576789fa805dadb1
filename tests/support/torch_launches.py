"""Launches of kernels, watched without a second GPU: the tensors' device must be current."""

import contextlib

import torch

from gaussianimage.torch.cuda import adam, backward, forward, gauss_newton, tile_lists

# All functions that launch.
LAUNCHING = (
    (tile_lists, "_measured"),
    (tile_lists, "_filled"),
    (forward, "draw"),
    (backward, "sum_entries"),
    (backward, "differentiate"),
    (adam, "step"),
    (gauss_newton, "step"),
)


class Launches:
    """Names of what was launched, each while the device of a tensor was the current one.

    Parameters
    ----------
    monkeypatch : pytest.MonkeyPatch
    """

    def __init__(self, monkeypatch):
        self.names = []
        self._depth = 0
        monkeypatch.setattr(torch.cuda, "device_of", self._device_of)
        for module, name in LAUNCHING:
            monkeypatch.setattr(module, name, self._watched(name, getattr(module, name)))

    @contextlib.contextmanager
    def _device_of(self, tensor):
        assert isinstance(tensor, torch.Tensor)
        self._depth += 1
        yield
        self._depth -= 1

    def _watched(self, name, launch):
        def watched(*arguments, **options):
            assert self._depth, f"{name}: launched on whatever GPU is the current one"
            self.names.append(name)
            return launch(*arguments, **options)

        return watched
