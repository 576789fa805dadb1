"""A layer's Gaussians from its bytes, as sections 4.1 to 4.5 of docs/format.md describe it."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from plain import rans
from plain.appendix import PRIORS, ROOTS
from plain.varint import InvalidError, varint

CONFIDENCE, MEMORY = 30, 160

# The first row of each kind of model in appendix A.
LUMA, CHROMA, SECOND_CHROMA, ALPHA = 0, 64, 128, 152
SIZE, SHEAR, SECOND_SHEAR, SIZE_BELOW, SIZE_ABOVE = 156, 172, 188, 204, 205
SPLIT, SIXTEENTH = 206, 220
BORDER = 15  # from a model of splits to the one at the border


class Quantizer(NamedTuple):
    """What the header says of the integers' meaning."""

    height: int
    width: int
    channels: int
    color_index: int
    shape_index: int

    @property
    def color_step(self) -> float:
        return power_of_two(-self.color_index)

    @property
    def shape_step(self) -> float:
        """Λ, before the amplitude makes it finer."""
        return power_of_two(128 - self.shape_index)

    def grid(self, precision: int) -> tuple[int, int]:
        """Columns and rows of a class."""
        return -(-16 * self.width // 2**precision), -(-16 * self.height // 2**precision)

    def step(self, amplitude: int) -> float:
        """The step of a shape."""
        half = 2.0 ** -(amplitude // 2) * (0.7071067811865476 if amplitude % 2 else 1.0)
        return min(self.shape_step * half, 0.7)

    def expected(self, precision: int, amplitude: int) -> int:
        """The size to expect."""
        size = 0.6931471805599453 * (precision - 4 + 0.5 * amplitude)
        return math.floor(size / self.step(amplitude) + 0.5)


class Gaussian(NamedTuple):
    precision: int  # the class
    x: int
    y: int
    color: tuple[int, ...]
    shape: tuple[int, int, int]


class Decoder:
    """Decodes the layers of a file, in their order."""

    def __init__(self, quantizer: Quantizer, layers: int) -> None:
        self.quantizer = quantizer
        self.layers = layers
        self.layer = 0
        self.models = [rans.Model(weights, CONFIDENCE, MEMORY) for weights in PRIORS]

    def decode(self, payload: bytes, most: int) -> list[Gaussian]:
        """The next layer, of at most so many Gaussians."""
        if len(payload) < 2:
            raise InvalidError("a layer without a mask")
        mask = int.from_bytes(payload[:2], "little")
        position = 2
        counts = {}
        for precision in range(15, -1, -1):
            if mask >> precision & 1:
                counts[precision], position = varint(payload, position)
                if counts[precision] == 0:
                    raise InvalidError("a class of no Gaussians")
        if sum(counts.values()) > min(most, 16 * len(payload)):
            raise InvalidError("too many Gaussians")
        length, position = varint(payload, position)
        if length > len(payload) - position:
            raise InvalidError("a stream that is longer than its layer")
        cells = self.positions(payload[position : position + length], counts)
        attributes = self.attributes(payload[position + length :], counts)
        self.layer += 1
        classes = [precision for precision, count in counts.items() for _ in range(count)]
        return [
            Gaussian(precision, *cell, *rest)
            for precision, cell, rest in zip(classes, cells, attributes, strict=True)
        ]

    def positions(self, data: bytes, counts: dict[int, int]) -> list[tuple[int, int]]:
        """The cells of a layer's Gaussians."""
        stream = rans.Decoder(data)
        cells = []
        for precision, count in counts.items():
            columns, rows = self.quantizer.grid(precision)
            walk = Walk(stream, self.models, columns, rows)
            level = 0
            while 2**level < max(columns, rows):
                level += 1
            cells += walk.square(0, 0, level, False, count)
        if not stream.finished_cleanly():
            raise InvalidError("a stream of positions with another end")
        return cells

    def attributes(
        self, data: bytes, counts: dict[int, int]
    ) -> list[tuple[tuple[int, ...], tuple[int, int, int]]]:
        """The colors and shapes of a layer's Gaussians."""
        stream = rans.Decoder(data)
        attributes = []
        for precision, count in counts.items():
            color: tuple[int, ...] | None = None
            for _ in range(count):
                color = self.color(stream, precision, color)
                attributes.append((color, self.shape(stream, precision, color)))
        if not stream.finished_cleanly():
            raise InvalidError("a stream of attributes with another end")
        return attributes

    def color(
        self, stream: rans.Decoder, precision: int, before: tuple[int, ...] | None
    ) -> tuple[int, ...]:
        """A color; `before` is that of the Gaussian before in the same class."""
        models, channels = self.models, self.quantizer.channels
        model_set = 3 if self.layers == 1 else min(self.layer, 2)
        luma = stream.code(models[LUMA + 16 * model_set + precision])
        buckets = [luma]
        luma_level = level(rans.BUCKET_BASE[luma], [3, 6, 10])
        if channels >= 3:
            sum_before = min(abs(before[1]), 9) + min(abs(before[2]), 9) if before else 0
            context = 16 * model_set + 4 * luma_level + level(sum_before, [1, 3, 7])
            chroma = stream.code(models[CHROMA + context])
            chroma_level = level(rans.BUCKET_BASE[chroma], [1, 2, 3, 5, 8])
            second = stream.code(models[SECOND_CHROMA + 4 * chroma_level + luma_level])
            buckets += [chroma, second]
        if channels in (2, 4):
            buckets.append(stream.code(models[ALPHA + luma_level]))
        return tuple(rest_of_group(stream, buckets))

    def shape(
        self, stream: rans.Decoder, precision: int, color: tuple[int, ...]
    ) -> tuple[int, int, int]:
        """A shape."""
        models = self.models
        a = amplitude(color)
        size = self.quantizer.expected(precision, a)
        symbol = stream.code(models[SIZE + a])
        if symbol == 0:
            size -= 8 + rans.natural(stream, models[SIZE_BELOW])
        elif symbol == 15:
            size += 7 + rans.natural(stream, models[SIZE_ABOVE])
        else:
            size += symbol - 8
        buckets = [stream.code(models[SHEAR + a]), stream.code(models[SECOND_SHEAR + a])]
        shear, second = rest_of_group(stream, buckets)
        step = self.quantizer.step(a)
        s, d1, d2 = size * step, shear * step, second * step
        if not (-7 <= s <= 14 and math.sqrt(d1 * d1 + d2 * d2) <= 9.3):
            raise InvalidError("a shape out of range")
        return size, shear, second


class Walk:
    """The cells of one class."""

    def __init__(
        self, stream: rans.Decoder, models: list[rans.Model], columns: int, rows: int
    ) -> None:
        self.stream, self.models = stream, models
        self.columns, self.rows = columns, rows

    def square(self, x: int, y: int, level: int, halved: bool, n: int) -> Iterator[tuple[int, int]]:
        """The n cells in a square of 2^level cells a side, or in one half of it."""
        if n == 0:
            return
        if level == 0:
            yield from [(x, y)] * n
            return
        half = 2 ** (level - 1)
        width = half if halved else 2 * half
        border = x + width > self.columns or y + 2 * half > self.rows
        if n == 1 and not border:
            right = rans.raw(self.stream, level - 1 if halved else level)
            down = rans.raw(self.stream, level)
            yield x + right, y + down
            return
        if halved:
            middle, beyond = y + half, y + half >= self.rows
        else:
            middle, beyond = x + half, x + half >= self.columns
        first = n if beyond else self.split(n, border)
        if halved:
            yield from self.square(x, y, level - 1, False, first)
            yield from self.square(x, middle, level - 1, False, n - first)
        else:
            yield from self.square(x, y, level, True, first)
            yield from self.square(middle, y, level, True, n - first)

    def split(self, n: int, border: bool) -> int:
        """How many of n are in the first half."""
        if n <= 14:
            return self.stream.code(self.models[SPLIT + BORDER * border + n - 1])
        part = self.stream.code(self.models[SIXTEENTH + BORDER * border])
        low, high = -(-part * (n + 1) // 16), -(-(part + 1) * (n + 1) // 16)
        return low + self.uniform(high - low)

    def uniform(self, limit: int) -> int:
        """One of 0 … limit - 1."""
        if limit == 1:
            return 0
        bits = (limit - 1).bit_length()
        short = 2**bits - limit
        head = rans.raw(self.stream, bits - 1)
        return head if head < short else 2 * head + rans.raw(self.stream, 1) - short


def power_of_two(sixteenths: int) -> float:
    """2^(sixteenths / 16)."""
    return ROOTS[sixteenths % 16] * 2.0 ** (sixteenths // 16)


def level(value: int, bounds: list[int]) -> int:
    """How many bounds do not exceed a value."""
    return sum(bound <= value for bound in bounds)


def amplitude(color: tuple[int, ...]) -> int:
    """Half-octaves of a color's magnitude."""
    square = sum(min(abs(value), 4096) ** 2 for value in color)
    if square == 0:
        return 0
    return min(((2 * square * square).bit_length() - 1) // 2, 15)


def rest_of_group(stream: rans.Decoder, buckets: list[int]) -> list[int]:
    """The integers of a group, whose buckets are known."""
    bits = [rans.BUCKET_BITS[b] if b < 15 else 0 for b in buckets]
    run = rans.raw(stream, sum(bits) + sum(b > 0 for b in buckets))
    values = []
    for bucket, count in zip(buckets, bits, strict=True):
        magnitude = rans.BUCKET_BASE[bucket] + run % 2**count
        run >>= count
        negative = False
        if bucket > 0:
            negative = run % 2 == 1
            run >>= 1
        if bucket == 15:
            magnitude = rans.escape(stream)
        values.append(-magnitude if negative else magnitude)
    return values
