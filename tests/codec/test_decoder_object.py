"""`Decoder` keeps its memory, writes into the caller's arrays, and gives exact crops."""

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_samples import paper_record
from samples import HEIGHT, WIDTH, levels, make_file, sample

from gaussianimage import rendering
from gaussianimage.codec.decoder.decode import Decoder, decode, decode_gaussians
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.paper_profile.file import encode_record
from gaussianimage.errors import FormatError, LimitError
from gaussianimage.picture import to_array

DTYPES = (np.uint8, np.uint16, np.float32)
# Larger than a cell of 8 × 256 pixels both ways, and not a multiple of one.
TALL, WIDE = 531, 77


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and np.array_equal(a, b)


def large(channels: int = 3) -> bytes:
    layers = [levels(seed, 300, channels, height=TALL, width=WIDE) for seed in (1, 2)]
    return make_file(layers, channels, height=TALL, width=WIDE)


# Repeated work ------------------------------------------------------------------------------


def test_a_decoder_gives_what_the_function_gives() -> None:
    decoder = Decoder(threads=1)
    files = [sample((3,), 1), large(4), sample(), large(), sample((), 3), large(1), sample((9,), 2)]
    for data in [*files, *files]:
        for dtype in DTYPES:
            assert same(decoder.decode(data, dtype=dtype), decode(data, dtype=dtype))
    for options in ({"size": (20, 30)}, {"crop": (1, 2, 3, 4)}, {"layers": 1}, {"layers": 0}):
        assert same(decoder.decode(sample(), **options), decode(sample(), **options))


def test_a_decoder_goes_on_after_an_error() -> None:
    decoder = Decoder()
    expected = decoder.decode(sample())
    for bad in (sample()[:-1], b"", sample()[:40]):
        with pytest.raises(FormatError):
            decoder.decode(bad)
        assert same(decoder.decode(sample()), expected)


def test_pixels_belong_to_the_caller() -> None:
    decoder = Decoder()
    first = decoder.decode(sample())
    kept = first.copy()
    decoder.decode(sample((40, 40)))
    assert same(first, kept)
    assert first.flags.writeable


def test_several_threads_may_share_a_decoder() -> None:
    decoder = Decoder(threads=1)
    files = [sample((count, 100), seed) for count, seed in ((5, 1), (50, 3), (300, 4))] * 8
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(decoder.decode, files))
    for file, pixels in zip(files, found, strict=True):
        assert same(decode(file), pixels)


def test_a_decoder_has_limits() -> None:
    decoder = Decoder(limits=Limits(max_side=WIDTH - 1))
    with pytest.raises(LimitError, match="max_side"):
        decoder.decode(sample())
    with pytest.raises(TypeError, match="limits: expected Limits, got int"):
        Decoder(limits=WIDTH)  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [0, 257, 1.5])
def test_threads_out_of_range_are_refused(threads: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="threads"):
        Decoder(threads=threads)


# Into an array ------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", [{}, {"size": (7, 9)}, {"crop": (2, 3, 4, 5)}], ids=str)
def test_pixels_go_where_they_are_wanted(channels: int, dtype: Any, options: Any) -> None:
    for data in (
        sample(channels=channels),
        sample(channels=channels, metadata=Metadata(icc=b"profile")),
    ):
        expected = decode(data, dtype=dtype, **options)
        out = np.full_like(expected, 77)
        assert Decoder().decode(data, out, **options) is out
        assert same(out, expected)


def test_pixels_of_the_papers_profile_go_where_they_are_wanted() -> None:
    data = encode_record(paper_record(20))
    expected = decode(data)
    out = np.zeros_like(expected)
    assert Decoder().decode(data, out) is out
    assert same(out, expected)


def test_an_array_in_a_larger_one_will_do() -> None:
    frames = np.zeros((3, HEIGHT, WIDTH, 3), np.uint8)
    Decoder().decode(sample(), frames[1])
    assert same(frames[1], decode(sample()))
    assert not frames[0].any()
    assert not frames[2].any()


def test_an_array_that_is_let_go_is_let_go() -> None:
    decoder, out = Decoder(), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    before = sys.getrefcount(out)
    for _ in range(3):
        decoder.decode(sample(), out)
    assert sys.getrefcount(out) == before


