"""The sorted multiset against a plain list."""

import random
from bisect import insort

import pytest

from gaussianimage.codec.paper_profile.multiset import Multiset, Row


def assert_same(pool: Multiset, rows: list[Row], probes: list[Row]) -> None:
    assert len(pool) == len(rows)
    for row in probes:
        assert pool.below(row) == sum(other < row for other in rows)
        assert pool.span(row) == (pool.below(row), rows.count(row))


@pytest.mark.parametrize("kinds", [1, 40, 10**6])
def test_ranks_are_those_of_a_sorted_list(kinds: int) -> None:
    rng = random.Random(kinds)
    pool, rows = Multiset(), []
    for step in range(4000):
        # It grows to more than one block, and shrinks to nothing.
        if rng.random() < (0.95 if step < 2000 else 0.02) or not rows:
            row = (rng.randrange(kinds), rng.randrange(2))
            pool.insert(row)
            insort(rows, row)
        else:
            rank = rng.randrange(len(rows))
            row = pool.at(rank)
            assert row == rows.pop(rank)
            pool.remove(row)
        if step % 50 == 0:
            probes = [(rng.randrange(-1, kinds + 1), rng.randrange(2)) for _ in range(5)]
            assert_same(pool, rows, [row, *probes])
            assert [pool.at(rank) for rank in range(len(rows))] == rows
    assert len(rows) < 1000


@pytest.mark.parametrize("count", [0, 1, 511, 512, 513, 1024, 5000])
def test_it_starts_from_sorted_rows(count: int) -> None:
    rng = random.Random(count)
    rows = sorted((rng.randrange(count),) for _ in range(count))
    pool = Multiset(rows)
    assert [pool.at(rank) for rank in range(count)] == rows
    assert_same(pool, rows, [(i,) for i in range(-1, count + 1, 97)])
    for row in rows:
        pool.remove(row)
    assert len(pool) == 0


def test_equal_rows_that_fill_many_blocks_are_counted() -> None:
    pool = Multiset()
    for _ in range(5000):
        pool.insert((7,))
    pool.insert((8,))
    pool.insert((6,))
    assert pool.span((7,)) == (1, 5000)
    assert pool.span((8,)) == (5001, 1)
    assert pool.span((9,)) == (5002, 0)
