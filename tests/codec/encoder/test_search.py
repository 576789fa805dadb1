"""The searches for a size and a PSNR, with the number of fits that they take."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from gaussianimage._util.interrupt import Interrupt
from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.encoder.effort import effort_level
from gaussianimage.codec.encoder.encode import encode_with_result
from gaussianimage.codec.encoder.prepare import PreparedPicture
from gaussianimage.codec.encoder.quantize_fit import ENERGY, FitQuantizer
from gaussianimage.codec.encoder.search import (
    MAX_FITS,
    PSNR,
    QUALITY_TOLERANCE,
    SIZE_TOLERANCE,
    SSIM,
    _cut,
    decibels_of_ssim,
    search_quality,
    search_size,
)
from gaussianimage.codec.encoder.source_quality import SourceQuality
from gaussianimage.fitting.fit import fit
from gaussianimage.picture import as_picture

PARROT = as_picture(Path(__file__).parents[2] / "data" / "parrot.png")
SOURCE = PreparedPicture.plain(PARROT)
QUALITY = SourceQuality(SOURCE, 1)


def ignore(*_: object) -> None:
    pass


class Fitter:
    """Fits a picture, and records the numbers of Gaussians."""

    def __init__(self, on_stage: Callable[[str, int, int, int, float], None] = ignore) -> None:
        self.counts: list[int] = []
        self._on_stage = on_stage
        self.interrupt = Interrupt("keep")

    def __call__(self, gaussians: int) -> FitQuantizer:
        self.counts.append(gaussians)
        fitted = fit(PARROT, gaussians, iterations=60, energy=ENERGY)
        return FitQuantizer(SOURCE, fitted, effort_level(1), 1, self._on_stage, self.interrupt)


@pytest.mark.parametrize("most", [150, 700, 2500])
@pytest.mark.parametrize("guess", [1, 150, 6000])
def test_a_size_is_found_from_any_guess(most: int, guess: int) -> None:
    fitter = Fitter()
    draft = search_size(fitter, guess, most, 6)
    assert (1 - 3 * SIZE_TOLERANCE) * most - 14 < draft.picture_bytes <= most
    assert fitter.counts[0] == guess
    assert len(fitter.counts) <= MAX_FITS


def test_a_larger_file_is_no_worse() -> None:
    # At 1000 bytes, the third draft still leaves 3 % of the bytes, and the first is much too large.
    sizes = (900, 950, 1000, 1050, 1100)
    found = [encode_with_result(PARROT, size=size, effort=1) for size in sizes]
    for size, result in zip(sizes, found, strict=True):
        assert 0.93 * size < len(result.data) <= size
    for smaller, larger in pairwise(found):
        assert larger.psnr > smaller.psnr - 0.5


def test_a_good_guess_takes_one_fit() -> None:
    fitter = Fitter()
    search_size(fitter, 225, 700, 6)
    assert fitter.counts == [225]


def test_a_file_that_is_a_little_too_large_is_refined_rather_than_cut() -> None:
    quantizer = Fitter()(200)
    draft = quantizer.quantize(0.15)
    most = 0.97 * draft.picture_bytes
    (lighter,), cut = _cut(quantizer, draft, most), draft.shortened(most)
    for smaller in (lighter, cut):
        assert (1 - SIZE_TOLERANCE) * most <= smaller.picture_bytes <= most
    assert QUALITY.psnr(QUALITY.decode(lighter)) > QUALITY.psnr(QUALITY.decode(cut))


@pytest.mark.parametrize("target", [20.0, 25.0, 30.0])
@pytest.mark.parametrize("guess", [10, 300])
def test_a_psnr_is_found_from_any_guess(target: float, guess: int) -> None:
    fitter = Fitter()
    draft = search_quality(fitter, QUALITY, guess, target, PSNR, 6)
    found = QUALITY.psnr(QUALITY.decode(draft))
    assert found == pytest.approx(target, abs=5 * QUALITY_TOLERANCE)
    assert len(fitter.counts) <= MAX_FITS


@pytest.mark.parametrize("most", [1e12, 1.0])
def test_absurd_sizes_give_the_nearest_file(most: float) -> None:
    fitter = Fitter()
    draft = search_size(fitter, 100, most, 3)
    assert max(fitter.counts) <= 64 * 96
    assert decode(draft.data).shape == (64, 96, 3)
    if most == 1.0:
        assert draft.gaussians == 0


@pytest.mark.parametrize("target", [1.0, 100.0])
def test_absurd_psnrs_give_a_file_all_the_same(target: float) -> None:
    fitter = Fitter()
    draft = search_quality(fitter, QUALITY, 100, target, PSNR, 3)
    assert max(fitter.counts) <= 64 * 96
    assert 10 < QUALITY.psnr(QUALITY.decode(draft)) < 100


@pytest.mark.parametrize("target", [0.6, 0.8, 0.9])
def test_an_ssim_is_found(target: float) -> None:
    fitter = Fitter()
    draft = search_quality(fitter, QUALITY, 100, decibels_of_ssim(target), SSIM, 6)
    found = decibels_of_ssim(QUALITY.ssim(QUALITY.decode(draft)))
    assert found == pytest.approx(decibels_of_ssim(target), abs=5 * QUALITY_TOLERANCE)
    assert len(fitter.counts) <= MAX_FITS


def test_an_ssim_below_that_of_the_mean_color_takes_next_to_nothing() -> None:
    draft = search_quality(Fitter(), QUALITY, 100, decibels_of_ssim(0.0), SSIM, 3)
    assert draft.gaussians <= 5
    assert 0 < QUALITY.ssim(QUALITY.decode(draft)) < 0.6


def test_the_decibels_of_an_ssim_stay_finite() -> None:
    assert decibels_of_ssim(0) == 0
    assert decibels_of_ssim(0.99) == pytest.approx(20)
    assert decibels_of_ssim(1) == pytest.approx(120)


@pytest.mark.parametrize("kind", ["size", "quality"])
def test_an_interrupted_search_ends_with_what_it_has(kind: str) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    fitter = Fitter(stop)
    if kind == "size":
        draft = search_size(fitter, 150, 300.0, 6)
    else:
        draft = search_quality(fitter, QUALITY, 150, 30.0, PSNR, 6)
    assert fitter.interrupt.is_pressed()
    assert len(fitter.counts) <= 3
    assert decode(draft.data).shape == (64, 96, 3)


def test_a_file_is_blank_only_where_that_is_good_enough() -> None:
    pixels = np.full((36, 120), 70, np.uint8)
    pixels[17] = 120
    blank = encode_with_result(pixels, psnr=1, effort=1)
    assert blank.gaussians == 0
    # One Gaussian gives 40 dB at once, which is further from these than the blank file.
    for more in (0.3, 1.0, 2.0):
        found = encode_with_result(pixels, psnr=blank.psnr + more, effort=1)
        assert found.gaussians > 0
        assert found.psnr > blank.psnr + more
    assert encode_with_result(pixels, psnr=blank.psnr - 0.5, effort=1).gaussians == 0
