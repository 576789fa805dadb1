import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussianimage.codec.format.container import Chunk, read_chunks, write_chunks
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.varint import write_varint
from gaussianimage.errors import FormatError, LimitError

some = st.none() | st.binary(min_size=1, max_size=500)


@given(some, some, some)
def test_metadata_come_back(icc: bytes | None, exif: bytes | None, xmp: bytes | None) -> None:
    metadata = Metadata(icc=icc, exif=exif, xmp=xmp)
    data = write_chunks([Chunk(b"HEAD", b""), *metadata.to_chunks()])
    assert Metadata.from_chunks(read_chunks(data), Limits()) == metadata


def test_metadata_are_compressed_and_not_critical() -> None:
    chunks = Metadata(icc=b"a" * 10_000, xmp=b"b" * 10_000).to_chunks()
    assert [chunk.type for chunk in chunks] == [b"iCCP", b"xXMP"]
    assert all(len(chunk.payload) < 100 and not chunk.critical for chunk in chunks)


def test_nothing_costs_nothing() -> None:
    assert Metadata(icc=b"").to_chunks() == []
    assert Metadata.from_chunks([Chunk(b"HEAD", b""), Chunk(b"LAYR", b"x")], Limits()) == Metadata()


STREAM = zlib.compress(b"profile" * 20)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x80",
        write_varint(0) + STREAM,
        write_varint(0) + zlib.compress(b""),
        write_varint(139) + STREAM,
        write_varint(141) + STREAM,
        write_varint(140) + STREAM[:-1],
        write_varint(140) + STREAM + b"\0",
        write_varint(140) + STREAM[2:],
        write_varint(140) + STREAM[:-1] + b"\0",
        write_varint(140),
        write_varint(2**40) + STREAM,
    ],
)
def test_an_invalid_chunk_is_a_format_error(payload: bytes) -> None:
    with pytest.raises(FormatError):
        Metadata.from_chunks([Chunk(b"iCCP", payload)], Limits())


def test_a_chunk_that_is_there_twice_is_a_format_error() -> None:
    chunks = Metadata(exif=b"x").to_chunks() * 2
    with pytest.raises(FormatError, match="eXIF occurs twice"):
        Metadata.from_chunks(chunks, Limits())


def test_a_bomb_is_stopped_by_the_limit_on_its_declared_size() -> None:
    bomb = zlib.compress(bytes(10**7), 9)
    declared = [Chunk(b"xXMP", write_varint(10**7) + bomb)]
    with pytest.raises(LimitError, match="xXMP in bytes is 10000000, above the limit max_metadata"):
        Metadata.from_chunks(declared, Limits(max_metadata=10**6))
    undeclared = [Chunk(b"xXMP", write_varint(1000) + bomb)]
    with pytest.raises(FormatError, match="does not hold 1000 bytes"):
        Metadata.from_chunks(undeclared, Limits(max_metadata=10**6))


@given(st.binary(max_size=100), st.integers(1, 1000))
def test_random_bytes_are_a_format_error(data: bytes, size: int) -> None:
    for body in (data, STREAM[:10] + data):
        with pytest.raises(FormatError):
            Metadata.from_chunks([Chunk(b"eXIF", write_varint(size) + body)], Limits())
