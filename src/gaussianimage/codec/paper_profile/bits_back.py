"""Partial bits-back coding of a set of Gaussians (section 3.3 and appendix B of the paper).

The order of N Gaussians is arbitrary, and coding it wastes log₂ N! bits. The encoder therefore
takes the order from the stream: it *decodes* an order from the bits that are already on the stack,
and codes the Gaussians in that order. A decoder that has decoded the Gaussians knows the order,
encodes it again, and so recovers the bits from which it was decoded.

The stack must hold these bits first, so K Gaussians are coded plainly at the beginning. In the
paper, the whole order of the remaining Gaussians is then decoded at once, which needs
log₂ (N − K)! bits and a K of a sixth of N. If each Gaussian is coded as soon as it is drawn
(compare D. Severo et al., arXiv 2107.09202), a draw needs at most log₂ N bits, and K = 1 is enough.

Equal Gaussians count as one with a higher probability, since exchanging them gives the same order.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

from gaussianimage.codec.paper_profile.ans import PRECISION, ExhaustedError, Stack
from gaussianimage.codec.paper_profile.multiset import Multiset, Row


class RowCoder(Protocol):
    """Pushes and pops Gaussians on a stack, each one independently of all others."""

    def push(self, stack: Stack, row: Row) -> None:
        """Put a Gaussian on the stack."""

    def pop(self, stack: Stack) -> Row:
        """Take a Gaussian off the stack."""


def push_set(rows: Sequence[Row], coder: RowCoder, *, interleaved: bool) -> tuple[Stack, int]:
    """Code a set of Gaussians without their order.

    Parameters
    ----------
    rows : sequence of tuples of int
        All N Gaussians, sorted.
    coder : RowCoder
        Coder of a single Gaussian.
    interleaved : bool
        Whether each Gaussian is coded as soon as it is drawn, not after all draws.

    Returns
    -------
    stack : Stack
        Stack with all N Gaussians.
    first : int
        K, the number of Gaussians that were coded plainly, as small as possible.
    """
    stack, first = Stack(), 0
    while True:
        left = len(rows) - first
        needed = math.log2(max(left, 1)) if interleaved else log2_factorial(left)
        if stack.bits() >= needed:
            try:
                return _drawn(stack.copy(), rows[first:], coder, interleaved), first
            except ExhaustedError:
                pass  # rounding cost a few bits too many; another Gaussian adds dozens
        coder.push(stack, rows[first])
        first += 1


def pop_set(
    stack: Stack, count: int, first: int, coder: RowCoder, *, interleaved: bool
) -> list[Row]:
    """Decode the N = `count` Gaussians that `push_set` coded, in an arbitrary order.

    Raises
    ------
    ExhaustedError
        The stack holds fewer than `count` Gaussians.
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
        # The rank whose slots, as _slots gives them, include the slot on top of the stack.
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
