"""An entropy coder (ANS) that is a stack: the symbol pushed last is popped first.

Asymmetric numeral systems (J. Duda, arXiv 1311.2540) with a state of 64 bits, words of 16 bits and
probabilities in units of 2⁻³². Pushing is encoding and popping is decoding, and each undoes the
other exactly, from any state. So symbols may be popped that nobody has pushed, by any distribution:
pushing them again later gives the stream back as it was, which is all that bits-back coding needs.
"""

import math
from collections.abc import Iterable

WORD_BITS = 16
PRECISION = 32
"""Shares are integers out of 2³²."""

LEAST = 2**48
"""The state of an empty stack; no state is below."""

_WORD = 0xFFFF
_SLOT = 0xFFFFFFFF


class ExhaustedError(Exception):
    """A symbol to pop needs more bits than the stack has."""


class Stack:
    """A stack of symbols.

    Parameters
    ----------
    state : int, default 2⁴⁸
        From 2⁴⁸ to 2⁶⁴ − 1.
    words : iterable of int
        16 bits each; the last is on top, right below the state.
    """

    __slots__ = ("state", "words")

    def __init__(self, state: int = LEAST, words: Iterable[int] = ()) -> None:
        self.state = state
        self.words = list(words)

    def push(self, start: int, size: int) -> None:
        """Put a symbol on the stack that has the slots from `start` to `start + size` of 2³²."""
        state = self.state
        limit = size << PRECISION
        while state >= limit:
            self.words.append(state & _WORD)
            state >>= WORD_BITS
        high, low = divmod(state, size)
        self.state = (high << PRECISION) + low + start

    def slot(self) -> int:
        """Return one of 2³² slots: the symbol to pop is the one that has it."""
        return self.state & _SLOT

    def pop(self, start: int, size: int) -> None:
        """Take off the symbol that has the slots from `start` to `start + size`.

        Raises
        ------
        ExhaustedError
            There are no more words. The stack is of no use then.
        """
        state = size * (self.state >> PRECISION) + (self.state & _SLOT) - start
        while state < LEAST:
            if not self.words:
                raise ExhaustedError
            state = state << WORD_BITS | self.words.pop()
        self.state = state

    def copy(self) -> "Stack":
        """Return a stack with the same content."""
        return Stack(self.state, self.words)

    def empty(self) -> bool:
        """Whether exactly what was pushed has been popped."""
        return self.state == LEAST and not self.words

    def bits(self) -> float:
        """Return the information on the stack, in bits; an empty one has none."""
        return WORD_BITS * len(self.words) + math.log2(self.state / LEAST)
