import io

import numpy as np
import pytest
from PIL import Image, ImageFile

from gaussianimage import picture
from gaussianimage.errors import PictureError, PictureWarning

Y, X = np.mgrid[0:96, 0:64]
RGB = np.stack([X * 3 % 101 + 20, Y * 2 % 113 + 5, (X * Y) % 117 + 3], axis=2).astype(np.uint8)
PLAIN = ["BMP", "PPM", "TGA", "TIFF", "SGI"]


def encoded(name, pixels=RGB, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, name, **options)
    return file.getvalue()


def told(data):
    with pytest.warns(PictureWarning) as caught:
        result = picture.read(data)
    return picture.to_array(result.pixels), str(caught[0].message)


def test_a_jpeg_file_without_its_last_bytes_has_all_its_pixels():
    data = encoded("JPEG")
    pixels, message = told(data[:-2])
    np.testing.assert_array_equal(pixels, picture.to_array(picture.read(data).pixels))
    assert message == "the data: the file is cut short; the picture is complete"


def test_rows_that_a_jpeg_file_lacks_are_gray():
    data = encoded("JPEG")
    pixels, message = told(data[: len(data) * 4 // 5])
    assert "% of the picture is missing and becomes gray" in message
    whole = picture.to_array(picture.read(data).pixels)
    np.testing.assert_array_equal(pixels[:32], whole[:32])
    np.testing.assert_allclose(pixels[-1], 128, atol=1)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"quality": 95}, {"restart_marker_rows": 1}]
)
def test_a_jpeg_file_cut_early_is_an_error(options):
    data = encoded("JPEG", **options)
    scan = data.index(b"\xff\xda")
    for length in (scan, scan + 20, scan + (len(data) - scan) // 4):
        with pytest.raises(PictureError):
            picture.read(data[:length])


def test_a_progressive_jpeg_file_is_shown_if_its_detail_is_there():
    data = encoded("JPEG", progressive=True)
    whole = picture.to_array(picture.read(data).pixels).astype(int)
    pixels, _ = told(data[: len(data) * 9 // 10])
    assert np.abs(pixels - whole).mean() < 4


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1"])
def test_rows_that_a_png_file_lacks_are_black_or_transparent(mode):
    file = io.BytesIO()
    image = Image.fromarray(RGB).convert(mode)
    image.save(file, "PNG")
    data = file.getvalue()
    whole = picture.to_array(picture.read(data).pixels)
    pixels, message = told(data[: len(data) - 12 - len(data) // 10])
    assert "% of the picture is missing" in message
    np.testing.assert_array_equal(pixels[:48], whole[:48])
    if mode in ("LA", "RGBA"):
        assert not pixels[-1].any()


def test_rows_of_16_bits_are_kept_with_all_of_them():
    deep = RGB.astype(np.uint16) * 257 + 11
    file = io.BytesIO()
    picture.write(file, deep)
    data = file.getvalue()
    with pytest.warns(PictureWarning, match="cut short"):
        result = picture.read(data[: len(data) * 4 // 5])
    np.testing.assert_allclose(result.pixels[:48], deep[:48] / 65535, atol=1e-6)
    assert result.bit_depth == 16


def test_a_png_file_cut_early_is_an_error():
    data = encoded("PNG")
    for length in (40, 100, len(data) // 3):
        with pytest.raises(PictureError):
            picture.read(data[:length])


def test_a_damaged_png_file_is_no_cut_one():
    data = bytearray(encoded("PNG"))
    middle = len(data) // 2
    data[middle : middle + 40] = b"\xff" * 40
    with pytest.raises(PictureError, match="broken PNG"):
        picture.read(bytes(data))


@pytest.mark.parametrize("name", PLAIN)
def test_plain_samples_are_shown_if_half_of_them_are_there(name):
    data = encoded(name)
    whole = picture.to_array(picture.read(data).pixels)
    pixels, message = told(data[: len(data) * 3 // 4])
    assert "missing pixels become black" in message
    # Some formats begin with the last row, and some hold one color after another.
    assert (pixels == whole).mean() > 0.7
    with pytest.raises(PictureError):
        picture.read(data[: len(data) // 3])


@pytest.mark.parametrize("name", ["GIF", "WEBP", "AVIF", "JPEG2000"])
def test_other_formats_are_whole_or_an_error(name):
    data = encoded(name)
    with pytest.raises(PictureError):
        picture.read(data[: len(data) * 3 // 4])


def test_pillows_own_switch_is_left_alone():
    told(encoded("JPEG")[:-2])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
