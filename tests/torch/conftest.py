"""Have Triton's interpreter stand in for a missing GPU before any test imports a kernel."""

import contextlib

import pytest

# Without PyTorch there is nothing to prepare: every file here is skipped.
with contextlib.suppress(ModuleNotFoundError):
    import torch_device  # noqa: F401


@pytest.fixture
def on_kernels(monkeypatch):
    """Let the kernels draw tensors of the CPU, as on a GPU."""
    pytest.importorskip("triton", reason="needs Triton")
    from gaussianimage.torch import operator

    monkeypatch.setattr(operator, "uses_kernels", lambda _: True)
