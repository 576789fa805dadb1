import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from gaussianimage.batching import ray_engine
from gaussianimage.batching.engines import check_engine, open_engine
from gaussianimage.batching.local_engine import LocalEngine


def numbers(count: int) -> Iterator[list[int]]:
    return ([number] for number in range(count))


def test_every_group_comes_back_with_its_value_or_its_error() -> None:
    def work(group: Sequence[int]) -> int:
        if group[0] == 3:
            raise ValueError("three")
        return group[0] ** 2

    results = {tuple(group): (value, error) for group, value, error in run(work, 20)}
    assert {group: value for group, (value, _) in results.items() if group != (3,)} == {
        (number,): number**2 for number in range(20) if number != 3
    }
    assert isinstance(results[3,][1], ValueError)


def run(work: Any, count: int, **options: Any) -> list[Any]:
    return list(LocalEngine(2).run(work, numbers(count), **options))


def test_two_workers_work_at_the_same_time_and_one_alone() -> None:
    together = threading.Barrier(2)
    run(lambda group: together.wait(30), 4)
    threads = {value for _, value, _ in run(lambda group: threading.get_ident(), 8, alone=True)}
    assert len(threads) == 1


def test_groups_are_read_only_a_little_ahead() -> None:
    read = []

    def groups() -> Iterator[list[int]]:
        for number in range(1000):
            read.append(number)
            yield [number]

    results = LocalEngine(2).run(lambda group: 1, groups())
    next(results)
    assert len(read) <= 4
    results.close()  # type: ignore[attr-defined]


def test_closing_ends_the_work() -> None:
    begun, release = threading.Event(), threading.Event()
    worked = []

    def work(group: Sequence[int]) -> None:
        worked.append(group)
        if group[0]:
            begun.set()
            release.wait(30)

    results = LocalEngine(2).run(work, numbers(100))
    next(results)
    assert begun.wait(30)
    release.set()
    results.close()  # type: ignore[attr-defined]
    assert len(worked) <= 5


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("spark", {}),
        ("local", {"address": "auto"}),
        ("local", {"jobs": 0}),
        ("local", {"jobs": 257}),
        ("ray", {"jobs": 0}),
    ],
)
def test_arguments_are_checked(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        check_engine(name, **options)


def test_ray_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"needs Ray: pip install gaussianimage\[ray\]"):
        open_engine("ray")


def test_ray_that_does_not_start_is_an_error_of_the_connection() -> None:
    class Busy:
        def init(self, **options: Any) -> None:
            raise Exception("The current node timed out during startup.\nThis could be …")

    with pytest.raises(ConnectionError, match=r"^Ray does not start: The current .* startup\.$"):
        ray_engine._start(Busy(), None, None)
