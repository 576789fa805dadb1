import numpy as np
import pytest

from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.encoder.effort import effort_level
from gaussianimage.codec.encoder.prepare import PreparedPicture
from gaussianimage.codec.encoder.quantize_fit import ENERGY, FitQuantizer
from gaussianimage.codec.encoder.search import search_size
from gaussianimage.codec.encoder.source_quality import SourceQuality
from gaussianimage.codec.encoder.tiny_pictures import (
    LEAST_STARTS,
    MOST_STARTS,
    best_start,
    best_start_within_size,
)
from gaussianimage.fitting.fit import fit
from gaussianimage.fitting.state import FitState
from gaussianimage.picture import as_picture


class Fitter:
    """Fits a picture, and records the starts."""

    def __init__(self, source: PreparedPicture) -> None:
        self.starts: list[tuple[int, bool]] = []
        self._source = source

    def __call__(
        self, gaussians: int, start: int = 0, resume: FitState | None = None
    ) -> FitQuantizer:
        self.starts.append((start, resume is not None))
        fitted = fit(
            self._source.fitted, gaussians, iterations=30, seed=start, energy=ENERGY, resume=resume
        )
        return FitQuantizer(self._source, fitted, effort_level(1), 1, lambda *_: None)


@pytest.mark.parametrize(
    ("size", "starts"), [((1, 4), MOST_STARTS), ((8, 8), 16), ((30, 30), LEAST_STARTS)], ids=str
)
def test_fewer_pixels_have_more_starts(size: tuple[int, int], starts: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    source = PreparedPicture.plain(as_picture(pixels))
    fitter = Fitter(source)
    draft = best_start(fitter, SourceQuality(source, 1), source, 3, 0.1)
    assert decode(draft.data).shape == pixels.shape
    numbers = [start for start, _ in fitter.starts]
    assert max(numbers) == starts - 1
    # The first start of a handful of pixels has a Gaussian for each of them.
    assert any(resumed for _, resumed in fitter.starts) == (size != (30, 30))


def test_the_best_of_the_starts_is_kept() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (6, 5)).astype(np.uint8)
    source = PreparedPicture.plain(as_picture(pixels))
    quality = SourceQuality(source, 1)
    best = best_start(Fitter(source), quality, source, 3, 0.1)
    for start in range(4):
        other = Fitter(source)(3, start).quantize(0.1)
        assert quality.cost(best, 0.1) <= quality.cost(other, 0.1)


def test_the_best_within_a_size_uses_it_better_than_one_start() -> None:
    gains = []
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
        source = PreparedPicture.plain(as_picture(pixels))
        quality = SourceQuality(source, 1)
        for most in (100, 150, 250):  # a byte less may be worth a decibel
            best = best_start_within_size(Fitter(source), quality, source, 6, most)
            assert best.picture_bytes <= most
            one = search_size(Fitter(source), 6, most, 4)
            gains.append(quality.psnr(quality.decode(best)) - quality.psnr(quality.decode(one)))
    assert np.mean(gains) > 0.2


def test_a_size_below_that_of_every_file_gives_the_file_without_gaussians() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (4, 4)).astype(np.uint8)
    source = PreparedPicture.plain(as_picture(pixels))
    draft = best_start_within_size(Fitter(source), SourceQuality(source, 1), source, 3, 10)
    assert draft.gaussians == 0
