"""The Gaussians of a record as bytes: at fixed widths or entropy coded, as a list or as a set."""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from gaussianimage.codec.format.varint import read_varint, write_varint
from gaussianimage.codec.paper_profile.ans import LEAST, ExhaustedError, Stack
from gaussianimage.codec.paper_profile.bits_back import pop_set, push_set
from gaussianimage.codec.paper_profile.frequencies import (
    levels_for,
    pack_levels,
    starts_from_levels,
    uniform_starts,
    unpack_levels,
)
from gaussianimage.codec.paper_profile.multiset import Row
from gaussianimage.codec.paper_profile.quantizers import Indices
from gaussianimage.errors import FormatError, TruncatedError

STREAMS = (
    "plain",
    "entropy",
    "bits-back",
    "entropy-bits-back",
    "interleaved",
    "entropy-interleaved",
)
"""Names of the kinds of streams, by their number in the file."""

MAX_STACKED = 2**18
"""Largest number of Gaussians in a stream that is not plain."""

_POSITION_FIELDS = 2
_STATE_BYTES = 8
_ROWS_AT_ONCE = 2**16  # a multiple of 8, so that each part ends at a whole byte


def write_stream(rows: Indices, widths: Sequence[int], kind: str) -> bytes:
    """Write N ≥ 1 Gaussians as bytes.

    Parameters
    ----------
    rows : ndarray, (N, F)
        The fields of each Gaussian as unsigned integers; N is at most `MAX_STACKED` unless `kind`
        is "plain".
    widths : sequence of int
        Bits of each field, (F,); the first two are positions.
    kind : str
        One of `STREAMS`. Only "plain" and "entropy" keep the order.
    """
    code = STREAMS.index(kind)
    if code == 0:
        return _pack(rows, widths)
    if len(rows) > MAX_STACKED:
        raise ValueError(f"stream: {kind} takes {MAX_STACKED} Gaussians at most, got {len(rows)}")
    head = b""
    starts = [uniform_starts(bits) for bits in widths[_POSITION_FIELDS:]]
    if code & 1:
        fields = zip(rows.T[_POSITION_FIELDS:], widths[_POSITION_FIELDS:], strict=True)
        tables = [levels_for(field, bits) for field, bits in fields]
        head = pack_levels(tables)
        starts = [starts_from_levels(levels) for levels in tables]
    coder = _FieldCoder(starts)
    listed: list[Row] = list(map(tuple, rows.tolist()))
    if code >> 1 == 0:
        stack = Stack()
        for row in reversed(listed):
            coder.push(stack, row)
    else:
        stack, first = push_set(sorted(listed), coder, interleaved=code >> 1 == 2)
        head += write_varint(first)
    words = np.array(stack.words[::-1], "<u2")
    return head + stack.state.to_bytes(_STATE_BYTES, "little") + words.tobytes()


def read_stream(
    data: bytes, count: int, widths: Sequence[int], kind: str, *, offset: int = 0
) -> Indices:
    """Read the Gaussians that `write_stream` wrote, (N, F); a set is sorted.

    Parameters
    ----------
    data : bytes
        Bytes of the stream.
    count : int
        Number N of Gaussians, 1 or more.
    widths, kind
        As for `write_stream`.
    offset : int
        Offset of `data` in the file, for the errors.

    Raises
    ------
    FormatError, TruncatedError
        The bytes are not a stream of N Gaussians. The memory in use is bounded by the number of
        bytes.
    """
    code = STREAMS.index(kind)
    if code == 0:
        return _unpack(data, count, widths, offset)
    # A position alone costs 32 bits, and a set of at most 2²⁰ saves less than 19 bits on each.
    if count > min(MAX_STACKED, len(data)):
        raise FormatError(f"{len(data)} bytes cannot hold {count} Gaussians", offset)
    attributes = widths[_POSITION_FIELDS:]
    starts = [uniform_starts(bits) for bits in attributes]
    position = 0
    if code & 1:
        position = sum(2**bits for bits in attributes) // 2
        if position > len(data):
            raise TruncatedError("the data ends inside a table of frequencies", offset + len(data))
        tables = unpack_levels(data[:position], attributes)
        if not all(levels.any() for levels in tables):
            raise FormatError("a table of frequencies has only zeros", offset)
        starts = [starts_from_levels(levels) for levels in tables]
    first = 0
    if code >> 1:
        first, position = read_varint(data, position, offset=offset)
        if first > count:
            raise FormatError(f"{first} plain Gaussians, but {count} in all", offset)
    stack = _read_stack(data[position:], offset + position)
    coder = _FieldCoder(starts)
    try:
        if code >> 1:
            rows = pop_set(stack, count, first, coder, interleaved=code >> 1 == 2)
        else:
            rows = [coder.pop(stack) for _ in range(count)]
    except ExhaustedError:
        raise FormatError("the Gaussians do not decode", offset + position) from None
    if not stack.empty():
        raise FormatError("data is left after all Gaussians", offset + position)
    return np.array(sorted(rows) if code >> 1 else rows, np.uint16)


