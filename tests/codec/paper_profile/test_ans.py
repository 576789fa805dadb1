"""The stack coder: pops undo pushes and pushes undo pops, from any state."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussianimage.codec.paper_profile.ans import LEAST, ExhaustedError, Stack

slots = st.integers(0, 2**32 - 1).flatmap(
    lambda start: st.tuples(st.just(start), st.integers(1, 2**32 - start))
)
states = st.integers(LEAST, 2**64 - 1)
words = st.lists(st.integers(0, 2**16 - 1), max_size=8)


def content(stack: Stack) -> tuple[int, list[int]]:
    return stack.state, stack.words


@given(states, words, st.lists(slots, max_size=20))
def test_popping_undoes_pushing(
    state: int, below: list[int], symbols: list[tuple[int, int]]
) -> None:
    stack = Stack(state, below)
    for start, size in symbols:
        stack.push(start, size)
        assert LEAST <= stack.state < 2**64
        assert start <= stack.slot() < start + size
    for start, size in reversed(symbols):
        assert start <= stack.slot() < start + size
        stack.pop(start, size)
    assert content(stack) == (state, below)


@given(states, st.lists(st.integers(0, 2**16 - 1), min_size=40, max_size=40), st.integers(1, 2**32))
def test_pushing_undoes_popping(state: int, below: list[int], total: int) -> None:
    stack = Stack(state, below)
    popped = []
    for _ in range(10):
        rank = ((stack.slot() + 1) * total - 1) >> 32
        start = (rank << 32) // total
        size = ((rank + 1) << 32) // total - start
        assert start <= stack.slot() < start + size
        stack.pop(start, size)
        assert LEAST <= stack.state < 2**64
        popped.append((start, size))
    for start, size in reversed(popped):
        stack.push(start, size)
    assert content(stack) == (state, below)


def test_a_symbol_takes_the_bits_that_its_share_tells() -> None:
    rng = random.Random(1)
    stack, expected = Stack(), 0.0
    for _ in range(20000):
        size = math.ceil(2 ** rng.uniform(0, 32))
        stack.push(rng.randrange(0, 2**32 - size + 1), size)
        expected += 32 - math.log2(size)
    assert stack.bits() == pytest.approx(expected, rel=2e-5)


def test_an_empty_stack_has_no_bits() -> None:
    stack = Stack()
    assert stack.empty()
    assert stack.bits() == 0
    stack.push(0, 2**32)  # a certain symbol
    assert stack.empty()
    stack.push(0, 2**31)
    assert not stack.empty()
    assert stack.bits() == 1


def test_what_was_never_pushed_cannot_be_popped() -> None:
    stack = Stack()
    stack.push(0, 2**16)  # 16 bits
    stack.pop(0, 2**20)  # 12 of them
    with pytest.raises(ExhaustedError):
        stack.pop(0, 2**20)


def test_a_copy_goes_its_own_way() -> None:
    stack = Stack(LEAST, [1, 2, 3])
    copy = stack.copy()
    copy.push(1, 1)
    assert content(stack) == (LEAST, [1, 2, 3])
