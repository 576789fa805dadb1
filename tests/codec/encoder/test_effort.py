from itertools import pairwise
from typing import Any

import pytest

from gaussianimage.codec.encoder.effort import DEFAULT_EFFORT, effort_level


def test_more_effort_is_never_less_of_anything() -> None:
    levels = [effort_level(level) for level in range(1, 11)]
    rows = [
        (
            effort.fit,
            effort.rounds * effort.round_iterations,
            effort.stages * effort.stage_iterations,
            effort.stage_passes,
            effort.passes,
            effort.drafts,
        )
        for effort in levels
    ]
    for less, more in pairwise(rows):
        assert all(a <= b for a, b in zip(less, more, strict=True))
        assert less != more
    assert 1 <= DEFAULT_EFFORT <= 10


@pytest.mark.parametrize(
    ("level", "error"),
    [(0, ValueError), (11, ValueError), (-1, ValueError), (5.0, TypeError), ("5", TypeError)],
)
def test_other_levels_are_refused(level: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="effort"):
        effort_level(level)
