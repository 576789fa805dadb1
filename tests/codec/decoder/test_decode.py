"""The decoder draws whole files within the limits, and refuses all others."""

import dataclasses
import io
import math
import mmap
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import (
    HEIGHT,
    WIDTH,
    levels,
    make_file,
    make_parameters,
    sample,
    with_chunks,
    with_header,
)

from gaussianimage import reference, rendering
from gaussianimage.codec.decoder.decode import (
    Decoder,
    decode,
    decode_gaussians,
    decode_picture,
    thumbnail,
)
from gaussianimage.codec.decoder.file import parse_file
from gaussianimage.codec.decoder.info import info
from gaussianimage.codec.format.container import Chunk, read_chunks, write_chunks
from gaussianimage.codec.format.header import Header, Limits
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.quantizer import QuantizerParameters
from gaussianimage.errors import (
    FormatError,
    GaussianImageError,
    LimitError,
    TruncatedError,
    UnsupportedError,
)
from gaussianimage.gaussians import Gaussians

UNLIMITED = Limits(**dict.fromkeys((f.name for f in dataclasses.fields(Limits)), 2**64))


def small(source: Any, **options: Any) -> np.ndarray:
    return thumbnail(source, 5, **options)


def by_an_object(source: Any) -> np.ndarray:
    return Decoder().decode(source)


def plain(result: Any) -> Any:
    """Convert the result of a function to an array."""
    return result.means if isinstance(result, Gaussians) else np.asarray(result)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and np.array_equal(a, b)


# What is drawn ------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_the_sum_of_the_background_and_the_gaussians(channels: int) -> None:
    data = sample(channels=channels)
    expected = reference.render(decode_gaussians(data)).clip(0, 1)
    found = decode(data, dtype=np.float32)
    assert found.shape == ((HEIGHT, WIDTH, 3) if channels == 3 else (HEIGHT, WIDTH))
    assert found.reshape(expected.shape) == pytest.approx(expected, abs=1e-4)
    # Sums for 8 bits are formed in steps of 1/32 level: 35 Gaussians are off by a few of these.
    for dtype, most, off in ((np.uint8, 255, 0.3), (np.uint16, 65535, 13)):
        levels = decode(data, dtype=dtype)
        assert levels.dtype == dtype
        assert np.abs(levels.reshape(expected.shape) - most * expected).max() < 0.5 + off


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_file_without_gaussians_is_its_background(channels: int) -> None:
    found = decode(make_file([], channels), dtype=np.float32).reshape(HEIGHT, WIDTH, -1)
    expected = make_parameters(channels).background_color
    if channels in (2, 4):
        expected[:-1] /= expected[-1]
    assert found == pytest.approx(np.broadcast_to(expected, found.shape), abs=2e-6)


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_colors_are_divided_by_alpha(channels: int, dtype: type) -> None:
    data = sample(channels=channels)
    found = decode(data, dtype=dtype)
    assert found.shape == (HEIGHT, WIDTH, channels)
    assert found.dtype == dtype
    most = 1.0 if dtype == np.float32 else float(np.iinfo(dtype).max)
    premultiplied = rendering.render(decode_gaussians(data)).clip(0, 1)
    alpha = premultiplied[..., -1:]
    opaque = alpha[..., 0] > 0.1
    assert opaque.any()
    expected = (premultiplied[..., :-1] / np.maximum(alpha, 1e-6)).clip(0, 1)
    assert found[..., -1] / most == pytest.approx(alpha[..., 0], abs=0.51 / 255)
    assert found[opaque, :-1] / most == pytest.approx(expected[opaque], abs=0.06)


def test_a_transparent_picture_decodes_to_no_color() -> None:
    header = {"parameters": QuantizerParameters(40, 128, (30000, 20000, 10000, 0)).to_bytes()}
    assert not decode(with_header(make_file([], 4), **header)).any()


@given(st.integers(1, 50), st.integers(1, 50), st.data())
def test_a_crop_at_any_size_is_part_of_the_whole(
    height: int, width: int, data: st.DataObject
) -> None:
    file = sample()
    whole = decode(file, size=(height, width))
    assert whole.shape == (height, width, 3)
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    h, w = data.draw(st.integers(1, height - top)), data.draw(st.integers(1, width - left))
    crop = decode(file, size=(height, width), crop=(top, left, h, w))
    assert same(crop, whole[top : top + h, left : left + w])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("crop", [(0, 0, 12, 16), (0, 0, 1, 1), (11, 15, 1, 1), (3, 5, 7, 9)])
