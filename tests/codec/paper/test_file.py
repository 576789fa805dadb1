"""Whole files of the paper's profile: their size, what they decode to, and what is refused."""

import math
import tracemalloc
from collections import Counter
from typing import Any

import numpy as np
import pytest
from paper_samples import paper_record
from samples import sample, with_chunks, with_header

import gaussianimage
from gaussianimage import engine
from gaussianimage.codec.format import Chunk, read_chunks, write_chunks
from gaussianimage.codec.header import Limits
from gaussianimage.codec.metadata import Metadata
from gaussianimage.codec.paper.bits_back import log2_factorial
from gaussianimage.codec.paper.file import STREAMS, decode_record, encode_record, work_of
from gaussianimage.codec.paper.frequencies import entropies
from gaussianimage.codec.paper.record import PaperRecord
from gaussianimage.codec.varint import write_varint
from gaussianimage.errors import (
    FormatError,
    GaussianImageError,
    LimitError,
    TruncatedError,
    UnsupportedError,
)

KINDS: dict[str, dict[str, Any]] = {
    "paper": {},
    "rotation": {"rotation": True, "half_pixel": True},
    "no offset": {"offset": False},
    "integer colors": {"color": "uniform", "color_bits": 8},
    "gray": {"channels": 1, "stages": 1, "color_bits": 1, "shape_bits": 1},
    "gray and alpha": {"channels": 2, "color": "uniform", "color_bits": 12, "shape_bits": 12},
    "alpha": {"channels": 4, "stages": 8, "color_bits": 8},
}

every_stream = pytest.mark.parametrize("stream", STREAMS)
every_kind = pytest.mark.parametrize("kind", KINDS)


