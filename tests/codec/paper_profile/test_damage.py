"""Damaged files of the paper's profile give a typed error or a picture, at little cost."""

import tracemalloc
from random import Random
from typing import Any

import numpy as np
import pytest
from paper_samples import paper_record
from samples import sample, with_chunks, with_header

import gaussianimage
from gaussianimage.codec.format.container import Chunk, read_chunks, write_chunks
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.paper_profile.file import STREAMS, encode_record, measure_work
from gaussianimage.errors import (
    FormatError,
    GaussianImageError,
    LimitError,
    TruncatedError,
    UnsupportedError,
)

every_stream = pytest.mark.parametrize("stream", STREAMS)


@every_stream
def test_every_flipped_bit_and_every_cut_is_an_error(stream: str) -> None:
    data = encode_record(paper_record(3, stages=1, color_bits=1, shape_bits=2), stream=stream)
    for bit in range(8 * len(data)):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(GaussianImageError):
            gaussianimage.decode(bad)
    for end in range(len(data)):
        with pytest.raises(TruncatedError):
            gaussianimage.decode(data[:end])


def test_a_file_that_is_cut_before_its_gaussians_has_nothing_to_draw() -> None:
    record = paper_record(20)
    data = encode_record(record)
    _, quantizers, gaussians = read_chunks(data)
    end = gaussians.payload_offset + len(gaussians.payload) + 4
    for size in range(len(data)):
        if size >= end:
            assert gaussianimage.decode_gaussians(data[:size], partial=True) == record.gaussians()
        else:
            with pytest.raises(TruncatedError):
                gaussianimage.decode(data[:size], partial=True)
        if size >= gaussians.offset:
            found = gaussianimage.info(data[:size], partial=True)
            assert found.paper is not None
            assert not found.complete
        else:
            with pytest.raises(TruncatedError):
                gaussianimage.info(data[:size], partial=True)
    damaged = bytearray(data)
    damaged[quantizers.payload_offset] ^= 1
    with pytest.raises(FormatError, match="QUAN is damaged"):
        gaussianimage.decode(damaged, partial=True)


def changed(data: bytes, place: int, value: int, kind: bytes = b"QUAN") -> bytes:
    """Return the file with another byte in a chunk, under a right checksum."""

    def change(chunks: list[Chunk]) -> list[Chunk]:
        result = []
        for chunk in chunks:
            payload = bytearray(chunk.payload)
            if chunk.type == kind:
                payload[place] = value
            result.append(Chunk(chunk.type, bytes(payload)))
        return result

    return with_chunks(data, change)


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, 6), (1, 8), (2, 0), (2, 13), (3, 0), (3, 9), (4, 9), (4, 0), (4, 3), (3, 4)],
)
def test_impossible_quantizers_are_refused_with_their_place(place: int, value: int) -> None:
    with pytest.raises(FormatError, match=r"\(at byte \d+\)$"):
        gaussianimage.decode(changed(encode_record(paper_record(5)), place, value))


@pytest.mark.parametrize("exponent", [0x7F, 0xFF])
def test_quantizers_that_are_not_finite_are_refused(exponent: int) -> None:
    data = encode_record(paper_record(5))
    for place in range(5, 5 + 216, 4):
        bad = changed(changed(data, place + 3, exponent), place + 2, 0x80)
        with pytest.raises(FormatError, match=r"impossible quantizers: .* finite"):
            gaussianimage.decode(bad)


def test_positions_that_are_not_numbers_are_refused() -> None:
    data = encode_record(paper_record(5))
    with pytest.raises(FormatError, match=r"impossible Gaussians: .* NaN"):
        gaussianimage.decode(changed(changed(data, 7, 1, b"GAUS"), 8, 0x7E, b"GAUS"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c[:1], "expected chunks QUAN, GAUS, found none "),
        (lambda c: c[:2], "expected chunks QUAN, GAUS, found QUAN "),
        (lambda c: [c[0], c[2]], "found GAUS "),
        (lambda c: [c[0], c[2], c[1]], "found GAUS, QUAN "),
        (lambda c: [*c, c[1]], "found QUAN, GAUS, QUAN "),
        (lambda c: [*c, c[2]], "found QUAN, GAUS, GAUS "),
        (lambda c: [*c, Chunk(b"LAYR", b"")], "found QUAN, GAUS, LAYR "),
        (lambda c: [*c[:2], Chunk(b"GAUS", bytes(c[2].payload)[:-1])], "5 Gaussians take 35 bytes"),
        (lambda c: [*c[:2], Chunk(b"GAUS", bytes(c[2].payload) + b"\0")], "5 Gaussians take 35"),
        (lambda c: [c[0], Chunk(b"QUAN", bytes(c[1].payload)[:4]), c[2]], "QUAN is too short"),
        (lambda c: [c[0], Chunk(b"QUAN", bytes(c[1].payload)[:-1]), c[2]], "221 bytes of quant"),
    ],
    ids=[
        "none",
        "QUAN",
        "GAUS",
        "GAUS, QUAN",
        "QUAN twice",
        "GAUS twice",
        "LAYR",
        "GAUS cut",
        "GAUS longer",
        "QUAN of 4 bytes",
        "QUAN cut",
    ],
)
def test_chunks_that_are_missing_or_out_of_place_are_refused(change: Any, message: str) -> None:
    data = with_chunks(encode_record(paper_record(5)), change)
    with pytest.raises(FormatError, match=message):
        gaussianimage.decode(data)