@pytest.mark.parametrize(
    ("out", "options", "error", "message"),
    [
        (np.zeros((HEIGHT, WIDTH), np.uint8), {}, ValueError, r"shape \(12, 16, 3\), got"),
        (np.zeros((WIDTH, HEIGHT, 3), np.uint8), {}, ValueError, "shape"),
        (np.zeros((HEIGHT, WIDTH, 3), np.uint8), {"crop": (0, 0, 4, 4)}, ValueError, "shape"),
        (np.zeros((HEIGHT, WIDTH, 3), np.uint8), {"size": (4, 4)}, ValueError, "shape"),
        (np.zeros((HEIGHT, WIDTH, 3), np.uint16), {"dtype": np.uint8}, TypeError, "dtype uint8"),
        (np.zeros((HEIGHT, WIDTH, 3), np.int32), {}, TypeError, "dtype"),
        (np.zeros((HEIGHT, WIDTH, 3), ">u2"), {}, TypeError, "dtype"),
        (np.zeros((HEIGHT, WIDTH, 6), np.uint8)[..., ::2], {}, ValueError, "C-contiguous"),
        (np.frombuffer(bytes(576), np.uint8).reshape(12, 16, 3), {}, ValueError, "writable"),
        ([[1]], {}, TypeError, "ndarray"),
        (bytearray(576), {}, TypeError, "ndarray"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(
    out: Any, options: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Decoder().decode(sample(), out, **options)


# Parts of a picture -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wholes() -> dict[int, bytes]:
    return {channels: large(channels) for channels in (1, 2, 3, 4)}


@given(st.data())
def test_a_crop_has_the_bits_of_the_whole(wholes: dict[int, bytes], data: st.DataObject) -> None:
    channels = data.draw(st.integers(1, 4))
    size = data.draw(st.sampled_from([None, (TALL, WIDE), (300, 120), (100, 40), (11, 500)]))
    options = {
        "size": size,
        "dtype": data.draw(st.sampled_from(DTYPES)),
        "layers": data.draw(st.sampled_from([None, 0, 1, 2])),
        "threads": data.draw(st.sampled_from([1, 2])),
    }
    height, width = size or (TALL, WIDE)
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    h, w = data.draw(st.integers(1, height - top)), data.draw(st.integers(1, width - left))
    whole = decode(wholes[channels], **options)
    part = decode(wholes[channels], crop=(top, left, h, w), **options)
    assert same(part, whole[top : top + h, left : left + w])


def test_a_crop_of_a_partial_file_has_the_bits_of_the_whole(wholes: dict[int, bytes]) -> None:
    cut = wholes[3][:-20]
    whole = decode(cut, partial=True)
    assert same(decode(cut, partial=True, crop=(250, 9, 20, 30)), whole[250:270, 9:39])
    assert same(whole, decode(wholes[3], layers=1))


@pytest.mark.parametrize("size", [(TALL, WIDE), (700, 90), (200, 30), (600, 30)])
def test_a_size_is_drawn_as_the_engine_draws_it(wholes: dict[int, bytes], size: Any) -> None:
    for channels, data in wholes.items():
        gaussians = decode_gaussians(data)
        expected = to_array(rendering.render(gaussians, size=size), np.float32)
        found = decode(data, size=size, dtype=np.float32)
        if channels in (1, 3):
            assert found == pytest.approx(expected, abs=2e-5)
        else:  # division by a small alpha
            solid = expected[..., -1] > 0.1
            assert found[..., -1] == pytest.approx(expected[..., -1], abs=2e-5)
            assert found[solid] == pytest.approx(expected[solid], abs=2e-4)


def test_a_pickled_or_copied_decoder_decodes_with_the_same_options(
    wholes: dict[int, bytes],
) -> None:
    decoder = Decoder(threads=2, limits=Limits(max_side=TALL))
    expected = decoder.decode(wholes[3])
    for again in (pickle.loads(pickle.dumps(decoder)), copy.deepcopy(decoder)):
        assert repr(again) == repr(decoder)
        assert same(again.decode(wholes[3]), expected)
        with pytest.raises(LimitError, match="max_side"):
            again.decode(sample(width=TALL + 1))
    assert repr(Decoder()) == "Decoder(threads=None)"