def container_bytes(record: PaperRecord, data: bytes) -> int:
    """What a plain file has beside the Gaussians' fields and the quantizers' numbers.

    Signature, three or four chunks with type, length and CRC, the header, and five bytes that say
    what the fields are.
    """
    head = len(read_chunks(data)[0].payload)
    fields = -(-len(record) * sum(record.widths) // 8)
    quantizers = 5 + len(record.side_information())
    frames = [head, quantizers, 0] + ([fields] if len(record) else [])
    return 8 + sum(4 + len(write_varint(size)) + 4 for size in frames) + head + 5


# Sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 800, 1000, 9000])
def test_a_plain_file_has_the_bits_of_the_formula_and_those_of_the_container(count: int) -> None:
    record = paper_record(count, height=512, width=768)
    data = encode_record(record)
    assert 8 * len(data) == 56 * count + 1728 + 8 * container_bytes(record, data)
    assert container_bytes(record, data) <= 72


@every_kind
def test_other_quantizers_have_the_bits_of_their_formula(kind: str) -> None:
    record = paper_record(37, **KINDS[kind])
    data = encode_record(record)
    padding = -record.formula_bits % 8
    assert 8 * len(data) == record.formula_bits + padding + 8 * container_bytes(record, data)


def test_entropy_coding_saves_what_the_entropies_tell() -> None:
    record = paper_record(5000)
    plain, coded = (encode_record(record, stream=stream) for stream in ("plain", "entropy"))
    rows, widths = record.rows()[:, 2:], record.widths[2:]
    expected = len(record) * (sum(widths) - entropies(rows, widths).sum())
    tables = 4 * sum(2**bits for bits in widths)
    saved = 8 * (len(plain) - len(coded))
    rounding = 0.02 * len(record) * len(widths) + 100  # of the frequencies, and of the last words
    assert expected - tables - rounding < saved < expected


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("entropy", [False, True])
def test_bits_back_saves_what_an_order_is_worth(entropy: bool, repeats: bool) -> None:
    record = paper_record(1500, repeats=repeats)
    prefix = "entropy-" if entropy else ""
    listed = encode_record(record, stream="entropy" if entropy else "plain")
    partial = encode_record(record, stream=prefix + "bits-back")
    interleaved = encode_record(record, stream=prefix + "interleaved")
    equals = Counter(map(tuple, record.rows().tolist())).values()
    bound = log2_factorial(1500) - sum(log2_factorial(n) for n in equals)
    state = 64 + 16 + 16  # of the coder's, a word not yet full, and K
    assert 0 <= bound - 8 * (len(listed) - len(interleaved)) < state + math.log2(1500)
    # The paper's way, with log2 (N - K)! for N!: K Gaussians pay for the order of the others.
    first = next(k for k in range(1500) if k * sum(record.widths) >= log2_factorial(1500 - k))
    lost = log2_factorial(1500) - log2_factorial(1500 - first)
    if not entropy and not repeats:
        assert abs(bound - lost - 8 * (len(listed) - len(partial))) < state
    assert len(interleaved) < len(partial) < len(listed)


# What comes back ----------------------------------------------------------------------------


@every_stream
@every_kind
@pytest.mark.parametrize("count", [0, 1, 2, 65])
def test_records_come_back_to_the_bit(count: int, kind: str, stream: str) -> None:
    record = paper_record(count, **KINDS[kind], repeats=count == 65)
    found = decode_record(encode_record(record, stream=stream))
    assert found == (record if stream in ("plain", "entropy") else record.canonical())


def test_many_gaussians_fill_more_than_one_part() -> None:
    rng = np.random.default_rng(0)
    few = paper_record(7)
    record = few.with_rows(few.rows()[rng.integers(0, 7, 2**16 + 9)])
    assert decode_record(encode_record(record)) == record


@every_stream
def test_the_order_of_a_set_does_not_change_its_file(stream: str) -> None:
    record = paper_record(100, repeats=True)
    shuffled = record.with_rows(record.rows()[::-1])
    same = encode_record(record, stream=stream) == encode_record(shuffled, stream=stream)
    assert same == (stream not in ("plain", "entropy"))


@every_stream
@every_kind
def test_such_a_file_is_decoded_like_any_other(kind: str, stream: str) -> None:
    record = paper_record(30, **KINDS[kind])
    data = encode_record(record, stream=stream)
    gaussians = decode_record(data).gaussians()
    assert gaussianimage.decode_gaussians(data) == gaussians
    drawn = engine.render(gaussians).clip(0, 1)
    floats = gaussianimage.decode(data, dtype=np.float32).reshape(drawn.shape)
    if record.channels in (2, 4):
        assert floats[..., -1] == pytest.approx(drawn[..., -1])
    else:
        assert np.array_equal(floats, drawn)
    whole = gaussianimage.decode(data, size=(30, 20))
    crop = gaussianimage.decode(data, size=(30, 20), crop=(3, 4, 20, 10))
    assert np.array_equal(crop, whole[3:23, 4:14])
    assert gaussianimage.decode(data, layers=0, dtype=np.float32).max() == 0
    assert len(gaussianimage.decode_gaussians(data, layers=0)) == 0


@every_stream
@every_kind
def test_info_tells_of_the_quantizers(kind: str, stream: str) -> None:
    record = paper_record(9, **KINDS[kind])
    data = encode_record(record, stream=stream)
    found = gaussianimage.info(data)
    assert (found.height, found.width, found.channels) == (12, 16, record.channels)
    assert (found.gaussians, found.layers, found.bytes) == (9, 1, len(data))
    assert found.color_step is None
    assert found.background == (0,) * record.channels
    assert found.paper is not None
    assert found.paper.stream == stream
    assert found.paper.shape == ("scale-rotation" if record.rotation else "cholesky")
    assert found.paper.shape_bits == record.shape_quantizer.bits
    assert found.paper.color == ("uniform" if "color" in KINDS[kind] else "vector")
    assert found.paper.color_bits == record.color_quantizer.widths
    assert found.paper.formula_bits == record.formula_bits
    assert gaussianimage.info(sample()).paper is None


def test_metadata_and_depth_are_carried() -> None:
    metadata = Metadata(icc=b"profile", xmp=b"<x/>")
    data = encode_record(paper_record(3), metadata=metadata, bit_depth=16)
    found = gaussianimage.info(data)
    assert (found.icc, found.exif, found.xmp, found.bit_depth) == (7, None, 4, 16)


# Misuse -------------------------------------------------------------------------------------


def test_misuse_is_refused() -> None:
    with pytest.raises(TypeError, match="record: expected PaperRecord, got bytes"):
        encode_record(b"")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"stream: expected one of plain, entropy, .* got 'zip'"):
        encode_record(paper_record(1), stream="zip")
    with pytest.raises(FormatError, match="not of the paper's profile"):
        decode_record(sample())
    for layers in (-1, 2):
        with pytest.raises(ValueError, match="layers: expected 0 to 1"):
            gaussianimage.decode(encode_record(paper_record(1)), layers=layers)


def test_sets_are_not_too_large() -> None:
    one = paper_record(1)
    record = one.with_rows(np.repeat(one.rows(), 2**20 + 1, axis=0))
    with pytest.raises(ValueError, match="interleaved takes 1048576 Gaussians at most"):
        encode_record(record, stream="interleaved")


# Damage -------------------------------------------------------------------------------------


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
    """The file with another byte in a chunk, under a right checksum."""

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
        (lambda c: c[:1], "expected chunks QUAN, GAUS, found  "),
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
    ids=str,
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
        ({"settings": b"\0"}, "settings: expected 8 bytes"),
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
    with pytest.raises(FormatError, match="something is left"):
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
    work = work_of(record.gaussians())
    data = encode_record(record)
    assert gaussianimage.info(data).work == work
    with pytest.raises(LimitError, match="max_work"):
        gaussianimage.decode(data, limits=Limits(max_work=work - 1))


@every_stream
def test_gaussians_without_bytes_are_refused_before_anything_is_allocated(stream: str) -> None:
    data = with_header(encode_record(paper_record(30), stream=stream), gaussians=2**24)
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
