"""Variable-length integers, written from the conventions of docs/format.md."""


class InvalidError(Exception):
    """The bytes are not a file that docs/format.md allows."""


def varint(data: bytes, position: int) -> tuple[int, int]:
    """Return an integer and the position after it."""
    value = 0
    for i in range(10):
        if position + i >= len(data):
            raise InvalidError("the data ends inside an integer")
        byte = data[position + i]
        value += byte % 128 << 7 * i
        if byte < 128:
            if byte == 0 and i > 0:
                raise InvalidError("an integer with needless bytes")
            if value >= 2**64:
                raise InvalidError("an integer of more than 64 bits")
            return value, position + i + 1
    raise InvalidError("an integer of more than 10 bytes")
