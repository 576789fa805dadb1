import functools
from pathlib import Path

import numpy as np
import pytest

from gaussianimage._util.interrupt import Interrupt
from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.decoder.info import info
from gaussianimage.codec.encoder.effort import effort_level
from gaussianimage.codec.encoder.quantize_fit import ENERGY, Draft, Writer
from gaussianimage.fitting.fit import fit
from gaussianimage.fitting.loop import FitResult
from gaussianimage.metrics import psnr, ssim
from gaussianimage.picture import Picture, as_picture

PARROT = as_picture(Path(__file__).parents[2] / "data" / "parrot.png")


def ignore(*_: object) -> None:
    pass


@functools.cache
def fitted() -> FitResult:
    return fit(PARROT, 150, iterations=100, energy=ENERGY)


def writer(threads: int = 1) -> Writer:
    return Writer(PARROT, fitted(), effort_level(1), threads, ignore)


def psnr_of(draft: Draft) -> float:
    return writer().psnr(writer().pixels(draft))


def test_a_draft_is_a_whole_file() -> None:
    draft = writer().draft(0.2)
    found = info(draft.data)
    assert found.gaussians == draft.gaussians > 100
    assert found.color_step == draft.step == pytest.approx(0.2, rel=0.03)
    assert draft.picture_bytes == len(draft.data)
    assert psnr_of(draft) == psnr(np.rint(PARROT.pixels * 255).astype(np.uint8), decode(draft.data))


def test_quality_is_that_of_the_decoded_bytes() -> None:
    draft = writer().draft(0.2)
    pixels = writer().pixels(draft)
    assert (pixels == decode(draft.data)).all()
    assert writer().ssim(pixels) == ssim(np.rint(PARROT.pixels * 255).astype(np.uint8), pixels)


def test_a_fit_looks_better_than_its_file() -> None:
    fitted = writer().psnr(writer().fitted_pixels())
    assert fitted == pytest.approx(writer().fitted.psnr, abs=0.5)
    assert fitted > psnr_of(writer().draft(0.4))


def test_a_further_draft_is_as_good_with_fewer_rounds() -> None:
    one = writer()
    first, further = one.draft(0.3), one.draft(0.2)
    alone = writer().draft(0.2)
    assert first.gaussians < further.gaussians
    assert len(further.data) < 1.03 * len(alone.data)
    assert psnr_of(further) > psnr_of(alone) - 0.2


def test_finer_drafts_are_larger_and_better() -> None:
    drafts = [writer().draft(step) for step in (0.8, 0.4, 0.2, 0.1)]
    sizes = [len(draft.data) for draft in drafts]
    qualities = [psnr_of(draft) for draft in drafts]
    assert sizes == sorted(sizes)
    assert qualities == sorted(qualities)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_drafts_in_turn_are_the_same_files(threads: int) -> None:
    one, other = writer(), writer(threads)
    for step in (0.3, 0.1, 0.3):
        assert one.draft(step).data == other.draft(step).data


def test_a_balanced_step_loses_little_to_quantization() -> None:
    draft = writer().draft(writer().balanced_step())
    assert writer().fitted.psnr - 3 < psnr_of(draft) < writer().fitted.psnr


def test_weak_gaussians_are_left_out_of_coarse_drafts() -> None:
    assert writer().draft(0.8).gaussians < writer().draft(0.1).gaussians <= 149


@pytest.mark.parametrize("most", [600, 300, 100, 60])
def test_a_draft_is_shortened_by_its_least_important_gaussians(most: int) -> None:
    draft = writer().draft(0.2)
    shorter = writer().shortened(draft, most)
    assert shorter.picture_bytes <= most
    assert shorter.gaussians < draft.gaussians
    assert decode(shorter.data).shape == (64, 96, 3)


def test_nothing_is_shorter_than_a_file_without_gaussians() -> None:
    draft = writer().shortened(writer().draft(0.2), 1)
    assert draft.gaussians == 0
    assert draft.picture_bytes < 60


@pytest.mark.parametrize("size", [1, 100, 20000])
def test_metadata_is_counted_to_the_byte(size: int) -> None:
    noise = np.random.default_rng(0).bytes(size)
    picture = Picture(PARROT.pixels, icc=noise, exif=b"II*" + noise, xmp=b"<x/>")
    plain, rich = (
        Writer(p, writer().fitted, effort_level(1), 1, ignore).draft(0.3) for p in (PARROT, picture)
    )
    assert Writer.metadata_size(picture) == len(rich.data) - len(plain.data)
    assert Writer.metadata_size(PARROT) == 0
    assert rich.picture_bytes == plain.picture_bytes


def test_stages_are_reported_with_a_psnr() -> None:
    told: list[tuple[str, int, int, int, float]] = []
    Writer(PARROT, writer().fitted, effort_level(1), 1, lambda *s: told.append(s)).draft(0.2)
    effort = effort_level(1)
    counts = {"settle": effort.rounds, "quantize": effort.stages, "refine": effort.sweeps}
    expected = [(name, n + 1, count) for name, count in counts.items() for n in range(count)]
    assert [news[:3] for news in told] == expected
    assert all(gaussians > 50 for _, _, _, gaussians, _ in told)
    assert all(decibels > 15 for stage, _, _, _, decibels in told if stage != "refine")


def test_an_interrupt_makes_the_rest_quick_and_the_file_whole() -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    stopped = Writer(PARROT, writer().fitted, effort_level(1), 1, stop, interrupt=Interrupt("keep"))
    draft = stopped.draft(0.2)
    assert stopped.interrupted
    assert decode(draft.data).shape == (64, 96, 3)


def test_a_draft_after_one_without_gaussians_has_them_again() -> None:
    one = writer()
    assert one.draft(4.0).gaussians < 10
    assert one.draft(0.2).data == writer().draft(0.2).data
