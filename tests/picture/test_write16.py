import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from gaussianimage import picture
from gaussianimage.picture import write16

PIXELS = hnp.arrays(np.uint16, st.tuples(st.integers(1, 70), st.integers(1, 9), st.integers(1, 4)))


def smooth(channels):
    y, x, k = np.mgrid[0:150, 0:90, 0:channels]
    return (20000 + 300 * y + 100 * x + 7 * k * y + 20 * np.sin(x * y)).astype(np.uint16)


@settings(deadline=None)
@given(PIXELS)
def test_pillow_reads_the_high_byte_of_every_sample_of_a_png(pixels):
    image = Image.open(io.BytesIO(write16.png(pixels)))
    read = np.asarray(image)
    if pixels.shape[2] == 1:
        np.testing.assert_array_equal(read, pixels[..., 0])
    else:
        expected = pixels[..., [0, 0, 0, 1]] if pixels.shape[2] == 2 else pixels
        np.testing.assert_array_equal(read, expected >> 8)


def test_a_png_of_every_filter_comes_back():
    rng = np.random.default_rng(0)
    across, down = rng.integers(0, 65536, (1, 90, 3)), rng.integers(0, 65536, (40, 1, 3))
    parts = [rng.integers(0, 3, (40, 90, 3)), across.repeat(40, 0), down.repeat(90, 1)]
    pixels = np.concatenate([*parts, smooth(3)]).astype(np.uint16)
    filters = {rows[0] for rows in _lines(b"".join(write16._filtered(pixels)), 6 * 90 + 1)}
    assert len(filters) >= 4
    read = picture.read(write16.png(pixels)).pixels
    np.testing.assert_array_equal(np.rint(read * 65535), pixels)


def _lines(data, length):
    return [data[i : i + length] for i in range(0, len(data), length)]


def test_filters_make_a_png_of_a_smooth_picture_small():
    pixels = smooth(3)
    assert len(write16.png(pixels)) < 0.6 * pixels.nbytes


def test_an_image_header_is_all_that_a_png_needs_beside_pixels():
    data = write16.png(smooth(1)[:2, :2])
    names = [data[i : i + 4] for i in (12, 37)]
    assert names == [b"IHDR", b"IDAT"]
    assert data.endswith(b"IEND\xaeB`\x82")


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("compression", [None, "tiff_adobe_deflate"])
def test_pillow_reads_the_high_byte_of_every_sample_of_a_tiff(channels, compression):
    pixels = smooth(channels)
    data = write16.tiff(pixels, compression=compression, icc=b"profile", xmp=b"<x/>")
    assert (len(data) < pixels.nbytes) == (compression is not None)
    image = Image.open(io.BytesIO(data))
    read = np.asarray(image)
    np.testing.assert_array_equal(read, pixels[..., 0] if channels == 1 else pixels >> 8)
    assert image.info["icc_profile"] == b"profile"
    assert image.info["xmp"] == b"<x/>"


def test_an_unknown_compression_is_refused():
    with pytest.raises(ValueError, match="tiff_adobe_deflate"):
        write16.tiff(smooth(3), compression="jpeg")


@pytest.mark.parametrize(("channels", "magic"), [(1, b"P5"), (3, b"P6")])
def test_a_ppm_is_a_line_of_header_and_the_samples(channels, magic):
    pixels = smooth(channels)
    head, size, white, data = write16.ppm(pixels).split(b"\n", 3)
    assert (head, size, white) == (magic, b"90 150", b"65535")
    assert data == pixels.astype(">u2").tobytes()