def test_a_crop_at_the_nominal_size_is_part_of_the_whole(
    channels: int, crop: tuple[int, int, int, int]
) -> None:
    file = sample(channels=channels)
    top, left, height, width = crop
    whole = decode(file)
    assert same(decode(file, crop=crop), whole[top : top + height, left : left + width])


def test_decoding_keeps_nothing_from_the_file_before() -> None:
    files = [sample(counts, channels) for counts in ((3,), (200, 300), ()) for channels in (1, 3)]
    bad = files[3][:-30]
    first = [decode(file) for file in files]
    for file, expected in [*zip(files, first, strict=True)] * 2:
        with pytest.raises(FormatError):
            decode(with_chunks(sample(), lambda c: [*c[:2], c[2], c[2]]))
        decode(bad, partial=True)
        assert same(decode(file), expected)


def test_files_may_be_decoded_on_many_threads_at_once() -> None:
    files = [sample((count, 100), seed) for count, seed in ((5, 1), (50, 3), (300, 4))] * 8
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(decode, files))
    for file, pixels in zip(files, found, strict=True):
        assert same(decode(file), pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_size_and_crop_go_with_every_kind_of_pixels(channels: int) -> None:
    file = sample(channels=channels)
    for dtype in (np.uint8, np.uint16, np.float32):
        found = decode(file, size=(30, 20), crop=(1, 2, 3, 4), dtype=dtype)
        assert found.shape == ((3, 4) if channels == 1 else (3, 4, channels))
        assert found.dtype == dtype


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("channels", [1, 4])
def test_threads_change_nothing(threads: int, channels: int) -> None:
    file = sample((40, 80), channels)
    assert same(decode(file, threads=threads), decode(file))
    assert decode_gaussians(file, threads=threads) == decode_gaussians(file)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_bytes_will_do(kind: type) -> None:
    assert same(decode(kind(sample())), decode(sample()))


EVERY_FUNCTION = [decode, decode_gaussians, decode_picture, info, by_an_object, small]


@pytest.mark.parametrize("source", [5, None, [1, 2]])
@pytest.mark.parametrize("function", EVERY_FUNCTION)
def test_other_things_are_a_type_error(function: Any, source: Any) -> None:
    expected = f"source: expected a file name, bytes or a stream, got {type(source).__name__}"
    with pytest.raises(TypeError, match=expected):
        function(source)


@pytest.mark.parametrize("function", EVERY_FUNCTION)
def test_bytes_in_pieces_and_text_are_a_type_error(function: Any) -> None:
    with pytest.raises(TypeError, match="in one piece, got memoryview"):
        function(memoryview(b"abcd")[::2])
    with pytest.raises(TypeError, match="binary stream, got a text stream"):
        function(io.StringIO("text"))


@pytest.mark.parametrize("function", EVERY_FUNCTION)
def test_a_file_is_taken_by_name_as_bytes_and_as_a_stream(
    function: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = sample()
    path = tmp_path / "a.gimg"
    path.write_bytes(data)
    expected = plain(function(data))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        for source in (path, str(path), file, io.BytesIO(data), mapped, np.frombuffer(data, "u1")):
            assert np.array_equal(plain(function(source)), expected)
        assert not file.closed
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert np.array_equal(plain(function("-")), expected)


@pytest.mark.parametrize("function", EVERY_FUNCTION)
def test_an_error_names_the_file(function: Any, tmp_path: Path) -> None:
    path = tmp_path / "cut.gimg"
    path.write_bytes(sample()[:-9])
    with path.open("rb") as file:
        for source in (path, str(path), file):
            with pytest.raises(TruncatedError, match="cut off") as caught:
                function(source)
            assert caught.value.__notes__ == [f"in {path}"]
            file.seek(0)
    with pytest.raises(FileNotFoundError):
        function(tmp_path / "missing.gimg")


@pytest.mark.parametrize(("size", "full"), [((9, None), (9, 18)), ((None, 9), (4, 9))])
def test_one_side_of_a_size_keeps_the_shape(size: Any, full: tuple[int, int]) -> None:
    data = sample(height=20, width=40)
    for options in ({}, {"crop": (1, 2, 3, 4)}, {"layers": 1}, {"dtype": np.float32}):
        assert same(decode(data, size=size, **options), decode(data, size=full, **options))
        assert same(
            Decoder().decode(data, size=size, **options), decode(data, size=full, **options)
        )
    out = np.empty((*full, 3), np.uint8)
    assert Decoder().decode(data, out, size=size) is out
    assert np.asarray(decode_picture(data, size=size)).shape == out.shape
    with pytest.raises(ValueError, match="size: expected a height or a width"):
        decode(data, size=(None, None))
    with pytest.raises(ValueError, match="size: width: expected 1 to 65536 pixels, got 80000"):
        decode(data, size=(40000, None))


@pytest.mark.parametrize("bit_depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_decoded_picture_has_the_pixels_and_the_metadata(channels: int, bit_depth: int) -> None:
    told = Metadata(icc=b"profile", exif=b"II*\0\x08\0\0\0\0\0\0\0\0\0", xmp=b"<x/>")
    data = sample(channels=channels, bit_depth=bit_depth, metadata=told)
    picture = decode_picture(data)
    assert (picture.icc, picture.exif, picture.xmp) == (told.icc, told.exif, told.xmp)
    assert picture.bit_depth == bit_depth
    expected = decode(data, dtype=np.uint16 if bit_depth == 16 else np.uint8)
    assert same(np.asarray(picture), expected)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"size": (0, 5)}, ValueError),
        ({"size": (65537, 5)}, ValueError),
        ({"size": 5}, TypeError),
        ({"crop": (0, 0, HEIGHT + 1, 1)}, ValueError),
        ({"crop": (0, 0, 0, 1)}, ValueError),
        ({"crop": (0, 0)}, TypeError),
        ({"dtype": np.int32}, TypeError),
        ({"dtype": "nonsense"}, TypeError),
        ({"threads": 0}, ValueError),
        ({"threads": 1.5}, TypeError),
        ({"layers": -1}, ValueError),
        ({"layers": 4}, ValueError),
        ({"layers": 1.5}, TypeError),
        ({"limits": None}, TypeError),
    ],
    ids=str,
)
@pytest.mark.parametrize("channels", [3, 4])
def test_arguments_out_of_range_are_refused(
    options: dict[str, Any], error: type[Exception], channels: int
) -> None:
    with pytest.raises(error):
        decode(sample(channels=channels), **options)


