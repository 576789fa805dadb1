"""An ANS entropy coder in the form of a stack: the symbol pushed last is popped first.

Asymmetric numeral systems (J. Duda, arXiv 1311.2540) with a state of 64 bits, words of 16 bits and
probabilities in units of 2⁻³². Pushing encodes, popping decodes, and each undoes the other exactly,
from any state. So a caller may pop symbols of any distribution that were never pushed; pushing them
again later restores the stream. Bits-back coding relies on this.
"""

import math
from collections.abc import Iterable

WORD_BITS = 16
PRECISION = 32
"""Bits of a probability, which is a number of slots out of 2³²."""

LEAST = 2**48
"""The state of an empty stack, and the smallest state."""

_WORD = 0xFFFF
_SLOT = 0xFFFFFFFF


class ExhaustedError(Exception):
    """The stack has too few bits to pop a symbol."""


class Stack:
    """A stack of symbols.

    Parameters
    ----------
    state : int, default 2⁴⁸
        State of the coder, from 2⁴⁸ to 2⁶⁴ − 1.
    words : iterable of int
        Words of 16 bits; the last word is on top, right below the state.
    """

    __slots__ = ("state", "words")

    def __init__(self, state: int = LEAST, words: Iterable[int] = ()) -> None:
        self.state = state
        self.words = list(words)

    def push(self, start: int, size: int) -> None:
        """Push the symbol whose slots are `start` to `start + size`, out of 2³²."""
        state = self.state
        limit = size << PRECISION
        while state >= limit:
            self.words.append(state & _WORD)
            state >>= WORD_BITS
        high, low = divmod(state, size)
        self.state = (high << PRECISION) + low + start

    def slot(self) -> int:
        """Return the slot on top, out of 2³²; the symbol to pop is the one that owns this slot."""
        return self.state & _SLOT

    def pop(self, start: int, size: int) -> None:
        """Pop the symbol whose slots are `start` to `start + size`.

        Raises
        ------
        ExhaustedError
            The stack has no more words. It can't be used after the error.
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
        """Whether exactly the pushed symbols have been popped."""
        return self.state == LEAST and not self.words

    def bits(self) -> float:
        """Return the information on the stack, in bits; an empty stack has 0."""
        return WORD_BITS * len(self.words) + math.log2(self.state / LEAST)
