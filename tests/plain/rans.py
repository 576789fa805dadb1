"""A plain, slow decoder of the entropy coder, written from docs/format.md.

It shares no code with the native coder; the tests compare the values of both, bit for bit.
"""

from collections.abc import Sequence

BUCKET_BASE = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 48, 80]
BUCKET_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 4, 5, 0]
STATE_START = 1 << 16
LAYER_BLOCKS = (4, 8, 16, 32)  # symbols of a plane's blocks; the last number repeats


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
        """Return the symbol of a slot, the symbol's first slot and its number of slots."""
        starts = [entry >> 5 for entry in self.cdf]
        symbol = max(i for i in range(self.alphabet) if starts[i] <= slot)
        return symbol, starts[symbol], starts[symbol + 1] - starts[symbol]

    def learn(self, symbols: Sequence[int]) -> None:
        """Learn from the symbols of a block."""
        n = len(symbols)
        seen = self.seen + n
        rate = (20480 + 5 * seen + 3) // (10 * seen + 6)
        self.seen = min(seen, self.memory)
        for i in range(self.alphabet + 1):
            below = sum(symbol < i for symbol in symbols)
            away = n * (32 * i - self.cdf[i]) + self.span * below
            self.cdf[i] += (away * rate) >> 11


class Decoder:
    """Reads symbols, raw bits and loose bits from a stream; bits past its end are zero.

    The stream has `states` states. `blocks` are the numbers of symbols of a plane's blocks; all
    further blocks are as long as the last.
    """

    def __init__(self, data: bytes, states: int, blocks: Sequence[int] = LAYER_BLOCKS) -> None:
        self.broken = len(data) < 4 * states
        if self.broken:
            data = bytes(4 * states)
        self.states = [int.from_bytes(data[4 * s : 4 * s + 4], "little") for s in range(states)]
        self.broken |= any(state < STATE_START for state in self.states)
        self.rest = data[4 * states :]
        self.turn = 0
        self.blocks = blocks
        self.block = 0  # the number of the block in its plane
        self.coded: list[tuple[Model, int]] = []  # the models and symbols of the block
        self.loosened: list[int] | None = None  # the unread loose bits; None before the first read

    def code(self, model: Model) -> int:
        slot = self.states[self.turn] % 2**15
        symbol, start, size = model.find(slot)
        self._advance(start, size)
        self.coded.append((model, symbol))
        if len(self.coded) == self.blocks[min(self.block, len(self.blocks) - 1)]:
            self._end_block()
        return symbol

    def start_plane(self) -> None:
        self._end_block()
        self.block = 0

    def _end_block(self) -> None:
        symbols: dict[int, tuple[Model, list[int]]] = {}
        for model, symbol in self.coded:
            symbols.setdefault(id(model), (model, []))[1].append(symbol)
        for model, learned in symbols.values():
            model.learn(learned)
        self.coded = []
        self.block += 1

    def bits(self, count: int) -> int:
        size = 2 ** (15 - count)
        value = self.states[self.turn] % 2**15 // size
        self._advance(value * size, size)
        return value

    def loose(self, count: int) -> int:
        """Read `count` bits that follow the last symbol."""
        bits = self._loose_bits()
        if count > len(bits):
            self.broken = True
            bits += [0] * (count - len(bits))
        return sum(bits.pop(0) << i for i in range(count))

    def _loose_bits(self) -> list[int]:
        if self.loosened is None:
            self._end_block()
            self.loosened = []
            for state in self.states[self.turn :] + self.states[: self.turn]:
                self.broken |= state < STATE_START
                held = max(state.bit_length() - 1, 16)
                self.loosened += [state >> i & (state >= STATE_START) for i in range(held)]
            self.loosened += [byte >> i & 1 for byte in self.rest for i in range(8)]
        return self.loosened

    def _advance(self, start: int, size: int) -> None:
        state = self.states[self.turn]
        state = size * (state >> 15) + state % 2**15 - start
        if state < STATE_START:
            self.broken |= len(self.rest) < 2
            word = int.from_bytes(self.rest[:2], "little") if len(self.rest) >= 2 else 0
            state = state << 16 | word
            self.rest = self.rest[2:] if len(self.rest) >= 2 else self.rest
        self.states[self.turn] = state
        self.turn = (self.turn + 1) % len(self.states)

    def finished_cleanly(self) -> bool:
        left = self._loose_bits()
        return not self.broken and not any(left) and (len(left) < 8 or not self.rest)


def natural_in(decoder: Decoder, bucket: int) -> int:
    """Decode an integer from 0 up in a known bucket."""
    if bucket == 15:
        return escape(decoder)
    return BUCKET_BASE[bucket] + decoder.loose(BUCKET_BITS[bucket])


def escape(decoder: Decoder) -> int:
    """Decode an integer of the last bucket."""
    length = decoder.loose(5)
    if length > 24:
        decoder.broken = True
        length = 24
    return BUCKET_BASE[15] - 1 + (1 << length | decoder.loose(length))


def raw(decoder: Decoder, count: int) -> int:
    """Read up to 30 raw bits, the low 15 first; reading 0 bits is no step of the coder."""
    if count == 0:
        return 0
    if count <= 15:
        return decoder.bits(count)
    low = decoder.bits(15)
    return low | decoder.bits(count - 15) << 15
