import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussianimage.codec.format.varint import read_varint, write_varint
from gaussianimage.errors import FormatError, TruncatedError


@given(st.integers(0, 2**64 - 1), st.binary(max_size=3), st.binary(max_size=3))
def test_integers_come_back_from_anywhere(value: int, before: bytes, after: bytes) -> None:
    data = write_varint(value)
    assert len(data) == max(1, -(-value.bit_length() // 7))
    assert read_varint(before + data + after, len(before)) == (value, len(before) + len(data))


@pytest.mark.parametrize(
    ("value", "data"),
    [(0, "00"), (127, "7f"), (128, "80 01"), (300, "ac 02"), (2**64 - 1, "ff" * 9 + "01")],
)
def test_bytes_are_pinned(value: int, data: str) -> None:
    assert write_varint(value) == bytes.fromhex(data)


@pytest.mark.parametrize("value", [-1, 2**64])
def test_what_does_not_fit_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="2\\^64"):
        write_varint(value)


@pytest.mark.parametrize(
    ("data", "error", "offset"),
    [
        ("", TruncatedError, 100),
        ("80", TruncatedError, 101),
        ("ff" * 9, TruncatedError, 109),
        ("80 00", FormatError, 100),
        ("ff 80 00", FormatError, 100),
        ("ff" * 9 + "02", FormatError, 100),
        ("ff" * 10, FormatError, 100),
    ],
)
def test_what_no_writer_writes_is_refused(data: str, error: type[FormatError], offset: int) -> None:
    with pytest.raises(error) as caught:
        read_varint(bytes.fromhex(data), 0, offset=100)
    assert type(caught.value) is error
    assert caught.value.offset == offset
