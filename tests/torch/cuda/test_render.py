import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")
pytest.importorskip("triton", reason="needs Triton")

from strategies import POISONS, poison, random_gaussians
from torch_device import DEVICE
from torch_launches import Launches

from gaussianimage import rendering
from gaussianimage.gaussians import Gaussians
from gaussianimage.torch.cuda.render import render_window


def test_a_part_of_a_picture_is_that_of_the_engine():
    g = random_gaussians(1, 20, 40, 37, q_max=12.0)
    for crop in ((0, 0, 40, 37), (13, 5, 11, 30)):
        expected = rendering.render(g, crop=crop)
        image = render_window(g, crop, np.dtype(np.float32), DEVICE)
        assert image.dtype == np.float32
        assert image == pytest.approx(expected, abs=2e-5)


def test_bytes_are_those_of_the_floats():
    g = random_gaussians(2, 20, 21, 18)
    window = (0, 0, 21, 18)
    floats = render_window(g, window, np.dtype(np.float32), DEVICE)
    pixels = render_window(g, window, np.dtype(np.uint8), DEVICE)
    assert pixels.dtype == np.uint8
    scaled = np.clip(floats, 0, 1) * np.float32(255)
    assert np.array_equal(pixels, np.floor(scaled + np.float32(0.5)))


def test_poisons_draw_nothing():
    like = random_gaussians(3, 2, 9, 9)
    poisons = Gaussians.concatenate(*(poison(name, like=like) for name in sorted(POISONS)))
    assert not render_window(poisons, (0, 0, 9, 9), np.dtype(np.float32), DEVICE).any()


def test_kernels_are_launched_on_the_gpu_that_was_asked_for(monkeypatch):
    launches = Launches(monkeypatch)
    render_window(random_gaussians(4, 3, 9, 9), (0, 0, 9, 9), np.dtype(np.float32), DEVICE)
    assert launches.names == ["_measured", "_filled", "draw"]
