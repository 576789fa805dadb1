import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussianimage.codec.format.container import Chunk, iterate_chunks, write_chunks
from gaussianimage.codec.format.header import Header, Limits, nearest_q_max
from gaussianimage.codec.format.quantizer import parameters_size
from gaussianimage.errors import FormatError, LimitError, TruncatedError, UnsupportedError

KODAK = Header(
    height=512,
    width=768,
    channels=3,
    gaussians=9000,
    layers=4,
    q_max=4.5,
    work=704_806,
    parameters=b"\x05\x06",
)


def read_header(data: bytes) -> Header:
    return Header.from_chunk(next(iterate_chunks(data)))


@st.composite
def headers(draw: st.DrawFn) -> Header:
    height = draw(st.integers(1, 2**24))
    width = draw(st.integers(1, 2**24))
    gaussians = draw(st.integers(0, 2**28))
    most = min(gaussians * (64 + -(-width // 8) * (16 + height)), 2**64 - 1)
    channels = draw(st.integers(1, 4))
    parameters, alpha_map = draw(st.binary(max_size=20)), b""
    if channels in (2, 4) and draw(st.booleans()):
        size = parameters_size(channels)
        parameters = draw(st.binary(min_size=size, max_size=size))
        alpha_map = draw(st.binary(min_size=1, max_size=20))
    return Header(
        height=height,
        width=width,
        channels=channels,
        bit_depth=draw(st.sampled_from([8, 16])),
        gaussians=gaussians,
        layers=draw(st.integers(min(1, gaussians), min(255, gaussians))),
        q_max=draw(st.integers(1, 65535)) / 2048,
        work=draw(st.integers(0, most)),
        parameters=parameters,
        alpha_map=alpha_map,
    )


@given(headers())
def test_headers_come_back(header: Header) -> None:
    assert Header.from_chunk(header.to_chunk()) == header
    assert read_header(write_chunks([header.to_chunk()])) == header


def test_bytes_are_pinned() -> None:
    assert KODAK.to_chunk().payload.hex(" ") == "01 01 02 80 04 80 06 a8 46 04 00 24 a6 82 2b 05 06"


def test_a_map_of_alpha_needs_alpha_and_the_parameters_of_layers() -> None:
    with pytest.raises(ValueError, match="3 channels"):
        dataclasses.replace(KODAK, alpha_map=b"\0")
    with pytest.raises(ValueError, match="needs quantizer parameters"):
        dataclasses.replace(KODAK, channels=4, alpha_map=b"\0")


def test_a_small_picture_costs_few_bytes() -> None:
    header = Header(height=16, width=16, channels=3, gaussians=1, layers=1, q_max=4.5, work=32)
    assert len(write_chunks([header.to_chunk(), Chunk(b"LAYR", b"")])) == 45


def test_only_the_start_of_a_file_is_needed() -> None:
    data = write_chunks([KODAK.to_chunk(), Chunk(b"LAYR", b"x" * 1000)])
    assert read_header(data[:40]) == KODAK


def test_alpha_follows_from_the_channels() -> None:
    alphas = [dataclasses.replace(KODAK, channels=n).has_alpha for n in (1, 2, 3, 4)]
    assert alphas == [False, True, False, True]


@pytest.mark.parametrize(
    "change",
    [
        {"height": 0},
        {"width": 0},
        {"width": 2**24 + 1},
        {"channels": 0},
        {"channels": 5},
        {"bit_depth": 12},
        {"gaussians": -1},
        {"gaussians": 2**28 + 1},
        {"gaussians": 0},
        {"gaussians": 3},
        {"layers": 0},
        {"layers": 256},
        {"q_max": 0.0},
        {"q_max": 32.0},
        {"q_max": 4.50001},
        {"q_max": math.nan},
        {"work": -1},
        {"work": 9000 * (64 + 96 * (16 + 512)) + 1},
        {"min_reader": 2},
        {"version": 0},
    ],
)
def test_a_value_out_of_range_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        dataclasses.replace(KODAK, **change)


@pytest.mark.parametrize(
    ("at", "byte", "message"),
    [
        (0, 0, "version must be in 1..255, got 0"),
        (1, 0, "min_reader must be in 1..1, got 0"),
        (2, 0x12, "reserved flags"),
        (2, 0x0A, "the map of alpha is empty"),
        (4, 0, "an integer is longer than it has to be"),
        (9, 0, "layers must be in 1..255, got 0"),
        (11, 0, "q_max must be between 0 and 32"),
    ],
)
def test_an_impossible_header_is_a_format_error(at: int, byte: int, message: str) -> None:
    payload = bytearray(KODAK.to_chunk().payload)
    payload[at] = byte
    with pytest.raises(FormatError, match=message) as caught:
        Header.from_chunk(Chunk(b"HEAD", bytes(payload), 8))
    assert caught.value.offset is not None
    assert caught.value.offset >= 13


@pytest.mark.parametrize("height", ["00", "81 80 80 08", "ff" * 9 + "01"])
def test_absurd_sizes_are_a_format_error(height: str) -> None:
    payload = bytes.fromhex("01 01 02" + height + "80 06 01 01 00 24 00")
    with pytest.raises(FormatError, match="impossible header: height must be"):
        Header.from_chunk(Chunk(b"HEAD", payload))


def test_every_cut_header_is_a_format_error() -> None:
    payload = dataclasses.replace(KODAK, parameters=b"").to_chunk().payload
    for size in range(len(payload)):
        with pytest.raises(FormatError):
            Header.from_chunk(Chunk(b"HEAD", payload[:size]))


@given(st.binary(max_size=40))
def test_random_bytes_are_a_header_or_a_format_error(payload: bytes) -> None:
    for start in (b"", b"\x01\x01\x02"):
        try:
            header = Header.from_chunk(Chunk(b"HEAD", start + payload))
        except (FormatError, UnsupportedError):
            continue
        assert header.to_chunk().payload == start + payload


def test_a_file_for_a_newer_reader_is_told_apart() -> None:
    payload = b"\x03\x02" + KODAK.to_chunk().payload[2:]
    with pytest.raises(UnsupportedError, match="needs a reader of version 2"):
        Header.from_chunk(Chunk(b"HEAD", payload))


def test_a_newer_file_for_old_readers_is_read() -> None:
    payload = b"\x03\x01" + KODAK.to_chunk().payload[2:]
    header = Header.from_chunk(Chunk(b"HEAD", payload))
    assert header == dataclasses.replace(KODAK, version=3)


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("max_pixels", 512 * 768),
        ("max_side", 768),
        ("max_gaussians", 9000),
        ("max_work", 704_806),
    ],
)
def test_each_limit_is_checked_and_named(limit: str, value: int) -> None:
    KODAK.check(Limits())
    KODAK.check(Limits(**{limit: value}))
    with pytest.raises(LimitError, match=f"is {value}, above the limit {limit}={value - 1}$"):
        KODAK.check(Limits(**{limit: value - 1}))


@pytest.mark.parametrize(
    ("value", "error"), [(-1, ValueError), (1.5, TypeError), (None, TypeError), (True, TypeError)]
)
def test_a_limit_is_a_natural_number(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="max_side: expected"):
        Limits(max_side=value)


def test_q_max_is_rounded_to_what_a_header_holds() -> None:
    assert nearest_q_max(4.5) == 4.5
    assert nearest_q_max(math.log(255)) == pytest.approx(math.log(255), abs=1 / 4096)
    assert nearest_q_max(1e-9) == 1 / 2048
    assert nearest_q_max(31.99999) == 65535 / 2048


def test_a_cut_integer_in_the_header_is_a_truncation() -> None:
    with pytest.raises(TruncatedError):
        Header.from_chunk(Chunk(b"HEAD", bytes.fromhex("01 01 02 80")))
