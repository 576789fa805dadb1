import io
import struct
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageCms

from gaussianimage import picture
from gaussianimage.errors import PictureError
from gaussianimage.picture import from_pillow

RGB = np.array([[[0, 0, 0], [255, 0, 0], [10, 200, 30]], [[255] * 3, [1, 2, 3], [0, 0, 255]]], "u1")


def as_array(image):
    return picture.to_array(picture.as_picture(image).pixels)


def through(image, name, **options):
    file = io.BytesIO()
    image.save(file, name, **options)
    return picture.to_array(picture.read(file.getvalue()).pixels)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)])
def test_plain_modes_are_taken_as_they_are(mode, channels):
    values = np.arange(1, 6 * channels + 1, dtype=np.uint8).reshape(2, 3, channels)
    values = values[..., 0] if channels == 1 else values
    image = Image.fromarray(values)
    assert image.mode == mode
    np.testing.assert_array_equal(as_array(image), values)
    np.testing.assert_array_equal(through(image, "PNG"), values)


def test_black_and_white_is_gray():
    image = Image.fromarray(np.array([[True, False, True]]))
    assert image.mode == "1"
    np.testing.assert_array_equal(as_array(image), [[255, 0, 255]])


def test_a_palette_is_resolved():
    image = Image.fromarray(RGB).quantize(6)
    assert image.mode == "P"
    np.testing.assert_array_equal(as_array(image), RGB)
    np.testing.assert_array_equal(through(image, "PNG"), RGB)
    np.testing.assert_array_equal(through(image, "GIF"), RGB)


@pytest.mark.parametrize("key", [0, bytes([0, 128, 255])])
def test_a_palette_with_transparency_has_alpha(key):
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 1, 2])
    alpha = list(key) if isinstance(key, bytes) else [0, 255, 255]
    result = through(image, "PNG", transparency=key)
    np.testing.assert_array_equal(result[..., 3], [alpha])
    np.testing.assert_array_equal(result[0, 2, :3], [70, 80, 90])


def test_a_palette_with_an_alpha_channel_is_resolved():
    image = Image.fromarray(RGB).convert("PA")
    result = as_array(image)
    assert result.shape == (2, 3, 4)
    assert (result[..., 3] == 255).all()


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_gray_color_key_is_scaled_like_the_pixels(depth):
    white = 2**depth - 1
    values = [white, 1, 0, white, 1, 1, 0, 1]
    bits = "".join(f"{v:0{depth}b}" for v in values)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 8, 1, depth, 0, 0, 0, 0)),
        (b"tRNS", struct.pack(">H", 1)),
        (b"IDAT", zlib.compress(b"\0" + int(bits, 2).to_bytes(depth, "big"))),
        (b"IEND", b""),
    ]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks
    )
    result = picture.to_array(picture.read(png).pixels)
    visible = [v != 1 for v in values]
    np.testing.assert_array_equal(result[0, :, 1] == 255, visible)
    expected = [v * 255 // white if v != 1 else 0 for v in values]
    np.testing.assert_array_equal(result[0, :, 0], expected)


def test_a_color_key_makes_its_color_transparent():
    result = through(Image.fromarray(RGB), "PNG", transparency=(10, 200, 30))
    np.testing.assert_array_equal(result[..., 3], [[255, 255, 0], [255, 255, 255]])


@pytest.mark.parametrize("mode", ["La", "RGBa"])
def test_premultiplied_modes_are_not_multiplied_again(mode):
    straight = Image.new("LA" if mode == "La" else "RGBA", (1, 1))
    straight.putpixel((0, 0), (200, 128) if mode == "La" else (200, 100, 0, 128))
    pixels = picture.as_picture(straight.convert(mode)).pixels
    assert pixels[0, 0, 0] == pytest.approx(100 / 255, abs=0.003)
    assert pixels[0, 0, -1] == pytest.approx(128 / 255)


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "LAB", "RGBX"])
def test_other_color_spaces_become_rgb(mode):
    image = Image.new("RGB", (4, 4), (200, 100, 50))
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    else:
        image = image.convert(mode)
    np.testing.assert_allclose(as_array(image)[0, 0], [200, 100, 50], atol=4)