# Layers -------------------------------------------------------------------------------------


def prefixes(counts: tuple[int, ...] = (5, 10, 20)) -> list[np.ndarray]:
    """Return the pictures of the first 0, 1, 2 … layers, drawn from their Gaussians."""
    whole = decode_gaussians(sample(counts))
    ends = np.cumsum([1, *counts])
    return [rendering.render(whole[: int(end)], dtype=np.uint8) for end in ends]


def test_any_number_of_first_layers_makes_a_picture() -> None:
    for count, expected in enumerate(prefixes()):
        assert same(decode(sample(), layers=count), expected)
    assert same(decode(sample(), layers=None), prefixes()[-1])


def test_a_cut_file_gives_the_whole_layers_before_the_cut() -> None:
    data, pictures = sample(), prefixes()
    ends = [chunk.payload_offset + len(chunk.payload) + 4 for chunk in read_chunks(data)]
    for size in range(len(data)):
        whole = sum(end <= size for end in ends)
        with pytest.raises(TruncatedError):
            decode(data[:size])
        if whole == 0:
            with pytest.raises(TruncatedError):
                decode(data[:size], partial=True)
        else:
            assert same(decode(data[:size], partial=True), pictures[whole - 1])


def test_a_damaged_file_gives_the_whole_layers_before_the_damage() -> None:
    data, pictures = sample(), prefixes()
    chunks = read_chunks(data)
    for whole, chunk in enumerate(chunks):
        for place in (chunk.offset, chunk.payload_offset, chunk.payload_offset + 3):
            bad = bytearray(data)
            bad[place] ^= 4
            with pytest.raises(FormatError):
                decode(bad)
            if whole == 0:
                with pytest.raises(FormatError):
                    decode(bad, partial=True)
            else:
                assert same(decode(bad, partial=True), pictures[whole - 1])


def test_a_whole_file_is_the_same_in_part() -> None:
    assert same(decode(sample(), partial=True), decode(sample()))
    assert parse_file(sample(), partial=True).damage is None
    assert same(decode(sample()[:-3], partial=True, layers=1), prefixes()[1])


