import functools
from pathlib import Path

import numpy as np
import pytest

from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.encoder.draft import Draft
from gaussianimage.codec.encoder.effort import effort_level
from gaussianimage.codec.encoder.prepare import PreparedPicture
from gaussianimage.codec.encoder.quantize_fit import ENERGY, FitQuantizer
from gaussianimage.codec.encoder.source_quality import SourceQuality
from gaussianimage.fitting.fit import fit
from gaussianimage.fitting.loop import FitResult
from gaussianimage.metrics import psnr, ssim
from gaussianimage.picture import as_picture

PARROT = as_picture(Path(__file__).parents[2] / "data" / "parrot.png")
LEVELS = np.rint(PARROT.pixels * 255).astype(np.uint8)
SOURCE = PreparedPicture.plain(PARROT)
QUALITY = SourceQuality(SOURCE, 1)


@functools.cache
def fitted() -> FitResult:
    return fit(PARROT, 150, iterations=100, energy=ENERGY)


@functools.cache
def draft(step: float) -> Draft:
    return FitQuantizer(SOURCE, fitted(), effort_level(1), 1, lambda *_: None).quantize(step)


def test_quality_is_that_of_the_decoded_bytes() -> None:
    pixels = QUALITY.decode(draft(0.2))
    assert (pixels == decode(draft(0.2).data)).all()
    assert QUALITY.psnr(pixels) == psnr(LEVELS, pixels)
    assert QUALITY.ssim(pixels) == ssim(LEVELS, pixels)


def test_a_fit_looks_better_than_its_file() -> None:
    drawn = QUALITY.psnr(QUALITY.draw(fitted()))
    assert drawn == pytest.approx(fitted().psnr, abs=0.5)
    assert drawn > QUALITY.psnr(QUALITY.decode(draft(0.4)))


def test_the_cost_weighs_bits_by_the_step() -> None:
    cheap, dear = (QUALITY.cost(draft(0.2), step) for step in (0.01, 1.0))
    error = 10 ** (-QUALITY.psnr(QUALITY.decode(draft(0.2))) / 10) * PARROT.pixels.size
    assert error < cheap < 1.01 * error
    assert dear == pytest.approx(error + np.log(2) / 6 * 8 * len(draft(0.2).data))


def test_invisible_colors_do_not_count() -> None:
    alpha = np.full((*LEVELS.shape[:2], 1), 255, np.uint8)
    alpha[:, :40] = 0
    picture = as_picture(np.dstack([LEVELS, alpha]))
    other = np.dstack([LEVELS, alpha])
    other[:, :40, :3] = 77
    assert SourceQuality(PreparedPicture.plain(picture), 1).psnr(other) == float("inf")
