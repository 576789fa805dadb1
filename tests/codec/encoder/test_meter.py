import math

from gaussianimage.codec.encoder.effort import effort_level
from gaussianimage.codec.encoder.meter import Meter
from gaussianimage.fitting.progress import Progress


def meter(told: list[Progress], **options: int) -> Meter:
    return Meter(told.append, effort_level(1), drafts=options.get("drafts", 1), probes=False)


def test_what_is_planned_ends_near_the_whole() -> None:
    told: list[Progress] = []
    one = meter(told)
    for stage in ("fit", "prune", "quantize", "refine"):
        for number in range(1, 5):
            one.report(stage, number, 4, 10, 30.0)
    assert told[0].done < 0.2
    assert told[-1].done > 0.95
    assert [news.done for news in told] == sorted(news.done for news in told)


def test_more_drafts_than_planned_never_set_it_back() -> None:
    told: list[Progress] = []
    one = meter(told)
    one.report("fit", 4, 4, 10, 30.0)
    for _ in range(5):
        for stage in ("prune", "quantize", "refine"):
            for number in range(1, 5):
                one.report(stage, number, 4, 10, 30.0)
    done = [news.done for news in told]
    assert done == sorted(done)
    assert done[-1] < 1


def test_time_left_is_finite_once_something_is_done() -> None:
    told: list[Progress] = []
    one = meter(told)
    one.report("fit", 0, 4, 10, math.nan)
    one.report("fit", 2, 4, 10, 30.0)
    assert told[0].seconds_left == math.inf
    assert 0 <= told[1].seconds_left < math.inf
    assert told[1].seconds >= told[0].seconds


def test_nobody_needs_to_be_told() -> None:
    Meter(None, effort_level(5), drafts=3, probes=True).report("probe", 1, 2, 3, 4.0)
