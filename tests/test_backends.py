import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from strategies import random_gaussians

import gaussianimage
from gaussianimage import GaussianImageError
from gaussianimage.backends import gpu_module

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch")
PICTURE = np.zeros((6, 7, 3), np.float32)
CALLS = {
    "render": lambda device: gaussianimage.render(random_gaussians(0, 2, 6, 7), device=device),
    "fit": lambda device: gaussianimage.fit(PICTURE, 5, iterations=2, device=device),
    "encode": lambda device: gaussianimage.encode(PICTURE, gaussians=5, effort=1, device=device),
}


def test_the_cpu_needs_no_module():
    assert gpu_module("cpu", "whatever") is None


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_the_cpu_is_the_default(call):
    call("cpu")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("device", ["gpu", "CUDA", "cuda:", "cuda:-1", "cuda:1.0", "", "mps"])
def test_what_is_no_device_is_refused(call, device):
    with pytest.raises(ValueError, match='device: expected "cpu", "cuda" or "cuda:0"'):
        call(device)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("device", [None, 0])
def test_a_device_is_a_string(call, device):
    with pytest.raises(TypeError, match="device: expected a string, got"):
        call(device)


@needs_torch
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_device_is_not_pytorch_s_own(call):
    import torch

    with pytest.raises(TypeError, match="device: expected a string, got"):
        call(torch.device("cpu"))


@needs_torch
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:3"])
def test_a_missing_gpu_is_named(monkeypatch, call, device):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(GaussianImageError, match=f'device "{device}": PyTorch finds no CUDA GPU'):
        call(device)


@needs_torch
@pytest.mark.parametrize(("present", "found"), [(1, "one CUDA GPU"), (2, "2 CUDA GPUs")])
def test_a_gpu_that_is_not_there_is_refused(monkeypatch, present, found):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: present)
    with pytest.raises(GaussianImageError, match=f'"cuda:99": PyTorch finds only {found} here'):
        CALLS["render"]("cuda:99")


def test_a_missing_extra_is_named():
    program = """
import sys
sys.modules["torch"] = None
import gaussianimage
gaussianimage.fit(b"", device="cuda")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert "pip install gaussianimage[torch]" in done.stderr.strip().splitlines()[-1]
