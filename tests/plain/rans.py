"""The entropy coder's decoder as docs/format.md describes it: plain, slow, one step at a time.

It shares no code with the native coder; the tests hold the two to the same values, to the bit.
"""

from collections.abc import Sequence

RATES = [(20480 + 5 * n + 8) // (10 * n + 16) for n in range(256)]
BUCKET_BASE = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 48, 80]
BUCKET_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 4, 5]
STATES = 2
STATE_START = 1 << 16


class Model:
    """An adaptive distribution over up to 16 symbols."""

    def __init__(self, weights: Sequence[int], confidence: int = 0, memory: int = 160) -> None:
        self.alphabet = len(weights)
        self.span = 2**20 - 32 * self.alphabet
        self.cdf = [
            32 * i + self.span * sum(weights[:i]) // sum(weights) for i in range(self.alphabet + 1)
        ]
        self.seen = confidence
        self.memory = memory

    def find(self, slot: int) -> tuple[int, int, int]:
        """The symbol that owns a slot, its first slot and its number of slots."""
        starts = [entry >> 5 for entry in self.cdf]
        symbol = max(i for i in range(self.alphabet) if starts[i] <= slot)
        return symbol, starts[symbol], starts[symbol + 1] - starts[symbol]

    def update(self, symbol: int) -> None:
        rate = RATES[self.seen]
        self.seen = min(self.seen + 1, self.memory)
        for i in range(self.alphabet + 1):
            target = 32 * i + (self.span if i > symbol else 0)
            self.cdf[i] += ((target - self.cdf[i]) * rate) >> 11


class Decoder:
    """Symbols and raw bits from a stream. What is read past its end is zero."""

    def __init__(self, data: bytes) -> None:
        words = [int.from_bytes(data[i : i + 2], "little") for i in range(0, len(data) - 1, 2)]
        self.broken = len(data) < 4 * STATES or len(data) % 2 != 0
        if self.broken:
            words = [0] * (2 * STATES)
        self.states = [words[2 * s] | words[2 * s + 1] << 16 for s in range(STATES)]
        self.broken |= any(state < STATE_START for state in self.states)
        self.words = words[2 * STATES :]
        self.used = 0
        self.turn = 0

    def code(self, model: Model) -> int:
        slot = self.states[self.turn] % 2**15
        symbol, start, size = model.find(slot)
        self._advance(start, size)
        model.update(symbol)
        return symbol

    def bits(self, count: int) -> int:
        size = 2 ** (15 - count)
        value = self.states[self.turn] % 2**15 // size
        self._advance(value * size, size)
        return value

    def _advance(self, start: int, size: int) -> None:
        state = self.states[self.turn]
        state = size * (state >> 15) + state % 2**15 - start
        if state < STATE_START:
            word = self.words[self.used] if self.used < len(self.words) else 0
            state = state << 16 | word
            self.used += 1
        self.states[self.turn] = state
        self.turn = (self.turn + 1) % STATES

    def finished_cleanly(self) -> bool:
        return (
            not self.broken
            and self.used == len(self.words)
            and all(state == STATE_START for state in self.states)
        )


def raw(decoder: Decoder, count: int) -> int:
    """`count` raw bits, up to 30: the low 15 first. None at all is no step of the coder."""
    if count == 0:
        return 0
    if count <= 15:
        return decoder.bits(count)
    low = decoder.bits(15)
    return low | decoder.bits(count - 15) << 15


def natural(decoder: Decoder, model: Model) -> int:
    """An integer from 0 up."""
    bucket = decoder.code(model)
    if bucket == 15:
        return escape(decoder)
    return BUCKET_BASE[bucket] + raw(decoder, BUCKET_BITS[bucket])


def escape(decoder: Decoder) -> int:
    """The natural number that follows its bucket, 15."""
    length = decoder.bits(5)
    if length > 24:
        decoder.broken = True
        length = 24
    return BUCKET_BASE[15] - 1 + (1 << length | raw(decoder, length))


def integer(decoder: Decoder, model: Model, sign: Model | None = None) -> int:
    """An integer of either sign; the sign is a raw bit unless it has a model."""
    magnitude = natural(decoder, model)
    if magnitude == 0:
        return 0
    negative = decoder.bits(1) if sign is None else decoder.code(sign)
    return -magnitude if negative else magnitude
