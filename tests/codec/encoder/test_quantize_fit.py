import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaussianimage._util.interrupt import Interrupt
from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.decoder.info import info
from gaussianimage.codec.encoder.draft import Draft
from gaussianimage.codec.encoder.effort import effort_level
from gaussianimage.codec.encoder.eye_weights import BLOCK_WEIGHT
from gaussianimage.codec.encoder.prepare import PreparedPicture
from gaussianimage.codec.encoder.quantize_fit import ENERGY, FitQuantizer
from gaussianimage.codec.encoder.rd_quantization import WEIGHT_OF_A_BIT
from gaussianimage.codec.encoder.source_quality import SourceQuality
from gaussianimage.fitting.fit import fit
from gaussianimage.fitting.loop import FitResult
from gaussianimage.picture import as_picture

PARROT = as_picture(Path(__file__).parents[2] / "data" / "parrot.png")
SOURCE = PreparedPicture.plain(PARROT)
QUALITY = SourceQuality(SOURCE, 1)


def ignore(*_: object) -> None:
    pass


@functools.cache
def fitted() -> FitResult:
    return fit(PARROT, 150, iterations=100, energy=ENERGY)


def quantizer(threads: int = 1) -> FitQuantizer:
    return FitQuantizer(SOURCE, fitted(), effort_level(1), threads, ignore)


def measure_psnr(draft: Draft) -> float:
    return QUALITY.psnr(QUALITY.decode(draft))


def test_a_draft_is_a_whole_file() -> None:
    draft = quantizer().quantize(0.2)
    found = info(draft.data)
    assert found.gaussians == draft.gaussians > 100
    assert found.color_step == draft.step == pytest.approx(0.2, rel=0.03)
    assert draft.picture_bytes == len(draft.data)


def test_a_further_draft_is_as_good_with_fewer_rounds() -> None:
    one = quantizer()
    first, further = one.quantize(0.3), one.quantize(0.2)
    alone = quantizer().quantize(0.2)
    assert first.gaussians < further.gaussians
    assert len(further.data) < 1.03 * len(alone.data)
    assert measure_psnr(further) > measure_psnr(alone) - 0.2


@pytest.mark.parametrize("step", [0.1, 0.3])
def test_further_cycles_lower_the_cost(step: float) -> None:
    costs = []
    for cycles in (1, 2, 4):
        effort = replace(effort_level(1), cycles=cycles)
        chosen = FitQuantizer(SOURCE, fitted(), effort, 1, ignore)
        draft = chosen.quantize(step)
        bits = 8 * len(draft.data)
        costs.append(2 * chosen.error(draft) + WEIGHT_OF_A_BIT * draft.step**2 * bits)
    assert costs[0] > costs[1] > costs[2]


def test_finer_drafts_are_larger_and_better() -> None:
    drafts = [quantizer().quantize(step) for step in (0.8, 0.4, 0.2, 0.1)]
    sizes = [len(draft.data) for draft in drafts]
    qualities = [measure_psnr(draft) for draft in drafts]
    assert sizes == sorted(sizes)
    assert qualities == sorted(qualities)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_drafts_in_turn_are_the_same_files(threads: int) -> None:
    one, other = quantizer(), quantizer(threads)
    for step in (0.3, 0.1, 0.3):
        assert one.quantize(step).data == other.quantize(step).data


def test_a_balanced_step_loses_little_to_quantization() -> None:
    draft = quantizer().quantize(quantizer().balanced_step())
    assert quantizer().fitted.psnr - 3 < measure_psnr(draft) < quantizer().fitted.psnr


def test_weak_gaussians_are_left_out_of_coarse_drafts() -> None:
    coarse, fine = (quantizer().quantize(step).gaussians for step in (0.8, 0.1))
    assert coarse < fine <= 149


def test_stages_are_reported_with_a_psnr() -> None:
    told: list[tuple[str, int, int, int, float]] = []
    effort = effort_level(1)
    FitQuantizer(SOURCE, fitted(), effort, 1, lambda *news: told.append(news)).quantize(0.2)
    counts = {"prune": effort.rounds, "quantize": effort.stages, "refine": effort.passes}
    expected = [(name, n + 1, count) for name, count in counts.items() for n in range(count)]
    assert [news[:3] for news in told] == expected
    assert all(gaussians > 50 for _, _, _, gaussians, _ in told)
    assert all(decibels > 15 for stage, _, _, _, decibels in told if stage != "refine")


def test_an_interrupt_makes_the_rest_quick_and_the_file_whole() -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    stopped = FitQuantizer(SOURCE, fitted(), effort_level(1), 1, stop, Interrupt("keep"))
    draft = stopped.quantize(0.2)
    assert stopped.interrupted
    assert decode(draft.data).shape == (64, 96, 3)


def test_a_draft_after_one_without_gaussians_has_them_again() -> None:
    one = quantizer()
    assert one.quantize(4.0).gaussians < 10
    assert one.quantize(0.2).data == quantizer().quantize(0.2).data


def test_a_draft_between_two_starts_from_the_finer_one() -> None:
    one = quantizer()
    one.quantize(0.2)
    one.quantize(0.8)
    alone = quantizer()
    alone.quantize(0.2)
    assert one.quantize(0.5).data == alone.quantize(0.5).data
    assert one.quantize(0.9).gaussians <= one.quantize(0.6).gaussians


def test_lighter_drafts_fall_in_size() -> None:
    one = quantizer()
    draft = one.quantize(0.2)
    sizes = [len(draft.data), *(len(lighter.data) for lighter in one.lighter(draft))]
    assert len(sizes) > 3
    assert sizes == sorted(sizes, reverse=True)


def test_richer_drafts_grow_and_come_closer() -> None:
    one = quantizer()
    draft = one.quantize(0.2)
    drafts = [draft, *one.richer(draft)]
    sizes, errors = [len(each.data) for each in drafts], [one.error(each) for each in drafts]
    assert len(sizes) > 3
    assert sizes[-1] > sizes[0]
    assert errors == sorted(errors, reverse=True)


def test_the_error_is_half_the_sum_of_squares() -> None:
    one = quantizer()
    for step in (0.4, 0.1):
        draft = one.quantize(step)
        drawn = decode(draft.data, dtype="float32")
        # Drawing clips, and so takes a little of the error away.
        expected = 0.5 * np.square(drawn - PARROT.pixels).sum(dtype=np.float64)
        assert expected <= one.error(draft) == pytest.approx(expected, rel=0.05)


def test_the_error_has_the_weights_of_the_eye() -> None:
    left = np.ones(PARROT.pixels.shape[:2], np.float32)
    left[:, 48:] = 0
    source = replace(SOURCE, weights=left)
    one = FitQuantizer(source, fitted(), effort_level(1), 1, ignore)
    draft = quantizer().quantize(0.2)
    residual = decode(draft.data, dtype="float32") - PARROT.pixels
    plain = 0.5 * np.square(residual[:, :48]).sum(dtype=np.float64)
    assert plain < one.error(draft) < (1 + BLOCK_WEIGHT) * 1.05 * plain
