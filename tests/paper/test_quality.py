"""The quality of a picture as a record holds it."""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

from gaussianimage.metrics import ms_ssim, psnr
from gaussianimage.paper.quality import measure_quality


def test_large_pictures_have_ms_ssim_and_perfect_ones_a_number_that_json_has() -> None:
    pixels = np.random.default_rng(1).random((161, 170, 3), dtype=np.float32)
    noisy = np.clip(pixels + np.float32(0.1), 0, 1)
    found = measure_quality(pixels, noisy)
    assert found == {"psnr": psnr(pixels, noisy), "ms_ssim": ms_ssim(pixels, noisy)}
    assert json.dumps(measure_quality(pixels, pixels), allow_nan=False)
