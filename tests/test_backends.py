import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from fake_backend import fake_gpu
from strategies import random_gaussians

import gaussianimage
from gaussianimage import GaussianImageError, backends
from gaussianimage.backends import Cpu, select_backend

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch")
PICTURE = np.zeros((6, 7, 3), np.float32)
CALLS = {
    "render": lambda device: gaussianimage.render(random_gaussians(0, 2, 6, 7), device=device),
    "fit": lambda device: gaussianimage.fit(PICTURE, 5, iterations=2, device=device),
    "encode": lambda device: gaussianimage.encode(PICTURE, gaussians=5, effort=1, device=device),
}


def test_the_cpu_is_always_there():
    assert select_backend("cpu", 3) == Cpu(3)


def test_an_installation_without_the_entry_point_says_what_to_do(monkeypatch):
    monkeypatch.setattr(backends, "ENTRY_POINTS", "gaussianimage.nothing")
    with pytest.raises(ImportError, match=r"install it again: pip install gaussianimage\[torch\]"):
        select_backend("cuda", 0)


def test_the_entry_point_of_cuda_loads_the_backend_of_pytorch():
    pytest.importorskip("torch", reason="needs PyTorch")
    pytest.importorskip("triton", reason="needs Triton")
    from gaussianimage.torch.cuda.backend import cuda_backend

    assert backends._load("cuda") is cuda_backend


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


@pytest.fixture
def recorder(monkeypatch):
    return fake_gpu(monkeypatch)


def test_a_gpu_draws_what_is_asked_for(recorder):
    gaussians = random_gaussians(0, 3, 6, 7)
    drawn = gaussianimage.render(gaussians, crop=(1, 2, 3, 4), dtype="uint8", device="cuda:1")
    expected = gaussianimage.render(gaussians, crop=(1, 2, 3, 4), dtype="uint8")
    assert np.array_equal(drawn, expected)
    assert recorder.calls == [("render", (1, 2, 3, 4), np.uint8)]


def test_a_gpu_fits_with_the_weights_of_the_picture(recorder):
    pixels = np.random.default_rng(0).random((12, 14, 3)).astype(np.float32)
    weights = np.ones_like(pixels)
    weights[:, 7:] = 0
    picture = gaussianimage.Picture(pixels, weights=weights)
    fitted = gaussianimage.fit(picture, 5, iterations=8, device="cuda:1", q_max=4.0)
    expected = gaussianimage.fit(picture, 5, iterations=8, q_max=4.0)
    assert fitted.gaussians == expected.gaussians
    assert fitted.psnr == expected.psnr
    assert recorder.calls == [("optimizer", (12, 14, 3), 4.0)]
