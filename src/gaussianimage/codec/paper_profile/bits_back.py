"""Partial bits-back coding of a set of Gaussians (section 3.3 and appendix B of the paper).

The order of N Gaussians is arbitrary, and telling it takes log₂ N! bits that nobody asked for.
Instead of choosing an order, an encoder lets the stream choose: it *decodes* an order out of the
bits that are there already, and codes the Gaussians along it. A decoder that has found the
Gaussians knows the order too, encodes it again, and so gets back the bits it was made of.

What is decoded must be there first, so K Gaussians are coded plainly to begin with. As the paper
has it, the whole order of the others is then decoded at once, which needs log₂ (N − K)! bits and
a K of a sixth of N. If Gaussians are coded in between, as they are drawn one by one (compare
D. Severo et al., arXiv 2107.09202), each draw needs no more than log₂ N bits: K = 1 will do.

Equal Gaussians are drawn as one with as many chances, since exchanging them is no other order.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

from gaussianimage.codec.paper_profile.ans import PRECISION, ExhaustedError, Stack
from gaussianimage.codec.paper_profile.multiset import Multiset, Row


class RowCoder(Protocol):
    """Pushes Gaussians on a stack and pops them, each independently of the rest."""

    def push(self, stack: Stack, row: Row) -> None:
        """Put a Gaussian on the stack."""

    def pop(self, stack: Stack) -> Row:
        """Take a Gaussian off the stack."""


def push_set(rows: Sequence[Row], coder: RowCoder, *, interleaved: bool) -> tuple[Stack, int]:
    """Code a set of Gaussians, whose order is not kept.

    Parameters
    ----------
    rows : sequence of tuples of int
        All N Gaussians, sorted.
    coder : RowCoder
    interleaved : bool
        Whether each Gaussian is coded as soon as it is drawn, not when all are.

    Returns
    -------
    stack : Stack
    first : int
        K, the number of Gaussians that were coded plainly: the fewest possible.
    """
    stack, first = Stack(), 0
    while True:
        left = len(rows) - first
        needed = math.log2(max(left, 1)) if interleaved else log2_factorial(left)
        if stack.bits() >= needed:
            try:
                return _drawn(stack.copy(), rows[first:], coder, interleaved), first
            except ExhaustedError:
                pass  # rounding took a bit more than it should; another Gaussian brings dozens
        coder.push(stack, rows[first])
        first += 1


def pop_set(
    stack: Stack, count: int, first: int, coder: RowCoder, *, interleaved: bool
) -> list[Row]:
    """Decode the N = `count` Gaussians that `push_set` coded; their order means nothing.

    Raises
    ------
    ExhaustedError
        The stack doesn't hold that many.
    """
    pool = Multiset()
    rows: Iterator[Row] = (coder.pop(stack) for _ in range(count - first))
    if not interleaved:
        rows = iter(list(rows))
    found = []
    for row in rows:
        pool.insert(row)
        found.append(row)
        stack.push(*_slots(*pool.span(row), len(pool)))
    return found + [coder.pop(stack) for _ in range(first)]


def log2_factorial(n: int) -> float:
    """Return log₂ n!."""
    return math.lgamma(n + 1) / math.log(2)


def _drawn(stack: Stack, rows: Sequence[Row], coder: RowCoder, interleaved: bool) -> Stack:
    """Code Gaussians in an order drawn from the stack."""
    pool = Multiset(rows)
    drawn = []
    while len(pool):
        # The rank whose slots, by _slots, hold the one on the stack.
        rank = ((stack.slot() + 1) * len(pool) - 1) >> PRECISION
        row = pool.at(rank)
        stack.pop(*_slots(*pool.span(row), len(pool)))
        pool.remove(row)
        if interleaved:
            coder.push(stack, row)
        else:
            drawn.append(row)
    for row in drawn:
        coder.push(stack, row)
    return stack


def _slots(below: int, count: int, total: int) -> tuple[int, int]:
    """Return start and size of the slots of `count` equal rows out of `total`."""
    start = (below << PRECISION) // total
    return start, ((below + count) << PRECISION) // total - start
