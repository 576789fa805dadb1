"""Coding a set is lossless and saves as many bits as theory predicts."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussianimage.codec.paper_profile.ans import ExhaustedError, Stack
from gaussianimage.codec.paper_profile.bits_back import log2_factorial, pop_set, push_set

Row = tuple[int, ...]


class Raw:
    """Codes rows of one number with a fixed number of bits."""

    def __init__(self, bits: int) -> None:
        self.bits = bits

    def push(self, stack: Stack, row: Row) -> None:
        stack.push(row[0] << (32 - self.bits), 1 << (32 - self.bits))

    def pop(self, stack: Stack) -> Row:
        value = stack.slot() >> (32 - self.bits)
        stack.pop(value << (32 - self.bits), 1 << (32 - self.bits))
        return (value,)


def orders(rows: list[Row]) -> float:
    """log2 of the number of ways to order a multiset."""
    return log2_factorial(len(rows)) - sum(log2_factorial(n) for n in Counter(rows).values())


@given(
    st.lists(st.integers(0, 2**20 - 1), max_size=60),
    st.booleans(),
    st.booleans(),
)
def test_every_multiset_comes_back(numbers: list[int], repeated: bool, interleaved: bool) -> None:
    rows = sorted((number % 5 if repeated else number,) for number in numbers)
    coder = Raw(20)
    stack, first = push_set(rows, coder, interleaved=interleaved)
    assert 0 <= first <= len(rows)
    found = pop_set(stack, len(rows), first, coder, interleaved=interleaved)
    assert sorted(found) == rows
    assert stack.empty()


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("repeated", [False, True])
def test_the_saving_is_that_of_the_theory(repeated: bool, interleaved: bool) -> None:
    rng = np.random.default_rng(0)
    kinds = 600 if repeated else 2**24
    rows = sorted((int(number),) for number in rng.integers(0, kinds, 2000))
    stack, first = push_set(rows, Raw(24), interleaved=interleaved)
    saved = 24 * len(rows) - stack.bits()
    assert saved == pytest.approx(orders(rows[first:]), abs=0.5)
    assert saved <= orders(rows)


def test_as_few_as_possible_come_first() -> None:
    rows = [(i,) for i in range(1000)]
    _, first = push_set(rows, Raw(32), interleaved=False)
    assert 32 * (first - 1) < log2_factorial(1000 - first + 1)
    assert 32 * first >= log2_factorial(1000 - first)
    _, first = push_set(rows, Raw(32), interleaved=True)
    assert first == 1


def test_gaussians_that_cost_too_little_are_coded_without_a_set() -> None:
    rows = [(i % 2,) for i in range(50)]
    for interleaved in (False, True):
        stack, first = push_set(sorted(rows), Raw(1), interleaved=interleaved)
        assert sorted(pop_set(stack, 50, first, Raw(1), interleaved=interleaved)) == sorted(rows)
        assert stack.empty()


@pytest.mark.parametrize("interleaved", [False, True])
def test_more_than_there_are_cannot_be_popped(interleaved: bool) -> None:
    rows = [(i,) for i in range(10)]
    stack, first = push_set(rows, Raw(16), interleaved=interleaved)
    with pytest.raises(ExhaustedError):
        pop_set(stack, 1000, first, Raw(16), interleaved=interleaved)


def test_log2_of_a_factorial() -> None:
    assert log2_factorial(0) == 0
    assert log2_factorial(5) == pytest.approx(math.log2(120))
