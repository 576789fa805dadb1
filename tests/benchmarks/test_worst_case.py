"""Hostile files are within the limits, and take the time and memory of their kind."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import worst_case

import gaussianimage
from gaussianimage import Limits

SMALL = Limits(
    max_pixels=2**16,
    max_work=2**20,
    max_gaussians=2**12,
    max_output=2**20,
    max_memory=2**22,
    max_metadata=2**12,
)


@pytest.mark.parametrize("name", ["small", "huge", "wide and flat", "tall and thin"])
def test_a_crowd_takes_nearly_all_of_the_work_that_is_allowed(name: str) -> None:
    crowd: Any = worst_case.KINDS[name].make
    some = dataclasses.replace(crowd, height=min(crowd.height, 256), width=min(crowd.width, 256))
    data = some(SMALL)
    work = gaussianimage.info(data).work
    full = gaussianimage.info(data).gaussians >= 0.9 * SMALL.max_gaussians
    assert full or 0.8 * SMALL.max_work < work <= SMALL.max_work


@pytest.mark.parametrize("name", ["constant, RGB", "constant, RGBA floats", "metadata"])
def test_other_kinds_are_decoded_under_the_limits(name: str, tmp_path: Path) -> None:
    found = worst_case.measure(worst_case.KINDS[name], SMALL, tmp_path)
    assert found["outcome"] == "decoded"
    assert found["file"] < 2**14
    assert found["bytes"] > 2**20


def test_a_refusal_is_told_by_its_limit(tmp_path: Path) -> None:
    kind = worst_case.Kind(worst_case.constant(1, 3))
    data = kind.make(Limits())
    found = worst_case.measure(worst_case.Kind(lambda _: data), SMALL, tmp_path)
    assert found["outcome"] == "refused: max_pixels"
