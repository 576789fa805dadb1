import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussianimage.codec.format.container import (
    SIGNATURE,
    Chunk,
    read_chunks,
    read_whole_chunks,
    require_known,
    write_chunks,
)
from gaussianimage.errors import (
    FormatError,
    GaussianImageError,
    TruncatedError,
    UnsupportedError,
)

SMALL = [Chunk(b"HEAD", b"head"), Chunk(b"LAYR", b"layer" * 40), Chunk(b"iCCP", b"")]


def frame(kind: bytes, payload: bytes) -> bytes:
    """Return the bytes of a chunk of less than 128 bytes, without the writer."""
    body = kind + bytes([len(payload)]) + payload
    return body + zlib.crc32(body).to_bytes(4, "little")


def contents(chunks: list[Chunk]) -> list[tuple[bytes, bytes]]:
    return [(chunk.type, bytes(chunk.payload)) for chunk in chunks]


types = st.from_regex(rb"[A-Za-z][A-Z0-9]{3}", fullmatch=True).filter(
    lambda kind: kind not in (b"HEAD", b"GEND")
)


@given(st.binary(), st.lists(st.tuples(types, st.binary(max_size=300))))
def test_chunks_come_back_with_their_place(head: bytes, rest: list[tuple[bytes, bytes]]) -> None:
    written = [Chunk(b"HEAD", head)] + [Chunk(kind, payload) for kind, payload in rest]
    data = write_chunks(written)
    found = read_chunks(data)
    assert contents(found) == contents(written)
    for chunk in found:
        assert data[chunk.offset :].startswith(chunk.type)
        assert data[chunk.payload_offset :].startswith(bytes(chunk.payload))
    assert read_whole_chunks(data) == (found, None)


def test_a_file_is_pinned_to_the_byte() -> None:
    data = write_chunks([Chunk(b"HEAD", b"\x01\x02"), Chunk(b"eXIF", b"x" * 130)])
    assert data == b"".join(
        [
            bytes.fromhex("8b 47 49 4d 47 0d 0a 0a"),
            b"HEAD\x02\x01\x02" + bytes.fromhex("2f 45 69 30"),
            b"eXIF\x82\x01" + b"x" * 130 + bytes.fromhex("ab 3d e4 ba"),
            b"GEND\x00" + bytes.fromhex("80 f1 2a 6e"),
        ]
    )


def test_an_empty_file_costs_26_bytes_and_a_chunk_9() -> None:
    assert len(write_chunks([Chunk(b"HEAD", b"")])) == 8 + 9 + 9
    assert len(write_chunks([Chunk(b"HEAD", b""), Chunk(b"LAYR", b"x" * 127)])) == 26 + 9 + 127


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_bytes_can_be_read_without_a_copy(kind: type) -> None:
    data = kind(write_chunks(SMALL))
    chunks = read_chunks(data)
    assert contents(chunks) == contents(SMALL)
    assert isinstance(chunks[1].payload, memoryview)


def test_every_flipped_bit_is_an_error() -> None:
    data = write_chunks(SMALL)
    for bit in range(8 * len(data)):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FormatError, match=r"\(at byte \d+\)$") as caught:
            read_chunks(bad)
        offset = caught.value.offset
        assert offset is not None
        assert 0 <= offset <= len(data)


def test_every_cut_is_a_truncation() -> None:
    data = write_chunks(SMALL)
    for size in range(len(data)):
        with pytest.raises(TruncatedError):
            read_chunks(data[:size])


def test_a_cut_file_yields_the_whole_chunks_before_the_cut() -> None:
    data = write_chunks(SMALL)
    ends = [len(write_chunks(SMALL[: n + 1])) - 9 for n in range(len(SMALL))]
    for size in range(len(data)):
        whole = sum(end <= size for end in ends)
        if whole == 0:
            with pytest.raises(TruncatedError):
                read_whole_chunks(data[:size])
        else:
            chunks, error = read_whole_chunks(data[:size])
            assert contents(chunks) == contents(SMALL[:whole])
            assert isinstance(error, TruncatedError)


def test_a_damaged_file_yields_the_whole_chunks_before_the_damage() -> None:
    data = bytearray(write_chunks(SMALL))
    data[40] ^= 1
    chunks, error = read_whole_chunks(data)
    assert contents(chunks) == contents(SMALL[:1])
    assert error is not None
    assert "LAYR is damaged" in str(error)


@given(st.binary(max_size=200))
def test_random_bytes_are_an_error(data: bytes) -> None:
    for start in (b"", SIGNATURE, SIGNATURE + frame(b"HEAD", b"")):
        with pytest.raises(GaussianImageError):
            read_chunks(start + data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n", "not a .gimg file: it starts with 89 50"),
        (b"\x0bGIMG\r\n\nrest", "damaged in transfer as text"),
        (b"\x8bGIMG\n\nrest", "damaged in transfer as text"),
        (b"\x8bGIMG\r\r\n\r\nrest", "damaged in transfer as text"),
        ("\x8bGIMG\r\n\nrest".encode(), "damaged in transfer as text"),
        (SIGNATURE + frame(b"LAYR", b""), "HEAD must come first, and only once; found LAYR"),
        (SIGNATURE + frame(b"GEND", b""), "HEAD must come first, and only once; found GEND"),
        (SIGNATURE + frame(b"HEAD", b"") * 2, "HEAD must come first, and only once; found HEAD"),
        (SIGNATURE + frame(b"HEAD", b"") + frame(b"GEND", b"x"), "GEND must be empty"),
        (write_chunks(SMALL) + b"\0", "1 bytes follow the end"),
        (write_chunks(SMALL) * 2, "follow the end"),
        (SIGNATURE + frame(b"HE-D", b""), "expected a chunk type, found 48 45 2d 44"),
        (SIGNATURE + b"HEAD" + b"\xff" * 4 + b"\x0f", "claims 4294967295 bytes"),
        (SIGNATURE + b"HEAD" + b"\xff" * 10, "does not fit in 64 bits"),
        (SIGNATURE + b"HEAD" + b"\xff" * 4 + b"\x07", "needs 2147483660 bytes, 9 are left"),
    ],
)
def test_an_error_says_what_is_wrong(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_chunks(data)
    assert message in str(caught.value)
    assert caught.value.offset is not None


def test_unknown_chunks_matter_only_if_critical() -> None:
    chunks = read_chunks(write_chunks([*SMALL, Chunk(b"xNEW", b"")]))
    require_known(chunks, {b"HEAD", b"LAYR"})
    with pytest.raises(UnsupportedError, match="chunk LAYR at byte 21"):
        require_known(chunks, {b"HEAD"})


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [Chunk(b"LAYR", b"")],
        [Chunk(b"HEAD", b""), Chunk(b"HEAD", b"")],
        [Chunk(b"HEAD", b""), Chunk(b"GEND", b"")],
        [Chunk(b"HEAD", b""), Chunk(b"GEND", b"x")],
        [Chunk(b"HEAD", b""), Chunk(b"Layer", b"")],
        [Chunk(b"HEAD", b""), Chunk(b"1ABC", b"")],
    ],
)
def test_what_could_not_be_read_is_not_written(chunks: list[Chunk]) -> None:
    with pytest.raises(ValueError, match=r"HEAD|GEND|chunk type"):
        write_chunks(chunks)
