"""The two readers of a file, the native one and the one in Python, agree."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import sample

from gaussianimage import _native
from gaussianimage.codec.decoder import draw
from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.decoder.file import DEFAULT_LIMITS, LayerContent, parse_file
from gaussianimage.codec.format.container import Chunk, read_chunks, write_chunks
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.errors import GaussianImageError

LIMITS = Limits(max_pixels=10**6)


class Careful:
    """A native decoder that leaves every file to the other reader."""

    def __init__(self) -> None:
        self.draw = _native.Decoder(keep_all=True).draw

    def decode(self, *_: Any) -> None:
        return None


def read_twice(data: bytes) -> bool:
    """Return whether the native reader takes a file; check that the reader in Python agrees."""
    order = draw.DecodeRequest.checked(None, None, np.uint8, None, 1)
    quick = _native.Decoder(keep_all=True).decode(
        data, order.kind, None, None, -1, 1, LIMITS.of_a_picture, None
    )
    try:
        careful = draw.draw_pixels(Careful(), data, order, None, False, LIMITS)  # type: ignore[arg-type]
    except GaussianImageError:
        assert quick is None
        return False
    if quick is None:
        file = parse_file(data)
        assert file.metadata != Metadata() or not isinstance(file.content, LayerContent)
        return False
    assert np.array_equal(quick, careful)
    return True


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_ordinary_file_is_read_by_both(channels: int) -> None:
    assert read_twice(sample(channels=channels))
    assert read_twice(sample((), channels))


def test_metadata_is_left_to_the_careful_reader() -> None:
    data = sample(metadata=Metadata(icc=b"profile"))
    assert not read_twice(data)
    assert np.array_equal(decode(data), decode(sample()))


def test_damage_is_seen_by_both() -> None:
    data = sample((3, 6))
    for bit in range(8 * len(data)):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        assert not read_twice(bytes(bad))
    for size in range(len(data)):
        assert not read_twice(data[:size])
    for tail in (b"\0", data, b"GEND\0\x80\xf1\x2a\x6e"):
        assert not read_twice(data + tail)


@pytest.mark.parametrize("change", [1, 2, 4, 8, 16, 32, 64, 128, 255])
def test_changes_under_a_right_checksum_are_seen_alike(change: int) -> None:
    chunks = read_chunks(sample((3, 6)))
    taken = 0
    for which, chunk in enumerate(chunks):
        for place in range(len(chunk.payload)):
            payload = bytearray(chunk.payload)
            payload[place] ^= change
            bad = [*chunks[:which], Chunk(chunk.type, bytes(payload)), *chunks[which + 1 :]]
            taken += read_twice(write_chunks(bad))
    assert taken > 0


@given(st.binary(max_size=40))
def test_any_header_is_seen_alike(payload: bytes) -> None:
    head, *rest = read_chunks(sample((3, 6)))
    start = bytes(head.payload)
    for header in (payload, start[:3] + payload, start[:-10] + payload, start[:-2] + payload):
        read_twice(write_chunks([Chunk(b"HEAD", header), *rest]))


@given(st.lists(st.sampled_from(["LAYR", "wARP", "WARP", "iCCP", "QUAN"]), max_size=4))
def test_any_chunks_are_seen_alike(types: list[str]) -> None:
    head, first, second = read_chunks(sample((3, 6)))
    extra = [Chunk(name.encode(), bytes(first.payload)) for name in types]
    for chunks in ([head, first, second, *extra], [head, *extra, first, second], [head, *extra]):
        read_twice(write_chunks(chunks))


def test_the_limits_are_the_same_for_both() -> None:
    data = sample()
    native = _native.Decoder(keep_all=True)
    output = 12 * 16 * 3
    exact = [12 * 16, 16, 35, parse_file(data).header.work, output, output + 35 * 200]
    assert native.decode(data, 2, None, None, -1, 1, tuple(exact), None) is not None  # type: ignore[arg-type]
    for index in range(6):
        limits = [value - (index == at) for at, value in enumerate(exact)]
        assert native.decode(data, 2, None, None, -1, 1, tuple(limits), None) is None  # type: ignore[arg-type]
    assert all(limit > 0 for limit in DEFAULT_LIMITS.of_a_picture)
