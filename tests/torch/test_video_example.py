"""examples/video.py: a frame from the Gaussians of the last one is closer than from new ones."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

ROOT = Path(__file__).resolve().parents[2]


def test_a_warm_start_is_closer_after_the_same_iterations():
    spec = importlib.util.spec_from_file_location("video", ROOT / "examples/video.py")
    video = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(video)
    frames = video.moving_window(ROOT / "tests/data/parrot.png", 3, (48, 72))
    warm, cold = (video.fit_frames(frames, 60, 120, 10, warm=warm) for warm in (True, False))
    assert warm[0] == cold[0]
    assert all(a > b + 3 for a, b in zip(warm[1:], cold[1:], strict=True))
    assert warm[-1] > warm[0] - 2