# What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_flipped_bit_is_an_error(channels: int) -> None:
    data = sample((3, 6), channels, metadata=Metadata(icc=b"profile"))
    for bit in range(8 * len(data)):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(GaussianImageError):
            decode(bad)


def test_every_flipped_bit_in_part_is_an_error_or_a_prefix() -> None:
    data = sample((3, 6))
    pictures = prefixes((3, 6))
    for bit in range(8 * len(data)):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        try:
            found = decode(bad, partial=True)
        except GaussianImageError:
            continue
        assert any(same(found, picture) for picture in pictures)


def test_a_byte_added_anywhere_is_an_error() -> None:
    data = sample((3, 6))
    for place in range(len(data) + 1):
        for value in (0, 0x80, 0xFF):
            with pytest.raises(GaussianImageError):
                decode(data[:place] + bytes([value]) + data[place:])


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", bytes(50), b"GIMG", b"\x89PNG\r\n\x1a\n" + bytes(30), b"\xff\xd8\xff\xe0JFIF"],
)
def test_what_is_not_such_a_file_is_refused(data: bytes) -> None:
    for partial in (False, True):
        with pytest.raises(FormatError):
            decode(data, partial=partial)


@given(st.binary(max_size=300))
def test_random_bytes_in_right_checksums_are_harmless(payload: bytes) -> None:
    head = read_chunks(sample((3, 6)))[0]
    for chunks in (
        [Chunk(b"HEAD", payload[:40])],
        [head, Chunk(b"LAYR", payload[:150]), Chunk(b"LAYR", payload[150:])],
        [head, Chunk(b"iCCP", payload)],
    ):
        with pytest.raises(GaussianImageError):
            decode(write_chunks(chunks))


def test_every_changed_byte_under_a_right_checksum_is_harmless() -> None:
    data = sample((3, 6))
    chunks = read_chunks(data)
    refused = tried = 0
    for which, chunk in enumerate(chunks):
        for place in range(len(chunk.payload)):
            for change in (1, 0x80, 0xFF):
                payload = bytearray(chunk.payload)
                payload[place] ^= change
                bad = [*chunks[:which], Chunk(chunk.type, bytes(payload)), *chunks[which + 1 :]]
                tried += 1
                try:
                    assert decode(write_chunks(bad), limits=Limits(max_pixels=10**6)).size
                except GaussianImageError:
                    refused += 1
    assert refused > tried / 2


def test_a_critical_chunk_that_is_not_known_is_refused() -> None:
    data = with_chunks(sample(), lambda chunks: [*chunks, Chunk(b"WARP", b"")])
    for partial in (False, True):
        with pytest.raises(UnsupportedError, match="WARP"):
            decode(data, partial=partial)


def test_an_ancillary_chunk_that_is_not_known_is_skipped() -> None:
    data = with_chunks(sample(), lambda chunks: [*chunks, Chunk(b"wARP", b"any")])
    assert same(decode(data), decode(sample()))