def test_cmyk_without_a_profile_becomes_rgb_by_the_plain_formula():
    image = Image.new("CMYK", (8, 8), (0, 255, 128, 0))
    np.testing.assert_allclose(as_array(image)[0, 0], [255, 0, 127], atol=1)
    np.testing.assert_allclose(through(image, "JPEG", quality=100)[0, 0], [255, 0, 127], atol=4)


def cmyk_profile():
    """Return a CMYK profile: any ink with cyan in it is mid gray, all else is white."""

    def table(size):
        return bytes(round(255 * i / (size - 1)) for i in range(size))

    light = {True: bytes([128, 128, 128]), False: bytes([255, 128, 128])}  # Lab of 8 bits
    grid = b"".join(light[corner >= 8] for corner in range(16))  # cyan changes slowest
    identity = b"".join(struct.pack(">i", 65536 * (i % 4 == 0)) for i in range(9))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity
    lut += table(256) * 4 + grid + table(256) * 3
    white = b"XYZ " + bytes(4) + struct.pack(">iii", 63190, 65536, 54061)
    text = b"text" + bytes(4) + b"none\0\0\0\0"
    tags = [(b"A2B0", lut), (b"A2B1", lut), (b"wtpt", white), (b"cprt", text), (b"desc", text)]
    directory, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags:
        directory += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(
        ">I4sI4s4s4s", start + len(body), b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab "
    )
    header += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp"
    header = header.ljust(68, b"\0") + struct.pack(">iii", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + directory + body


def test_cmyk_with_a_profile_goes_through_it_to_srgb():
    image = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    file = io.BytesIO()
    image.save(file, "TIFF", icc_profile=cmyk_profile())
    result = picture.read(file.getvalue())
    # L* = 50 is 119 in sRGB; without the profile cyan would be (0, 255, 255).
    np.testing.assert_allclose(picture.to_array(result.pixels)[0, 0], [119, 119, 119], atol=3)
    assert result.icc is None  # it does not describe these pixels any more


def test_a_profile_that_is_none_is_passed_over():
    image = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    image.info["icc_profile"] = b"no profile"
    np.testing.assert_array_equal(as_array(image)[0, 0], [0, 255, 255])


def test_a_mode_that_pillow_may_invent_is_refused():
    with pytest.raises(PictureError, match="unknown mode XYZ"):
        from_pillow.samples(SimpleNamespace(mode="XYZ"))


def test_gray_of_16_bits_keeps_them():
    values = np.array([[0, 1, 256, 65535]], np.uint16)
    result = picture.as_picture(Image.fromarray(values))
    assert result.bit_depth == 16
    np.testing.assert_array_equal(picture.to_array(result.pixels, np.uint16), values)


def test_integers_of_32_bits_are_taken_for_16():
    values = np.array([[0, 1, 256, 65535]], np.int32)
    image = Image.fromarray(values)
    assert image.mode == "I"
    result = picture.as_picture(image)
    np.testing.assert_array_equal(picture.to_array(result.pixels, np.uint16), values)


@pytest.mark.parametrize("value", [-1, 65536])
def test_integers_beyond_16_bits_have_no_known_white(value):
    with pytest.raises(PictureError, match=r"0..65535 \(16 bits\) if no white is given"):
        picture.as_picture(Image.fromarray(np.array([[0, value]], np.int32)))


def test_floating_point_is_taken_as_it_is():
    values = np.array([[0, 0.25, 1]], np.float32)
    np.testing.assert_array_equal(
        picture.as_picture(Image.fromarray(values)).pixels[..., 0], values
    )
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF")
    result = picture.read(file.getvalue())
    assert result.bit_depth == 16
    np.testing.assert_array_equal(result.pixels[..., 0], values)


@pytest.mark.parametrize("value", [np.nan, np.inf, 255])
def test_floating_point_that_is_no_picture_is_refused(value):
    file = io.BytesIO()
    Image.fromarray(np.array([[0, value]], np.float32)).save(file, "TIFF")
    with pytest.raises(PictureError):
        picture.read(file.getvalue())
