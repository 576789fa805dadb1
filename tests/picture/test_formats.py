import io
import sys
import types

import numpy as np
import pytest
from PIL import Image

import gaussianimage
from gaussianimage import picture
from gaussianimage.codec.format.container import SIGNATURE
from gaussianimage.errors import LimitError, PictureError
from gaussianimage.picture import formats

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(30)
JXL = b"\xff\x0a" + bytes(30)
JXL_BOX = b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl "


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (SIGNATURE + bytes(30), "a .gimg file already; decode it first"),
        (HEIC, "an HEIF or HEIC file; the package pillow-heif reads it"),
        (JXL, "a JPEG XL file; the package pillow-jxl-plugin reads it"),
        (JXL_BOX, "a JPEG XL file"),
        (b"%PDF-1.7\n" + bytes(30), "a PDF document"),
        (b"\n<!DOCTYPE html>\n<html lang=en>", "an HTML page; is it the right one"),
        (b"\xef\xbb\xbf<html><body>404</body></html>", "an HTML page"),
        (b"<?xml version='1.0'?>\n<!-- x -->\n<svg xmlns='x'></svg>", "an SVG drawing"),
        (b"<svg width='3'></svg>", "an SVG drawing"),
        (b"<?xml version='1.0'?><feed></feed>", "an XML file"),
        (b"PK\x03\x04" + bytes(50), "a ZIP archive"),
        (b"\x93NUMPY\x01\0" + bytes(50), "a NumPy file; give the array"),
        (b"\0\0\0\x20ftypisom" + bytes(30), "an MP4 or QuickTime video"),
        (b"\x1aE\xdf\xa3" + bytes(30), "a Matroska or WebM video"),
        (b"RIFF\0\0\0\0AVI LIST" + bytes(30), "a RIFF file of kind b'AVI '"),
        (b"\x1f\x8b\x08" + bytes(30), "a file compressed by gzip"),
        (b"a text,\n" * 30, "a text file"),
        ("ä text of 1024 bytes ".encode() * 60, "a text file"),
    ],
)
def test_a_file_is_called_what_it_is(data, message, monkeypatch):
    # As if no plugin were installed, whatever else has imported one in this process.
    for module in ("pillow_heif", "pillow_jxl", "pillow_jxl.JpegXLImagePlugin"):
        monkeypatch.setitem(sys.modules, module, None)
    Image.init()  # now, so that Pillow's own formats are not registered in the list of a moment
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "JXL"])
    with pytest.raises(PictureError, match=f"^the data: (this is|not a picture but) {message}"):
        picture.read(data)


def test_an_encoder_says_that_its_input_is_a_file_of_ours():
    data = gaussianimage.encode(np.full((4, 4), 200, np.uint8))
    with pytest.raises(PictureError, match=r"a \.gimg file already; decode it first"):
        gaussianimage.encode(data)


def test_an_avif_file_is_no_heif_file():
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "AVIF")
    assert not formats.is_heif(file.getvalue())
    assert picture.read(file.getvalue()).width == 8


def stand_in(image, monkeypatch, package, name):
    """Put a module in the place of a package, with a class that opens any file as `image`."""
    data = io.BytesIO()
    image.save(data, "PNG")

    def opened(file, filename):
        assert file.tell() == 0
        result = Image.open(io.BytesIO(data.getvalue()))
        result.format = {"pillow_heif": "HEIF"}.get(package, "JXL")
        return result

    module = types.ModuleType(package)
    monkeypatch.setitem(sys.modules, package, module)
    if package == "pillow_jxl":
        module.JpegXLImagePlugin = types.ModuleType("pillow_jxl.JpegXLImagePlugin")
        monkeypatch.setitem(sys.modules, "pillow_jxl.JpegXLImagePlugin", module.JpegXLImagePlugin)
        module = module.JpegXLImagePlugin
    setattr(module, name, opened)


def test_heif_is_read_where_its_package_is_installed(monkeypatch):
    image = Image.new("RGB", (5, 3), (200, 100, 50))
    stand_in(image, monkeypatch, "pillow_heif", "HeifImageFile")
    result = picture.read(HEIC)
    np.testing.assert_array_equal(picture.to_array(result.pixels), np.asarray(image))
    with pytest.raises(LimitError):
        picture.read(HEIC, max_pixels=14)


def test_jpeg_xl_is_read_where_its_package_is_installed(monkeypatch):
    image = Image.new("RGB", (256, 8), (200, 100, 50))
    stand_in(image, monkeypatch, "pillow_jxl", "JXLImageFile")
    assert picture.read(codestream(8, 256)).width == 256


def codestream(height, width):
    """Return the start of a JPEG XL file, whose bits fill a byte from the lowest up."""
    bits = []

    def put(value, count):
        bits.extend(value >> i & 1 for i in range(count))

    if height % 8 == width % 8 == 0 and max(height, width) <= 256:
        put(1, 1)
        put(height // 8 - 1, 5)
        put(0, 3)
        put(width // 8 - 1, 5)
    else:
        put(0, 1)
        for i, side in enumerate((height, width)):
            kind = next(k for k, n in enumerate((9, 13, 18, 30)) if side <= 1 << n)
            put(kind, 2)
            put(side - 1, (9, 13, 18, 30)[kind])
            if not i:
                put(0, 3)
    value = sum(bit << i for i, bit in enumerate(bits))
    return b"\xff\x0a" + value.to_bytes(20, "little")


@pytest.mark.parametrize("size", [(8, 8), (256, 8), (1, 1), (513, 7), (9000, 300_000), (1, 2**30)])
def test_the_size_of_a_jpeg_xl_file_is_known_before_its_package_decodes_it(size, monkeypatch):
    data = codestream(*size)
    assert formats.jpeg_xl_size(data) == (size[1], size[0])
    box = JXL_BOX + b"\0\0\0\0jxlc" + data
    assert formats.jpeg_xl_size(box) == (size[1], size[0])
    assert formats.jpeg_xl_size(JXL_BOX + b"\0\0\0\0jxlp\0\0\0\0" + data) == (size[1], size[0])
    stand_in(Image.new("L", (1, 1)), monkeypatch, "pillow_jxl", "JXLImageFile")
    if size == (9000, 300_000):
        with pytest.raises(PictureError, match="300000 x 9000 pixels are too large"):
            picture.read(box)


def test_a_ratio_may_stand_for_the_width_of_a_jpeg_xl_file():
    bits = 0 | 0 << 1 | (480 - 1) << 3 | 3 << 12  # 480 rows, 4:3
    assert formats.jpeg_xl_size(b"\xff\x0a" + bits.to_bytes(20, "little")) == (640, 480)


def test_a_jpeg_xl_file_without_a_size_is_broken(monkeypatch):
    stand_in(Image.new("L", (1, 1)), monkeypatch, "pillow_jxl", "JXLImageFile")
    with pytest.raises(PictureError, match="the header has no size"):
        picture.read(JXL_BOX + bytes(60))
