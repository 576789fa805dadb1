"""A plain, slow decoder of the paper's profile, written from section 7 of docs/format.md.

`decode` returns the fields and numbers of a file's Gaussians. It shares no code with the package.
"""

import math
import struct
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from plain.dequantize import Numbers, blocks, picture, samples
from plain.gimg import METADATA, chunks, decompress
from plain.varint import InvalidError, varint

Row = tuple[int, ...]

WEIGHTS = [0, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512, 724, 1024, 1448, 2048]
LEAST = 2**48
SMALLEST, LARGEST, BRIGHTEST = 1e-6, 1e12, 1e30


@dataclass
class Header:
    height: int
    width: int
    channels: int
    deep: bool
    gaussians: int
    q_max: float
    work: int


@dataclass
class Quantizers:
    stream: int
    rotation: bool
    offset: bool
    half_pixel: bool
    angle: bool
    shape_bits: int
    color_bits: int
    shape_scale: list[float]
    shape_beta: list[float]
    codebooks: list[list[list[float]]]  # empty if each channel has its own level
    color_scale: list[float]
    color_beta: list[float]

    @property
    def widths(self) -> list[int]:
        colors = len(self.codebooks) or len(self.color_scale)
        return [16, 16, *[self.shape_bits] * 3, *[self.color_bits] * colors]


@dataclass
class File:
    header: Header
    quantizers: Quantizers
    rows: list[Row]  # in the file's order
    numbers: list[Numbers]  # of all Gaussians, drawn or not, in the same order

    def pixels(self) -> NDArray[np.int64]:
        """Return the picture as samples of the source's depth, (height, width, C)."""
        h = self.header
        image = picture(self.numbers, [0.0] * h.channels, h.height, h.width, h.q_max)
        return samples(image, 65535 if h.deep else 255)


def decode(data: bytes) -> File:
    """Decode a file of the profile, or raise `InvalidError`."""
    found = chunks(data)
    header = read_header(found[0][1])
    names = [kind for kind, _ in found[1:] if kind[0].isupper()]
    if names != (["QUAN", "GAUS"] if header.gaussians else ["QUAN"]):
        raise InvalidError(f"critical chunks {names}")
    others = [kind for kind, _ in found if kind in METADATA]
    if len(set(others)) != len(others):
        raise InvalidError("two chunks of metadata of one type")
    for kind, payload in found:
        if kind in METADATA:
            decompress(payload)
    payloads = dict(found)
    quantizers = read_quantizers(payloads["QUAN"], header.channels)
    rows = []
    if header.gaussians:
        rows = read_gaussians(payloads["GAUS"], header.gaussians, quantizers)
    if any(math.isnan(half(bits)) for row in rows for bits in row[:2]):
        raise InvalidError("a position that is NaN")
    values = [numbers(header, quantizers, row) for row in rows]
    if sum(blocks(v, header.height, header.width, header.q_max) for v in values) > header.work:
        raise InvalidError("more work than announced")
    return File(header, quantizers, rows, values)