def test_a_chunk_that_is_not_known_is_refused_here_too() -> None:
    data = with_chunks(encode_record(paper_record(5)), lambda c: [*c, Chunk(b"WARP", b"")])
    with pytest.raises(UnsupportedError, match="WARP"):
        gaussianimage.decode(data)


@pytest.mark.parametrize("kind", [b"QUAN", b"GAUS"])
def test_these_chunks_have_no_place_in_a_file_of_layers(kind: bytes) -> None:
    data = with_chunks(sample(), lambda c: [*c, Chunk(kind, b"")])
    with pytest.raises(FormatError, match=f"chunk {kind.decode()} in a file of layers"):
        gaussianimage.decode(data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": 2}, "has one layer"),
        ({"gaussians": 6}, "6 Gaussians take 42 bytes, found 35"),
        ({"gaussians": 0, "layers": 0, "work": 0}, "expected chunks QUAN, found QUAN, GAUS"),
        ({"work": 1}, "work of 1 blocks, found more"),
        ({"channels": 4}, "expected 285 bytes of quantizers, found 221"),
        ({"parameters": b"\0"}, "quantizer parameters: expected 8 bytes"),
    ],
    ids=str,
)
def test_a_header_that_lies_is_found_out(changes: dict[str, Any], message: str) -> None:
    data = with_header(encode_record(paper_record(5)), **changes)
    with pytest.raises(FormatError, match=message):
        gaussianimage.decode(data)


def test_the_bits_after_the_last_gaussian_are_zero() -> None:
    record = paper_record(5, shape_bits=5)
    data = encode_record(record)
    assert 5 * sum(record.widths) % 8
    with pytest.raises(FormatError, match="bits after the last Gaussian must be 0"):
        gaussianimage.decode(changed(data, -1, 0xFF, b"GAUS"))


@pytest.mark.parametrize("stream", STREAMS[1:])
def test_a_stack_of_another_size_is_refused(stream: str) -> None:
    data = encode_record(paper_record(40), stream=stream)
    for part in (slice(None, -2), slice(None, -1), slice(None, 5), slice(None, 0)):
        bad = with_chunks(
            data,
            lambda c, part=part: [*c[:2], Chunk(b"GAUS", bytes(c[2].payload)[part])],
        )
        with pytest.raises(FormatError):
            gaussianimage.decode(bad)
    longer = with_chunks(data, lambda c: [*c[:2], Chunk(b"GAUS", bytes(c[2].payload) + b"\0\0")])
    with pytest.raises(FormatError, match="data is left"):
        gaussianimage.decode(longer)


# Limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "value"), [("max_pixels", 12 * 16), ("max_side", 16), ("max_gaussians", 30)]
)
def test_a_limit_is_the_most_that_passes(limit: str, value: int) -> None:
    data = encode_record(paper_record(30))
    assert gaussianimage.decode(data, limits=Limits(**{limit: value})).size
    with pytest.raises(LimitError, match=limit):
        gaussianimage.decode(data, limits=Limits(**{limit: value - 1}))


def test_work_is_announced_and_limited() -> None:
    record = paper_record(30)
    work = measure_work(record.gaussians())
    data = encode_record(record)
    assert gaussianimage.info(data).work == work
    with pytest.raises(LimitError, match="max_work"):
        gaussianimage.decode(data, limits=Limits(max_work=work - 1))


@every_stream
def test_gaussians_without_bytes_are_refused_before_anything_is_allocated(stream: str) -> None:
    data = with_header(encode_record(paper_record(30), stream=stream), gaussians=2**22)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            gaussianimage.decode(data)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_random_bytes_under_right_checksums_are_harmless() -> None:
    rng = np.random.default_rng(0)
    head, quantizers, _ = read_chunks(encode_record(paper_record(5)))
    for stream in range(6):
        first = Chunk(b"QUAN", bytes([stream]) + bytes(quantizers.payload)[1:])
        for size in range(0, 300, 7):
            noise = Chunk(b"GAUS", rng.bytes(size))
            with pytest.raises(GaussianImageError):
                gaussianimage.decode(write_chunks([head, first, noise]))


def _mutated(payload: bytes, random: Random) -> bytes:
    """Flip bits, or set, remove or insert bytes."""
    data = bytearray(payload)
    begin = random.randrange(len(data))
    how = random.choice(["flip", "flip", "zeros", "ones", "cut", "insert"])
    if how == "flip":
        for _ in range(random.choice([1, 2, 8])):
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    elif how == "cut":
        del data[begin:]
    elif how == "insert":
        data[begin:begin] = random.randbytes(random.choice([1, 2, 8, 64]))
    else:
        end = min(begin + 8, len(data))
        data[begin:end] = (b"\0" if how == "zeros" else b"\xff") * (end - begin)
    return bytes(data)


@every_stream
@pytest.mark.parametrize("kind", [b"QUAN", b"GAUS"])
def test_any_damage_under_right_checksums_is_an_error_or_a_picture(
    kind: bytes, stream: str
) -> None:
    random = Random(f"{kind!r} {stream}")
    chunks = read_chunks(encode_record(paper_record(30, repeats=True), stream=stream))
    outcomes = set()
    for _ in range(80):
        changed = [
            Chunk(c.type, _mutated(bytes(c.payload), random) if c.type == kind else c.payload)
            for c in chunks
        ]
        try:
            picture = gaussianimage.decode(write_chunks(changed))
        except GaussianImageError as error:
            outcomes.add(type(error))
        else:
            outcomes.add(type(picture))
            assert picture.shape == (12, 16, 3)
    assert FormatError in outcomes
    # A number of a quantizer, or an index of fixed width, may be any other.
    if kind == b"QUAN" or stream == "plain":
        assert np.ndarray in outcomes