def test_a_newer_file_is_refused() -> None:
    data = with_header(sample(), version=2, min_reader=2)
    with pytest.raises(UnsupportedError, match="version 2"):
        decode(data)
    assert same(decode(with_header(sample(), version=2)), decode(sample()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": 2}, "announces 2 layers, found 3"),
        ({"layers": 4}, "announces 4 layers, found 3"),
        ({"gaussians": 36}, "announces 36 Gaussians, found 35"),
        ({"gaussians": 34}, "layer does not decode"),
        ({"work": 1}, "work of 1 blocks"),
        ({"channels": 4}, "quantizer parameters: expected 10 bytes"),
        ({"channels": 1}, "quantizer parameters: expected 4 bytes"),
        ({"parameters": b"\x28\x80"}, "quantizer parameters: expected 8 bytes, got 2"),
        ({"parameters": b""}, "expected chunks QUAN, GAUS, found LAYR, LAYR, LAYR"),
        ({"parameters": b"\x28\x3f\0\0\0\0\0\0"}, "shape step 63"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_header_that_lies_is_found_out(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=rf"{message}.*\(at byte \d+\)$"):
        decode(with_header(sample(), **changes))


@pytest.mark.parametrize(
    "change",
    [
        lambda c: [c[0], c[2], c[1], c[3]],
        lambda c: [c[0], c[1], c[1], c[3]],
        lambda c: [c[0], *(Chunk(x.type, b"") for x in c[1:])],
        lambda c: [*c[:3], Chunk(c[3].type, bytes(c[3].payload[:-2]))],
        lambda c: [*c[:3], Chunk(c[3].type, bytes(c[3].payload) + b"\0\0")],
    ],
    ids=["swapped", "twice", "empty", "short", "long"],
)
def test_layers_that_do_not_decode_are_refused_with_their_place(change: Any) -> None:
    data = with_chunks(sample(), change)
    with pytest.raises(FormatError, match="layer does not decode") as caught:
        decode(data)
    assert caught.value.offset in [chunk.payload_offset for chunk in read_chunks(data)]


def test_metadata_that_is_there_twice_is_refused() -> None:
    data = with_chunks(sample(metadata=Metadata(icc=b"x")), lambda c: [*c, c[1]])
    with pytest.raises(FormatError, match="twice"):
        decode(data)


# Limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "value"),
    [("max_pixels", HEIGHT * WIDTH), ("max_side", WIDTH), ("max_gaussians", 35)],
)
def test_a_limit_is_the_most_that_passes(limit: str, value: int) -> None:
    assert decode(sample(), limits=Limits(**{limit: value})).size
    with pytest.raises(LimitError, match=limit):
        decode(sample(), limits=Limits(**{limit: value - 1}))


def test_work_is_limited() -> None:
    work = Header.from_chunk(read_chunks(sample())[0]).work
    assert decode(sample(), limits=Limits(max_work=work)).size
    with pytest.raises(LimitError, match="max_work"):
        decode(sample(), limits=Limits(max_work=work - 1))


@pytest.mark.parametrize("log_size", [8, 19])  # in steps; the second is flat over the picture
def test_work_counts_whatever_way_a_gaussian_is_drawn(log_size: int) -> None:
    numbers = ([[3, 3]], [[1, 0, 0]], [[log_size, 0, 0]])
    alone = QuantizedGaussians(
        np.array([5], np.uint8), *(np.array(part, np.int32) for part in numbers)
    )
    data = make_file([alone])
    work = Header.from_chunk(read_chunks(data)[0]).work
    for function in (decode, decode_gaussians):
        function(data)
        with pytest.raises(FormatError, match="found more"):
            function(with_header(data, work=work - 1))


@pytest.mark.parametrize(
    "changes",
    [
        {"height": 2**24, "width": 2**24},
        {"height": 1, "width": 2**24},
        {"height": 65536, "width": 65536},
        {"height": 60_000, "width": 3000},
        {"gaussians": 2**28},
        {"gaussians": 2**22 + 1},
        {"height": 2**13, "width": 2**13, "gaussians": 2**22, "work": 3 * 2**29 + 1},
    ],
    ids=str,
)
def test_bombs_are_refused_before_anything_is_allocated(changes: dict[str, int]) -> None:
    data = with_header(sample(), **changes)
    tracemalloc.start()
    try:
        with pytest.raises(LimitError):
            decode(data)
        with pytest.raises(LimitError):
            decode(data[:-5], partial=True)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_a_bomb_within_the_limits_is_refused_by_its_layers() -> None:
    # 2^22 Gaussians would take most of a gigabyte, but the file has no bytes for them.
    data = with_header(sample(), gaussians=2**22)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [(65537, 1), (1, 2**24)])
def test_sides_that_cannot_be_drawn_are_refused_whatever_the_limits(size: tuple[int, int]) -> None:
    data = with_header(make_file([]), height=size[0], width=size[1])
    with pytest.raises(UnsupportedError, match="65536"):
        decode(data, limits=UNLIMITED)


def test_the_longest_sides_are_drawn() -> None:
    layer = levels(0, 5, height=1, width=65536)
    found = decode(make_file([layer], height=1, width=65536))
    assert found.shape == (1, 65536, 3)


@pytest.mark.parametrize("q_max", [1 / 2048, 65535 / 2048])
def test_any_cut_off_is_drawn(q_max: float) -> None:
    most = 64 + math.ceil(WIDTH / 8) * (16 + HEIGHT)
    data = with_header(sample(), q_max=q_max, work=35 * most)
    expected = reference.render(decode_gaussians(data)).clip(0, 1)
    assert decode(data, dtype=np.float32) == pytest.approx(expected, abs=1e-3)
