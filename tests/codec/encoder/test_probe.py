from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gaussianimage.codec.encoder import probe
from gaussianimage.codec.encoder.probe import PROBES, Prober
from gaussianimage.fitting.fit import fit_picture
from gaussianimage.picture import Picture, as_picture

PICTURE = Path(__file__).parents[3] / "examples" / "pictures" / "kodim23.png"


def photo(side: int) -> Picture:
    """Return the middle of the example picture, `side` × `side`."""
    with Image.open(PICTURE) as picture:
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        return as_picture(picture.convert("RGB").crop((left, top, left + side, top + side)))


def decibels(picture: Picture, error: float) -> float:
    return float(-10 * np.log10(error / picture.pixels.size))


@pytest.mark.parametrize("share", PROBES)
@pytest.mark.parametrize("side", [200, 300], ids=["whole size", "half size"])
def test_a_probe_predicts_a_whole_fit(side: int, share: float) -> None:
    picture = photo(side)
    count = round(side * side * share)
    predicted = decibels(picture, Prober(picture, None).squared_error(count))
    whole = fit_picture(picture, count, newton=False, solve=True, iterations=250)
    assert predicted == pytest.approx(whole.psnr, abs=3)


def test_half_the_size_predicts_about_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = photo(300)
    count = round(300 * 300 * PROBES[1])
    halved = Prober(picture, None).squared_error(count)
    monkeypatch.setattr(probe, "LEAST_HALVED", 10**9)
    whole = Prober(picture, None).squared_error(count)
    assert decibels(picture, halved) == pytest.approx(decibels(picture, whole), abs=1.2)


@pytest.mark.parametrize("size", [(4, 6), (5, 6), (4, 7), (5, 7), (1, 1)], ids=str)
def test_halving_takes_the_mean_of_four_pixels(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).uniform(0, 1, (*size, 3)).astype(np.float32)
    halved = probe._halve_pixels(pixels)
    height, width = -(-size[0] // 2), -(-size[1] // 2)
    assert halved.shape == (height, width, 3)
    for y in range(height):
        for x in range(width):
            rows = np.minimum([2 * y, 2 * y + 1], size[0] - 1)
            columns = np.minimum([2 * x, 2 * x + 1], size[1] - 1)
            mean = pixels[np.ix_(rows, columns)].mean(axis=(0, 1))
            assert halved[y, x] == pytest.approx(mean, abs=1e-6)


def test_weights_count_in_the_error() -> None:
    picture = photo(300)
    weights = np.zeros(picture.pixels.shape, np.float32)
    weights[:150] = 1
    upper = Prober(replace(picture, weights=weights), None).squared_error(300)
    assert 0 < upper < Prober(picture, None).squared_error(300)
