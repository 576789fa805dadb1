"""Whole files of the paper's profile: their sizes, their pictures, and refused records."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from paper_samples import paper_record
from samples import sample

import gaussianimage
from gaussianimage import rendering
from gaussianimage.codec.decoder.paper_record import decode_record
from gaussianimage.codec.format.container import read_chunks
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.varint import write_varint
from gaussianimage.codec.paper_profile.bits_back import log2_factorial
from gaussianimage.codec.paper_profile.file import STREAMS, encode_record
from gaussianimage.codec.paper_profile.frequencies import entropies
from gaussianimage.codec.paper_profile.record import PaperRecord
from gaussianimage.errors import FormatError

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
    """Return the bytes of a plain file but for its fields and the numbers of its quantizers.

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
    drawn = rendering.render(gaussians).clip(0, 1)
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
    record = one.with_rows(np.repeat(one.rows(), 2**18 + 1, axis=0))
    with pytest.raises(ValueError, match="interleaved takes 262144 Gaussians at most"):
        encode_record(record, stream="interleaved")
