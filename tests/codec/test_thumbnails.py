"""Thumbnails: their size, and how many layers they take."""

from typing import Any

import numpy as np
import pytest
from paper_samples import paper_record
from samples import levels, make_file, sample, with_chunks

from gaussianimage.codec.decoder.decode import decode, thumbnail
from gaussianimage.codec.decoder.file import enough_layers, parse_file
from gaussianimage.codec.format.container import Chunk
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.paper_profile.file import encode_record
from gaussianimage.errors import FormatError, LimitError


@pytest.mark.parametrize(
    ("height", "width", "longest", "size"),
    [
        (12, 16, 8, (6, 8)),
        (16, 12, 8, (8, 6)),
        (12, 16, 16, (12, 16)),
        (12, 16, 17, (12, 16)),
        (12, 16, 65536, (12, 16)),
        (12, 16, 1, (1, 1)),
        (1, 300, 3, (1, 3)),
    ],
)
def test_the_longest_side_is_the_one_asked_for(
    height: int, width: int, longest: int, size: tuple[int, int]
) -> None:
    data = make_file([levels(1, 9, height=height, width=width)], height=height, width=width)
    assert thumbnail(data, longest).shape == (*size, 3)


@pytest.mark.parametrize(
    ("longest", "layers"),
    # 2, 6, 12, 35 and 54 pixels, of layers of 5, 10 and 20 Gaussians.
    [(2, 1), (3, 2), (4, 2), (7, 3), (8, 3)],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_it_takes_the_layers_that_its_pixels_need(longest: int, layers: int, dtype: Any) -> None:
    data = sample((5, 10, 20))
    size = (round(longest * 0.75), longest)
    expected = decode(data, size=size, layers=layers, dtype=dtype)
    assert np.array_equal(thumbnail(data, longest, dtype=dtype), expected)


def test_layers_are_counted_exactly() -> None:
    file = parse_file(sample((5, 10, 20)))
    found = [enough_layers(file, count) for count in (0, 5, 6, 15, 16, 35, 36)]
    assert found == [1, 1, 2, 2, 3, 3, None]
    assert enough_layers(parse_file(sample(())), 1) is None


def test_the_beginning_of_a_file_is_enough() -> None:
    data = sample((5, 10, 20))
    expected = thumbnail(data, 3)
    assert np.array_equal(thumbnail(data[:-30], 3, partial=True), expected)
    with pytest.raises(FormatError):
        thumbnail(data[:-30], 3)


@pytest.mark.parametrize("payload", [b"", b"\1", b"\xff\xff\1", b"\1\0\x80"])
def test_a_layer_that_ends_too_early_is_refused(payload: bytes) -> None:
    data = with_chunks(sample(), lambda c: [c[0], Chunk(b"LAYR", payload), *c[2:]])
    with pytest.raises(FormatError):
        thumbnail(data, 3)


def test_a_file_of_the_papers_profile_has_one_too() -> None:
    data = encode_record(paper_record(20))
    assert np.array_equal(thumbnail(data, 8), decode(data, size=(6, 8)))


@pytest.mark.parametrize("longest", [0, 65537, -1])
def test_a_side_out_of_range_is_refused(longest: int) -> None:
    with pytest.raises(ValueError, match="longest"):
        thumbnail(sample(), longest)


def test_limits_hold_for_the_whole_picture() -> None:
    with pytest.raises(LimitError):
        thumbnail(sample(), 3, limits=Limits(max_pixels=100))
