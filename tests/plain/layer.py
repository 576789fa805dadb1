"""The decoder of a layer's Gaussians, written from sections 4.1 to 4.5 of docs/format.md."""

import math
from typing import NamedTuple

from plain import rans
from plain.appendix import PRIORS, ROOTS
from plain.varint import InvalidError, varint

CONFIDENCE, MEMORY = 30, 160

# The first row of each kind of model in appendix A.
LUMA, CHROMA, SECOND_CHROMA, ALPHA = 0, 64, 128, 152
SIZE, SHEAR, SECOND_SHEAR, SIZE_BELOW, SIZE_ABOVE = 156, 172, 188, 204, 205
SPLIT, SIXTEENTH = 206, 220
BORDER = 15  # offset from a model of splits to the model at the border


class Quantizer(NamedTuple):
    """The header's numbers that give the integers their meaning."""

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
        """Return the step Λ of the log-covariance at amplitude Δ."""
        return power_of_two(128 - self.shape_index)

    def grid(self, precision: int) -> tuple[int, int]:
        """Return the columns and rows of a class."""
        return -(-16 * self.width // 2**precision), -(-16 * self.height // 2**precision)

    def step(self, amplitude: int) -> float:
        """Return the step of a shape."""
        half = 2.0 ** -(amplitude // 2) * (0.7071067811865476 if amplitude % 2 else 1.0)
        return min(self.shape_step * half, 0.7)

    def expected(self, precision: int, amplitude: int) -> int:
        """Return the expected level of the size."""
        size = 0.6931471805599453 * (precision - 4.5 + 0.5 * amplitude)
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
        """Decode the next layer, which has at most `most` Gaussians."""
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
        first, position = varint(payload, position)
        second, position = varint(payload, position)
        if first + second > len(payload) - position:
            raise InvalidError("streams that are longer than their layer")
        middle, last = position + first, position + first + second
        classes = [precision for precision, count in counts.items() for _ in range(count)]
        cells = self.positions(payload[position:middle], counts)
        colors = self.colors(payload[middle:last], classes)
        shapes = self.shapes(payload[last:], classes, colors)
        self.layer += 1
        return [
            Gaussian(precision, *cell, color, shape)
            for precision, cell, color, shape in zip(classes, cells, colors, shapes, strict=True)
        ]

    def positions(self, data: bytes, counts: dict[int, int]) -> list[tuple[int, int]]:
        """Decode the cells of a layer's Gaussians."""
        stream = rans.Decoder(data, states(sum(counts.values())))
        found = []
        for precision, count in counts.items():
            splits = Splits(stream, self.models, *self.quantizer.grid(precision))
            found += splits.cells(count)
        cells = [(x + stream.loose(right), y + stream.loose(down)) for x, y, right, down in found]
        if not stream.finished_cleanly():
            raise InvalidError("a stream of positions with another end")
        return cells

    def colors(self, data: bytes, classes: list[int]) -> list[tuple[int, ...]]:
        """Decode the colors of a layer's Gaussians."""
        stream, models = rans.Decoder(data, states(len(classes))), self.models
        channels = self.quantizer.channels
        model_set = 3 if self.layers == 1 else min(self.layer, 2)
        planes: list[list[int]] = [[]]
        for i, j in enumerate(classes):
            if i > 0 and j != classes[i - 1]:
                stream.start_plane()
            planes[0].append(stream.code(models[LUMA + 16 * model_set + j]))
        lumas = [level(rans.BUCKET_BASE[bucket], [3, 6, 10]) for bucket in planes[0]]
        if channels >= 3:
            planes += self.chromas(stream, classes, lumas, model_set)
        if channels in (2, 4):
            stream.start_plane()
            planes.append([stream.code(models[ALPHA + luma]) for luma in lumas])
        colors = [rest(stream, list(buckets)) for buckets in zip(*planes, strict=True)]
        if not stream.finished_cleanly():
            raise InvalidError("a stream of colors with another end")
        return colors

    def chromas(
        self, stream: rans.Decoder, classes: list[int], lumas: list[int], model_set: int
    ) -> list[list[int]]:
        """Decode the buckets of the two chromas of a layer."""
        n = len(classes)
        quarter = (n + 3) // 4
        first, second = [0] * n, [0] * n
        stream.start_plane()
        for k in range(quarter):
            turn = [i for i in range(k, 4 * quarter, quarter) if i < n]
            for i in turn:
                before = 0
                if k > 0 and classes[i] == classes[i - 1]:
                    before = level(min(first[i - 1], 7) + min(second[i - 1], 7), [1, 3, 7])
                context = 16 * model_set + 4 * lumas[i] + before
                first[i] = stream.code(self.models[CHROMA + context])
            for i in turn:
                chroma = level(rans.BUCKET_BASE[first[i]], [1, 2, 3, 5, 8])
                second[i] = stream.code(self.models[SECOND_CHROMA + 4 * chroma + lumas[i]])
        return [first, second]

    def shapes(
        self, data: bytes, classes: list[int], colors: list[tuple[int, ...]]
    ) -> list[tuple[int, int, int]]:
        """Decode the shapes of a layer's Gaussians."""
        stream, models = rans.Decoder(data, states(len(classes))), self.models
        amplitudes = [amplitude(color) for color in colors]
        symbols = [stream.code(models[SIZE + a]) for a in amplitudes]
        stream.start_plane()
        ends = {0: SIZE_BELOW, 15: SIZE_ABOVE}
        further = [stream.code(models[ends[symbol]]) if symbol in ends else 0 for symbol in symbols]
        stream.start_plane()
        buckets = [
            [stream.code(models[SHEAR + a]), stream.code(models[SECOND_SHEAR + a])]
            for a in amplitudes
        ]
        coded = zip(amplitudes, symbols, further, buckets, strict=True)
        shapes = []
        for precision, (a, symbol, bucket, shears) in zip(classes, coded, strict=True):
            size = self.quantizer.expected(precision, a) + symbol - 8
            if symbol == 0:
                size -= rans.natural_in(stream, bucket)
            elif symbol == 15:
                size += rans.natural_in(stream, bucket)
            shear, second = rest(stream, shears)
            step = self.quantizer.step(a)
            s, d1, d2 = size * step, shear * step, second * step
            if not (-7 <= s <= 14 and d1 * d1 + d2 * d2 <= 49):
                raise InvalidError("a shape out of range")
            shapes.append((size, shear, second))
        if not stream.finished_cleanly():
            raise InvalidError("a stream of shapes with another end")
        return shapes


class Area(NamedTuple):
    """A square or half a square, with `count` Gaussians of its class from index `begin`."""

    x: int
    y: int
    begin: int
    count: int


class Splits:
    """Decodes the cells of one class as far as symbols determine them."""

    def __init__(
        self, stream: rans.Decoder, models: list[rans.Model], columns: int, rows: int
    ) -> None:
        self.stream, self.models = stream, models
        self.columns, self.rows = columns, rows

    def cells(self, count: int) -> list[tuple[int, int, int, int]]:
        """Return x, y and the numbers of their undetermined low bits for each Gaussian."""
        level = 0
        while 2**level < max(self.columns, self.rows):
            level += 1
        halved = False
        found = [(0, 0, 0, 0)] * count
        areas = [Area(0, 0, 0, count)]
        while True:
            left = []
            for area in areas:
                if area.count == 1 and not self.border(area, level, halved):
                    found[area.begin] = (area.x, area.y, level - halved, level)
                elif level == 0:
                    for i in range(area.begin, area.begin + area.count):
                        found[i] = (area.x, area.y, 0, 0)
                elif area.count > 0:
                    left.append(area)
            if not left:
                return found
            areas = [part for area in left for part in self.split(area, level, halved)]
            level, halved = level - halved, not halved

    def border(self, area: Area, level: int, halved: bool) -> bool:
        """Return whether an area crosses the border of the grid."""
        return area.x + 2 ** (level - halved) > self.columns or area.y + 2**level > self.rows

    def split(self, area: Area, level: int, halved: bool) -> list[Area]:
        """Return the two halves of an area."""
        x, y, begin, n = area
        half = 2 ** (level - 1)
        beyond = y + half >= self.rows if halved else x + half >= self.columns
        first = n if beyond else self.count(n, self.border(area, level, halved))
        second = (x, y + half) if halved else (x + half, y)
        return [Area(x, y, begin, first), Area(*second, begin + first, n - first)]

    def count(self, n: int, border: bool) -> int:
        """Decode the number of Gaussians, out of n, in the first half."""
        if n <= 14:
            return self.stream.code(self.models[SPLIT + BORDER * border + n - 1])
        part = self.stream.code(self.models[SIXTEENTH + BORDER * border])
        low, high = -(-part * (n + 1) // 16), -(-(part + 1) * (n + 1) // 16)
        return low + self.uniform(high - low)

    def uniform(self, limit: int) -> int:
        """Decode a number from 0 to limit - 1."""
        if limit == 1:
            return 0
        bits = (limit - 1).bit_length()
        short = 2**bits - limit
        head = rans.raw(self.stream, bits - 1)
        return head if head < short else 2 * head + rans.raw(self.stream, 1) - short


def states(gaussians: int) -> int:
    """Return the number of states of the streams of a layer."""
    return 4 if gaussians >= 64 else 2


def power_of_two(sixteenths: int) -> float:
    """Return 2^(sixteenths / 16)."""
    return ROOTS[sixteenths % 16] * 2.0 ** (sixteenths // 16)


def level(value: int, bounds: list[int]) -> int:
    """Return the number of bounds that do not exceed a value."""
    return sum(bound <= value for bound in bounds)


def amplitude(color: tuple[int, ...]) -> int:
    """Return a color's magnitude in half-octaves, 0 to 15."""
    square = sum(min(abs(value), 4096) ** 2 for value in color)
    if square == 0:
        return 0
    return min(((2 * square * square).bit_length() - 1) // 2, 15)


def rest(stream: rans.Decoder, buckets: list[int]) -> tuple[int, ...]:
    """Decode the integers of one Gaussian from its known buckets."""
    values = []
    for bucket in buckets:
        place = stream.loose(rans.BUCKET_BITS[bucket])
        negative = stream.loose(1) == 1 if bucket > 0 else False
        values.append((rans.BUCKET_BASE[bucket] + place, negative))
    magnitudes = [
        rans.escape(stream) if bucket == 15 else value
        for bucket, (value, _) in zip(buckets, values, strict=True)
    ]
    return tuple(
        -magnitude if negative else magnitude
        for magnitude, (_, negative) in zip(magnitudes, values, strict=True)
    )