class _FieldCoder:
    """Pushes and pops Gaussians field by field, positions in 32 plain bits.

    Parameters
    ----------
    starts : sequence of list of int
        For each field except the positions, the first slot of each symbol, then 2³².
    """

    def __init__(self, starts: Sequence[list[int]]) -> None:
        self._starts = starts
        self._reversed = list(starts)[::-1]

    def push(self, stack: Stack, row: Row) -> None:
        """Put a Gaussian on the stack, the last field first."""
        for starts, symbol in zip(self._reversed, row[:1:-1], strict=True):
            start = starts[symbol]
            stack.push(start, starts[symbol + 1] - start)
        stack.push(row[0] | row[1] << 16, 1)

    def pop(self, stack: Stack) -> Row:
        """Take a Gaussian off the stack."""
        position = stack.slot()
        stack.pop(position, 1)
        row = [position & 0xFFFF, position >> 16]
        for starts in self._starts:
            symbol = bisect_right(starts, stack.slot()) - 1
            start = starts[symbol]
            stack.pop(start, starts[symbol + 1] - start)
            row.append(symbol)
        return tuple(row)


def _read_stack(data: bytes, offset: int) -> Stack:
    if len(data) < _STATE_BYTES or len(data) % 2:
        raise FormatError(f"{len(data)} bytes are not a state and whole words", offset)
    state = int.from_bytes(data[:_STATE_BYTES], "little")
    if state < LEAST:
        raise FormatError(f"the state {state:#x} is too small", offset)
    return Stack(state, np.frombuffer(data, "<u2", offset=_STATE_BYTES)[::-1].tolist())


def _pack(rows: Indices, widths: Sequence[int]) -> bytes:
    """Pack the fields one after another, low bits first, and pad with zeros to a whole byte."""
    parts = []
    for begin in range(0, len(rows), _ROWS_AT_ONCE):
        part = rows[begin : begin + _ROWS_AT_ONCE]
        bits = [
            part[:, field, None] >> np.arange(width, dtype=np.uint16) & 1
            for field, width in enumerate(widths)
        ]
        flat = np.concatenate(bits, axis=1).astype(np.uint8)
        parts.append(np.packbits(flat, bitorder="little").tobytes())
    return b"".join(parts)


def _unpack(data: bytes, count: int, widths: Sequence[int], offset: int) -> Indices:
    total = sum(widths)
    size = -(-count * total // 8)
    if len(data) != size:
        raise FormatError(f"{count} Gaussians take {size} bytes, found {len(data)}", offset)
    packed = np.frombuffer(data, np.uint8)
    rows = np.empty((count, len(widths)), np.uint16)
    for begin in range(0, count, _ROWS_AT_ONCE):
        end = min(begin + _ROWS_AT_ONCE, count)
        part = packed[begin * total // 8 : -(-end * total // 8)]
        bits = np.unpackbits(part, count=(end - begin) * total, bitorder="little")
        ends = np.cumsum(widths)
        for field, group in enumerate(np.split(bits.reshape(-1, total), ends[:-1], axis=1)):
            powers = np.uint16(1) << np.arange(widths[field], dtype=np.uint16)
            rows[begin:end, field] = group @ powers
    padding = -count * total % 8
    if padding and packed[-1] >> (8 - padding):
        raise FormatError("the bits after the last Gaussian must be 0", offset + size - 1)
    return rows
