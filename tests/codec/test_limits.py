"""The default limits of a file's cost, and other limits."""

import warnings

import numpy as np
import pytest
from paper_samples import paper_record
from samples import levels, make_file, sample, with_header

from gaussianimage import LargePictureWarning, LimitError, Limits, decode, decode_gaussians, info
from gaussianimage.codec.paper_profile.file import encode_record

SIZE = 12 * 16 * 3  # bytes of the sample's pixels


@pytest.mark.parametrize(("dtype", "sample_bytes"), [("uint8", 1), ("uint16", 2), ("float32", 4)])
def test_the_bytes_that_are_drawn_are_limited(dtype: str, sample_bytes: int) -> None:
    exact = SIZE * sample_bytes
    assert decode(sample(), dtype=dtype, limits=Limits(max_output=exact)).nbytes == exact
    with pytest.raises(LimitError, match=f"is {exact}, above the limit max_output={exact - 1}"):
        decode(sample(), dtype=dtype, limits=Limits(max_output=exact - 1))


def test_a_crop_and_another_size_count_as_what_they_are() -> None:
    limits = Limits(max_output=SIZE)
    assert decode(sample(), size=(1200, 1600), crop=(5, 7, 12, 16), limits=limits).nbytes == SIZE
    with pytest.raises(LimitError, match="max_output"):
        decode(sample(), size=(13, 16), limits=limits)


def test_the_memory_to_draw_in_is_limited() -> None:
    exact = SIZE + 35 * 200
    assert decode(sample(), limits=Limits(max_memory=exact)).size
    with pytest.raises(LimitError, match=f"is {exact}, above the limit max_memory={exact - 1}"):
        decode(sample(), limits=Limits(max_memory=exact - 1))


@pytest.mark.parametrize("kind", ["layers", "paper"])
def test_work_is_limited_at_the_size_that_is_drawn(kind: str) -> None:
    data = sample() if kind == "layers" else encode_record(paper_record(35))
    limits = Limits(max_work=20 * info(data).work)
    assert decode(data, limits=limits).size
    with pytest.raises(LimitError, match=r"render 1200 x 1600 pixels .* max_work"):
        decode(data, size=(1200, 1600), limits=limits)
    assert decode(data, size=(1200, 1600), crop=(600, 800, 8, 8), limits=limits).shape[:2] == (8, 8)


def test_a_picture_of_one_color_is_no_free_gigabyte() -> None:
    data = with_header(make_file([], 4), height=2**14, width=2**14)
    with pytest.raises(LimitError, match="max_pixels"):
        decode(data, dtype=np.float32)
    limits = Limits(max_pixels=2**28, warn_pixels=2**28)
    with pytest.raises(LimitError, match="max_output"):
        decode(data, dtype=np.float32, limits=limits)


def test_many_pixels_are_warned_of_from_where_it_is_asked_for() -> None:
    limits = Limits(warn_pixels=12 * 16 - 1)
    for function in (decode, decode_gaussians):
        with pytest.warns(LargePictureWarning, match="12 x 16 pixels") as found:
            function(sample(), limits=limits)
        assert [one.filename for one in found] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode(sample(), limits=Limits(warn_pixels=12 * 16))


def test_a_warning_changes_no_pixel() -> None:
    with pytest.warns(LargePictureWarning):
        found = decode(sample(), limits=Limits(warn_pixels=1))
    assert np.array_equal(found, decode(sample()))


def test_pictures_are_warned_of_and_refused_where_pillow_does_so() -> None:
    pixels = 89_478_485
    assert (Limits().warn_pixels, Limits().max_pixels) == (pixels, 2 * pixels)


def test_a_gaussian_costs_even_where_nothing_is_drawn() -> None:
    data = make_file([levels(0, 50)])
    assert info(data).work >= 50 * 64
