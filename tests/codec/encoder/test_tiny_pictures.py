import numpy as np
import pytest

from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.encoder.effort import effort_level
from gaussianimage.codec.encoder.prepare import PreparedPicture
from gaussianimage.codec.encoder.quantize_fit import ENERGY, FitQuantizer
from gaussianimage.codec.encoder.search import PSNR, search_size
from gaussianimage.codec.encoder.source_quality import SourceQuality
from gaussianimage.codec.encoder.tiny_pictures import (
    LEAST_STARTS,
    MOST_STARTS,
    best_start,
    best_start_for_quality,
    best_start_within_size,
)
from gaussianimage.fitting.fit import fit
from gaussianimage.fitting.state import FitState
from gaussianimage.picture import as_picture


class Fitter:
    """Fits a picture, and records the starts and how often they are quantized."""

    def __init__(self, source: PreparedPicture) -> None:
        self.starts: list[tuple[int, bool]] = []
        self.quantized = 0
        self._source = source

    def __call__(
        self, gaussians: int, start: int = 0, resume: FitState | None = None
    ) -> FitQuantizer:
        self.starts.append((start, resume is not None))
        fitted = fit(
            self._source.fitted, gaussians, iterations=30, seed=start, energy=ENERGY, resume=resume
        )
        return FitQuantizer(self._source, fitted, effort_level(1), 1, self._count)

    def _count(self, stage: str, number: int, *_: float) -> None:
        self.quantized += stage == "refine" and number == 1


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


def test_a_search_quantizes_few_starts_with_many_steps() -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    source = PreparedPicture.plain(as_picture(pixels))
    fitter = Fitter(source)
    best_start_within_size(fitter, SourceQuality(source, 1), source, 6, 150)
    starts = {start for start, _ in fitter.starts}
    assert len(starts) == 1024 // 30
    # Each start is fitted once, beside the fits for the first step and for the background.
    assert len(fitter.starts) <= len(starts) + 2
    assert len(starts) < fitter.quantized < 3 * len(starts)


def test_a_file_without_error_ends_the_search_for_a_size() -> None:
    pixels = np.full((8, 8, 3), 90, np.uint8)
    pixels[2:6, 3:5] = 30
    source = PreparedPicture.plain(as_picture(pixels))
    fitter, quality = Fitter(source), SourceQuality(source, 1)
    draft = best_start_within_size(fitter, quality, source, 6, 3000)
    assert quality.psnr(quality.decode(draft)) == np.inf
    assert {start for start, _ in fitter.starts} <= {0, 1, 2}


@pytest.mark.parametrize("decibels", [25.0, 33.0, 45.0])
@pytest.mark.parametrize("kind", ["noise", "dots", "bars", "two"])
def test_a_psnr_is_reached_in_few_bytes(kind: str, decibels: float) -> None:
    generator = np.random.default_rng(3)
    pixels = np.full((9, 7, 3), 200, np.uint8)
    if kind == "noise":
        pixels = generator.integers(0, 256, pixels.shape).astype(np.uint8)
    elif kind == "dots":
        pixels[[1, 6], [5, 2]] = (0, 40, 90)
    elif kind == "bars":
        pixels[2:5, 1] = pixels[3:8, 4:6] = 0
    else:
        pixels = np.array([[[11000, 65535]], [[60000, 65535]]], np.uint16)
    source = PreparedPicture.plain(as_picture(pixels))
    quality = SourceQuality(source, 1)
    found = [
        best_start_for_quality(Fitter(source), quality, source, 6, target, PSNR)
        for target in (decibels, decibels + 12)
    ]
    reached = [quality.psnr(quality.decode(draft)) for draft in found]
    assert reached[0] >= decibels - 0.1
    assert reached[1] >= decibels + 12 - 0.1
    assert found[0].picture_bytes <= found[1].picture_bytes


def test_a_psnr_beyond_reach_gives_what_comes_closest() -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    source = PreparedPicture.plain(as_picture(pixels))
    quality = SourceQuality(source, 1)
    draft = best_start_for_quality(Fitter(source), quality, source, 6, 300.0, PSNR)
    assert quality.psnr(quality.decode(draft)) > 50
