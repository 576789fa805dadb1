"""The head of a file is read without its Gaussians, wherever its metadata is."""

import io

import pytest
from samples import levels, make_file

from gaussianimage.codec.decoder.file import parse_file
from gaussianimage.codec.decoder.head import MOST_CHUNKS, FileHead, read_head
from gaussianimage.codec.format.container import Chunk, read_chunks, write_chunks
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.errors import FormatError, LimitError, TruncatedError, UnsupportedError

METADATA = Metadata(icc=b"profile" * 9, exif=b"II*\0" + bytes(30), xmp=b"<x/>")
LAYERS = [levels(1, 300), levels(2, 300)]
DATA = make_file(LAYERS, metadata=METADATA)


class Counting(io.BytesIO):
    """A stream that counts the bytes that are read of it."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def head_of(data: bytes) -> FileHead:
    return read_head(io.BytesIO(data))


def test_the_head_is_what_the_whole_file_says() -> None:
    file = parse_file(DATA)
    assert head_of(DATA) == FileHead(file.header, METADATA, len(DATA))


def test_metadata_behind_the_layers_is_found() -> None:
    head, *others = read_chunks(DATA)
    assert head_of(write_chunks([head, *reversed(others)])).metadata == METADATA


def test_layers_are_not_read() -> None:
    stream = Counting(DATA)
    read_head(stream)
    layers = sum(len(c.payload) for c in read_chunks(DATA) if c.type == b"LAYR")
    assert stream.taken < len(DATA) - layers + 100


def test_damaged_layers_are_of_no_concern() -> None:
    layer = next(c for c in read_chunks(DATA) if c.type == b"LAYR")
    damaged = bytearray(DATA)
    damaged[layer.payload_offset + 3] ^= 1
    assert head_of(bytes(damaged)) == head_of(DATA)
    assert head_of(DATA[: layer.payload_offset + 5]).metadata == METADATA


def test_metadata_behind_a_damage_is_left_out() -> None:
    exif = next(c for c in read_chunks(DATA) if c.type == b"eXIF")
    damaged = bytearray(DATA)
    damaged[exif.payload_offset + 3] ^= 1
    assert head_of(bytes(damaged)).metadata == Metadata(icc=METADATA.icc)


def test_every_cut_gives_a_head_or_an_error() -> None:
    (head, *_) = read_chunks(DATA)
    end = head.payload_offset + len(head.payload) + 4
    for cut in range(end):
        with pytest.raises(TruncatedError):
            head_of(DATA[:cut])
    for cut in range(end, len(DATA)):
        assert head_of(DATA[:cut]).header == head_of(DATA).header


def test_every_changed_byte_of_the_header_is_noticed() -> None:
    (head, *_) = read_chunks(DATA)
    for place in range(head.payload_offset + len(head.payload) + 4):
        damaged = bytearray(DATA)
        damaged[place] ^= 0x40
        with pytest.raises((FormatError, UnsupportedError)):
            head_of(bytes(damaged))


def test_what_is_no_gimg_file_is_told_so() -> None:
    with pytest.raises(FormatError, match=r"not a \.gimg file"):
        head_of(b"\x89PNG\r\n\x1a\n and so on")


def test_a_header_that_announces_more_than_the_file_has_takes_no_memory() -> None:
    # Of 2^31 − 1 bytes, of which none is there.
    with pytest.raises(TruncatedError):
        head_of(DATA[:8] + b"HEAD\xff\xff\xff\xff\x07")


def test_large_metadata_is_refused() -> None:
    limits = Limits(max_metadata=20)
    with pytest.raises(LimitError, match="max_metadata"):
        read_head(io.BytesIO(DATA), limits=limits)
    head, *others = read_chunks(DATA)
    large = write_chunks([head, Chunk(b"eXIF", bytes(41)), *others])
    with pytest.raises(LimitError, match="above twice the limit"):
        read_head(io.BytesIO(large), limits=limits)


def test_a_file_of_very_many_chunks_ends_the_search() -> None:
    head, *others = read_chunks(DATA)
    many = [Chunk(b"zERO", b"")] * (MOST_CHUNKS + 1)
    assert head_of(write_chunks([head, *many, *others])).metadata == Metadata()
