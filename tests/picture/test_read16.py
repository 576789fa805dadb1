import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gaussianimage import picture
from gaussianimage._util import row_blocks
from gaussianimage.errors import PictureError, PictureWarning

TIFF = Path(__file__).parents[1] / "data" / "tiff16"


def sample(channels, height=5, width=7):
    """Return the pixels of the files in tests/data/tiff16."""
    y, x, k = np.mgrid[0:height, 0:width, 0:channels]
    return ((y * 12007 + x * 3011 + k * 21377 + 99) % 65536).astype(np.uint16)


def check(source, expected, depth=16, tolerance=1e-6):
    result = picture.read(source)
    assert result.bit_depth == depth
    np.testing.assert_allclose(result.pixels, expected, atol=tolerance)


def multiplied(pixels):
    unit = pixels / 65535
    unit[..., :-1] *= unit[..., -1:]
    return unit


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "rgb_le",
        "rgb_be",
        "rgb_be_tiled",
        "rgb_le_deflate",
        "rgb_be_lzw_tiled",
        "rgb_le_planar",
        "rgb_be_planar_tiled",
        "rgbx_le",
    ],
)
def test_a_color_tiff_is_read_with_all_16_bits(name, in_memory):
    path = TIFF / f"{name}.tif"
    check(path.read_bytes() if in_memory else path, sample(4)[..., :3] / 65535)


@pytest.mark.parametrize("name", ["rgba_le", "rgba_be_planar"])
def test_a_tiff_with_alpha_is_read_with_all_16_bits(name):
    check(TIFF / f"{name}.tif", multiplied(sample(4)))


@pytest.mark.parametrize("name", ["rgba_le_premultiplied", "rgba_be_premultiplied_lzw"])
def test_color_that_is_multiplied_by_alpha_is_not_multiplied_again(name):
    check(TIFF / f"{name}.tif", multiplied(sample(4)), tolerance=1.6e-5)


def test_compressed_planes_are_read_with_8_bits():
    check(TIFF / "rgb_le_planar_deflate.tif", (sample(3) >> 8) / 255, depth=8)


def test_a_gray_tiff_is_read_with_all_16_bits():
    check(TIFF / "gray_be_deflate.tif", sample(1) / 65535)


def test_white_may_be_zero():
    check(TIFF / "gray_le_white_is_zero.tif", 1 - sample(1) / 65535)


def test_12_bits_are_scaled_by_their_own_white():
    entries = {256: (3, 2), 257: (3, 1), 258: (3, 12), 259: (3, 1), 262: (3, 1), 273: (4, 200)}
    entries |= {277: (3, 1), 278: (3, 1), 279: (4, 3)}
    directory = b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in entries.items()
    )
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + bytes(4)
    check(head.ljust(200, b"\0") + bytes([0xFF, 0xF1, 0x00]), [[[1], [256 / 4095]]])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_is_read_with_all_16_bits(channels):
    pixels = sample(channels, 70, 33)
    file = io.BytesIO()
    picture.write(file, pixels)
    expected = multiplied(pixels) if channels in (2, 4) else pixels / 65535
    check(file.getvalue(), expected)


def png(pixels, color_type, *, key=None, interlaced=False):
    """Return a PNG file of 16 bits without filters, made from the specification."""
    height, width, _ = pixels.shape
    # Adam7: the places that each pass starts at and its steps.
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)]
    passes += [(2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    data = b""
    for top, left, down, right in passes if interlaced else [(0, 0, 1, 1)]:
        part = pixels[top::down, left::right].astype(">u2")
        if part.size:
            data += b"".join(b"\0" + row.tobytes() for row in part)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, int(interlaced))
    chunks = [(b"IHDR", header)]
    if key is not None:
        chunks.append((b"tRNS", struct.pack(f">{len(key)}H", *key)))
    chunks += [(b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks
    )


@pytest.mark.parametrize(("channels", "color_type"), [(1, 0), (2, 4), (3, 2), (4, 6)])
def test_an_interlaced_png_is_read_with_all_16_bits(channels, color_type):
    pixels = sample(channels, 13, 21)
    expected = multiplied(pixels) if channels in (2, 4) else pixels / 65535
    check(png(pixels, color_type, interlaced=True), expected)


@pytest.mark.parametrize(("channels", "color_type"), [(1, 0), (3, 2)])
def test_the_color_key_of_a_png_compares_all_16_bits(channels, color_type):
    pixels = np.full((1, 3, channels), 0x1234, np.uint16)
    pixels[0, 1] = 0x1235
    pixels[0, 2] = 0x1134
    result = picture.read(png(pixels, color_type, key=(0x1234,) * channels))
    np.testing.assert_array_equal(result.pixels[0, :, -1], [0, 1, 1])


@pytest.mark.parametrize("magic", [b"P5", b"P6"])
@pytest.mark.parametrize("white", [65535, 1023, 255, 100, 1])
def test_a_binary_netpbm_file_is_read_by_its_own_white(magic, white):
    channels = 1 if magic == b"P5" else 3
    pixels = np.minimum(sample(channels), white)
    data = pixels.astype(">u2" if white > 255 else "u1").tobytes()
    file = magic + b" 7 5 %d\n" % white + data
    check(file, pixels / white, depth=16 if white > 255 else 8)
    with pytest.raises(PictureError):
        picture.read(file[: len(file) // 3])


def test_orientation_and_depth_go_together():
    pixels = sample(3)
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    picture.write(file, pixels, exif=exif.tobytes().removeprefix(b"Exif\0\0"))
    check(file.getvalue(), np.rot90(pixels / 65535, -1))


@pytest.mark.parametrize("name", ["rgb_le", "rgb_le_planar", "rgb_le_deflate", "rgba_be_planar"])
def test_a_file_cut_far_too_short_is_an_error(name):
    data = (TIFF / f"{name}.tif").read_bytes()
    for length in (len(data) // 4, len(data) // 3):
        with pytest.raises(PictureError):
            picture.read(data[:length])


@pytest.mark.parametrize("name", ["rgb_le", "rgb_be"])
def test_samples_behind_the_end_of_a_file_are_black(name):
    data = (TIFF / f"{name}.tif").read_bytes()
    with pytest.warns(PictureWarning, match="cut short"):
        result = picture.read(data[:-2]).pixels
    expected = sample(4)[..., :3] / 65535
    np.testing.assert_allclose(result[:-1], expected[:-1], atol=1e-6)


@pytest.mark.parametrize("white", [200, 4095, 65535])
def test_a_ppm_is_read_a_few_rows_at_a_time(white, monkeypatch):
    monkeypatch.setattr(row_blocks, "BLOCK_PIXELS", 14)
    pixels = np.minimum(sample(3), white)
    header = f"P6\n7 5\n{white}\n".encode()
    data = pixels.astype("u1" if white < 256 else ">u2").tobytes()
    check(header + data, pixels / white, depth=8 if white < 256 else 16)
    with pytest.raises(PictureError, match=f"the file ends {len(data) - 13} bytes too early"):
        picture.read(header + data[:13])


def test_16_bits_of_a_png_are_put_together_a_few_rows_at_a_time(monkeypatch):
    monkeypatch.setattr(row_blocks, "BLOCK_PIXELS", 14)
    pixels = sample(4)
    data = io.BytesIO()
    picture.write(data, pixels, format=".png")
    check(data.getvalue(), multiplied(pixels))