def read_header(payload: bytes) -> Header:
    """Return the numbers in a HEAD chunk that ends after the work."""
    if len(payload) < 3:
        raise InvalidError("a short header")
    version, minimum, flags = payload[:3]
    if not 1 <= minimum <= version or minimum > 1 or flags >= 8:
        raise InvalidError("a header with an unknown version or flags")
    height, position = varint(payload, 3)
    width, position = varint(payload, position)
    count, position = varint(payload, position)
    if len(payload) < position + 3:
        raise InvalidError("a short header")
    layers = payload[position]
    q_max = int.from_bytes(payload[position + 1 : position + 3], "little")
    work, position = varint(payload, position + 3)
    sizes_fit = 1 <= height <= 2**24 and 1 <= width <= 2**24 and count <= 2**28
    most_work = min(count * (64 + -(-width // 8) * (16 + height)), 2**64 - 1)
    if not sizes_fit or layers != min(count, 1) or q_max == 0 or work > most_work:
        raise InvalidError("a header with a number out of range")
    if position != len(payload):
        raise InvalidError("a header that is not of this profile")
    return Header(height, width, flags % 4 + 1, flags & 4 != 0, count, q_max / 2048, work)


def read_quantizers(payload: bytes, channels: int) -> Quantizers:
    """Parse a QUAN chunk."""
    if len(payload) < 5:
        raise InvalidError("short quantizers")
    stream, flags, shape_bits, color_bits, stages = payload[:5]
    if stream > 5 or flags > 15 or flags & 9 == 8 or not 1 <= shape_bits <= 12 or stages > 8:
        raise InvalidError("quantizers out of range")
    if not 1 <= color_bits <= (8 if stages else 12):
        raise InvalidError("a number of bits of colors out of range")
    entries = 2**color_bits
    colors = stages * entries * channels if stages else 2 * channels
    if len(payload) != 5 + 4 * (6 + colors):
        raise InvalidError("quantizers of another length")
    floats = list(struct.unpack(f"<{6 + colors}f", payload[5:]))
    if not all(math.isfinite(number) for number in floats):
        raise InvalidError("a number that is not finite")
    shape, color = floats[:6], floats[6:]
    entry = [color[i : i + channels] for i in range(0, len(color), channels)]
    return Quantizers(
        stream=stream,
        rotation=flags & 1 != 0,
        offset=flags & 2 != 0,
        half_pixel=flags & 4 != 0,
        angle=flags & 8 != 0,
        shape_bits=shape_bits,
        color_bits=color_bits,
        shape_scale=shape[:3],
        shape_beta=shape[3:],
        codebooks=[entry[s * entries : (s + 1) * entries] for s in range(stages)],
        color_scale=[] if stages else entry[0],
        color_beta=[] if stages else entry[1],
    )


def read_gaussians(payload: bytes, count: int, quantizers: Quantizers) -> list[Row]:
    """Decode the fields of all Gaussians."""
    widths = quantizers.widths
    if quantizers.stream == 0:
        return plain(payload, count, widths)
    if count > min(2**18, len(payload)):
        raise InvalidError("too many Gaussians")
    position = 0
    starts = [[i << 32 - w for i in range(2**w + 1)] for w in widths[2:]]
    if quantizers.stream % 2 == 1:
        position = sum(2**w for w in widths[2:]) // 2
        nibbles = [half for byte in payload[:position] for half in (byte % 16, byte // 16)]
        if len(nibbles) < 2 * position:
            raise InvalidError("short tables")
        starts = []
        for w in widths[2:]:
            weights = [WEIGHTS[level] for level in nibbles[: 2**w]]
            del nibbles[: 2**w]
            if sum(weights) == 0:
                raise InvalidError("a table of zeros")
            starts.append([sum(weights[:i]) * 2**32 // sum(weights) for i in range(2**w + 1)])
    order, first = quantizers.stream // 2, 0
    if order > 0:
        first, position = varint(payload, position)
        if first > count:
            raise InvalidError("more first Gaussians than there are")
    stack = Stack(payload[position:])
    if order == 0:
        rows = [stack.gaussian(starts) for _ in range(count)]
    else:
        rows = a_set(stack, starts, count - first, interleaved=order == 2)
        rows += [stack.gaussian(starts) for _ in range(first)]
    if stack.state != LEAST or stack.words:
        raise InvalidError("a stack that does not end where it started")
    return rows


def plain(payload: bytes, count: int, widths: Sequence[int]) -> list[Row]:
    """Decode fields that are stored at their full widths."""
    number = int.from_bytes(payload, "little")
    if len(payload) != -(-count * sum(widths) // 8):
        raise InvalidError("a plain stream of another length")
    rows = []
    for _ in range(count):
        row = []
        for w in widths:
            row.append(number % 2**w)
            number >>= w
        rows.append(tuple(row))
    if number != 0:
        raise InvalidError("bits behind the last Gaussian")
    return rows


def a_set(stack: "Stack", starts: list[list[int]], count: int, interleaved: bool) -> list[Row]:
    """Decode Gaussians whose order gives its bits back to the stack."""
    popped = [] if interleaved else [stack.gaussian(starts) for _ in range(count)]
    known: list[Row] = []
    for n in range(1, count + 1):
        if interleaved:
            popped.append(stack.gaussian(starts))
        row = popped[n - 1]
        insort(known, row)
        less = bisect_left(known, row)
        same = bisect_right(known, row) - less
        start = less * 2**32 // n
        stack.push(start, (less + same) * 2**32 // n - start)
    return popped


class Stack:
    """The coder of section 7.3."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 8 or len(data) % 2 != 0:
            raise InvalidError("a stream of half words")
        self.state = int.from_bytes(data[:8], "little")
        words = [int.from_bytes(data[i : i + 2], "little") for i in range(8, len(data), 2)]
        self.words = words[::-1]
        if self.state < LEAST:
            raise InvalidError("a state that is too small")

    def gaussian(self, starts: list[list[int]]) -> Row:
        position = self.state % 2**32
        self.pop(position, 1)
        row = [position % 2**16, position >> 16]
        for start in starts:
            slot = self.state % 2**32
            # A symbol without slots starts at the same slot as the next symbol.
            symbol = max(i for i in range(len(start) - 1) if start[i] <= slot)
            self.pop(start[symbol], start[symbol + 1] - start[symbol])
            row.append(symbol)
        return tuple(row)

    def pop(self, start: int, size: int) -> None:
        self.state = size * (self.state >> 32) + self.state % 2**32 - start
        while self.state < LEAST:
            if not self.words:
                raise InvalidError("no more words")
            self.state = 2**16 * self.state + self.words.pop()

    def push(self, start: int, size: int) -> None:
        while self.state >= size * 2**32:
            self.words.append(self.state % 2**16)
            self.state >>= 16
        self.state = (self.state // size) * 2**32 + self.state % size + start


def half(bits: int) -> float:
    """Return the IEEE 754 half with these bits."""
    number: float = struct.unpack("<e", struct.pack("<H", bits))[0]
    return number


def numbers(header: Header, quantizers: Quantizers, row: Row) -> Numbers:
    """Return the numbers of the fields; an undrawn Gaussian has a factor of zeros."""
    shift = 0.5 if quantizers.half_pixel else 0.0
    mean = (
        (math.tanh(half(row[0])) + 1) * (header.width / 2) + shift,
        (math.tanh(half(row[1])) + 1) * (header.height / 2) + shift,
    )
    v = [
        index * scale + beta
        for index, scale, beta in zip(
            row[2:5], quantizers.shape_scale, quantizers.shape_beta, strict=True
        )
    ]
    for i in ((0, 1) if quantizers.rotation else (0, 2)) if quantizers.offset else ():
        v[i] += 0.5
    if quantizers.angle:
        # Beyond that many turns an angle has no meaning, and the functions may raise an error.
        turn = v[2] / (2 * math.pi) if math.isfinite(v[2]) else 0.0
        covariance = turned(v[0], v[1], turn)
    else:
        covariance = rotated(*v) if quantizers.rotation else lower(*v)
    factor = cholesky(*covariance)
    color = colors(quantizers, row[5:])
    long = any(not abs(length) < LARGEST for length in (*mean, *factor))
    if long or sum(map(abs, color)) >= BRIGHTEST:
        factor = (0.0, 0.0, 0.0)
    return Numbers(mean, factor, tuple(color))


def lower(l11: float, l21: float, l22: float) -> tuple[float, float, float]:
    return l11 * l11, l11 * l21, l21 * l21 + l22 * l22


def rotated(v0: float, v1: float, v2: float) -> tuple[float, float, float]:
    return turned(v0, v1, 1 / (1 + math.exp(-v2)) if v2 > -700 else 0.0)


def turned(v0: float, v1: float, turn: float) -> tuple[float, float, float]:
    c, s = math.cos(2 * math.pi * turn), math.sin(2 * math.pi * turn)
    return (
        c * c * v0 * v0 + s * s * v1 * v1,
        c * s * (v0 * v0 - v1 * v1),
        s * s * v0 * v0 + c * c * v1 * v1,
    )


def cholesky(xx: float, xy: float, yy: float) -> tuple[float, float, float]:
    """Return the positive factor, or zeros if the covariance is not positive definite."""
    if not (xx > 0 and math.isfinite(xx) and math.isfinite(xy) and math.isfinite(yy)):
        return 0.0, 0.0, 0.0
    determinant = Fraction(xx) * Fraction(yy) - Fraction(xy) ** 2  # exact, even for a thin Gaussian
    if determinant <= 0:
        return 0.0, 0.0, 0.0
    l11 = math.sqrt(xx)
    return l11, xy / l11, math.sqrt(determinant / Fraction(xx))


def colors(quantizers: Quantizers, indices: Row) -> list[float]:
    if quantizers.codebooks:
        entries = [book[i] for book, i in zip(quantizers.codebooks, indices, strict=True)]
        return [sum(channel) for channel in zip(*entries, strict=True)]
    return [
        index * scale + beta
        for index, scale, beta in zip(
            indices, quantizers.color_scale, quantizers.color_beta, strict=True
        )
    ]
