"""The package through its public names."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gaussianimage

DATA = Path(__file__).parent / "data"


def test_a_photo_goes_into_a_file_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "parrot.gimg"
    path.write_bytes(gaussianimage.encode(DATA / "parrot.png", quality=80, effort=2))
    data = path.read_bytes()
    with Image.open(DATA / "parrot.png") as photo:
        pixels = np.asarray(photo)
    decoded = gaussianimage.decode(data)
    assert decoded.shape == pixels.shape
    assert decoded.dtype == np.uint8
    error = np.abs(decoded.astype(int) - pixels).mean()
    assert error < 6
    assert len(data) < 0.2 * pixels.size
    told = gaussianimage.info(data)
    assert told.bytes == path.stat().st_size
    assert json.dumps(told.as_dict())


def test_a_fit_is_rendered_saved_and_rendered_again(tmp_path: Path) -> None:
    result = gaussianimage.fit(DATA / "parrot.png", gaussians=200, iterations=150)
    picture = gaussianimage.render(result.gaussians)
    error = picture - gaussianimage.as_picture(DATA / "parrot.png").pixels
    assert -10 * np.log10(np.mean(error**2)) == pytest.approx(result.psnr, abs=0.01)
    result.gaussians.save(tmp_path / "fit.safetensors")
    again = gaussianimage.Gaussians.load(tmp_path / "fit.safetensors")
    assert np.array_equal(gaussianimage.render(again), picture)
    large = gaussianimage.render(again, size=(128, 192), dtype=np.uint8)
    assert large.shape == (128, 192, 3)


def test_a_decoded_file_is_gaussians_that_can_be_rendered_and_fitted_on() -> None:
    data = gaussianimage.encode(DATA / "plane.png", gaussians=100, effort=1)
    gaussians = gaussianimage.decode_gaussians(data)
    drawn = gaussianimage.render(gaussians, dtype=np.uint8)
    assert np.abs(drawn.astype(int) - gaussianimage.decode(data)).max() <= 1
    residual = gaussianimage.render(gaussians)
    gradient = gaussianimage.gradient(gaussians, residual)
    assert gradient.means.shape == gaussians.means.shape


def test_one_class_catches_every_error_about_data() -> None:
    data = gaussianimage.encode(np.zeros((4, 4), np.uint8))
    failures = [
        lambda: gaussianimage.decode(b"nonsense"),
        lambda: gaussianimage.decode(data[:-1]),
        lambda: gaussianimage.decode(data, limits=gaussianimage.Limits(max_pixels=1)),
        lambda: gaussianimage.info(b""),
        lambda: gaussianimage.encode(b"no picture"),
        lambda: gaussianimage.fit(np.full((3, 3), np.nan), 1),
    ]
    for fail in failures:
        with pytest.raises(gaussianimage.GaussianImageError):
            fail()


def test_decoding_loads_nothing_of_the_encoder(tmp_path: Path) -> None:
    (tmp_path / "a.gimg").write_bytes(gaussianimage.encode(np.zeros((4, 4), np.uint8)))
    code = (
        "import pathlib, sys, gaussianimage;"
        "gaussianimage.decode(pathlib.Path('a.gimg').read_bytes());"
        "print(*sorted(m for m in sys.modules if m.startswith('gaussianimage.')))"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    modules = found.stdout.split()
    assert "gaussianimage.codec.decoder.decode" in modules
    assert not [m for m in modules if "fitting" in m or "encoder" in m or "torch" in m]
