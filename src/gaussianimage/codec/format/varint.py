"""Integers of varying length (unsigned LEB128), as the container and the header store them."""

from gaussianimage.errors import FormatError, TruncatedError

Buffer = bytes | bytearray | memoryview


def write_varint(value: int) -> bytes:
    """Write an integer of 0…2^64 - 1: 7 bits a byte, low bits first; bit 7 set if more follow."""
    if not 0 <= value < 2**64:
        raise ValueError(f"value must be in 0..2^64-1, got {value}")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: Buffer, position: int, *, offset: int = 0) -> tuple[int, int]:
    """Return the integer at a position, and the position after it.

    Parameters
    ----------
    data : bytes-like
        Bytes that contain the integer.
    position : int
        Offset of the integer in `data`.
    offset : int
        Offset of `data` in the file, for the errors.

    Raises
    ------
    TruncatedError
        The data ends before the integer does.
    FormatError
        The integer needs more than 64 bits, or has more bytes than it needs.
    """
    value = 0
    for i in range(10):
        if position + i >= len(data):
            raise TruncatedError("the data ends inside an integer", offset + len(data))
        byte = data[position + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            if byte == 0 and i > 0:
                raise FormatError("an integer is longer than it has to be", offset + position)
            if value >= 2**64:
                break
            return value, position + i + 1
    raise FormatError("an integer does not fit in 64 bits", offset + position)
