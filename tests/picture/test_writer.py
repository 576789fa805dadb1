import errno
import io
import os
import resource
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gaussianimage import picture
from gaussianimage.errors import PictureError
from gaussianimage.picture import icc, writer

Y, X = np.mgrid[0:24, 0:32]
RGB = np.stack([X * 8, Y * 10, X * Y % 256], axis=2).astype(np.uint8)
RGBA = np.dstack([RGB, 255 - X.astype(np.uint8) * 3])
PIXELS = {1: RGB[..., 2], 2: RGBA[..., [2, 3]], 3: RGB, 4: RGBA}
DEEP = {c: (p.astype(np.uint16) * 251 + 7) for c, p in PIXELS.items()}
ICC = icc.rgb_profile(icc.SRGB_PRIMARIES, icc.gamma_curve(1.8), "Gamma 1.8")


def written(pixels, name, **options):
    file = io.BytesIO()
    picture.write(file, pixels, format=name, **options)
    return file.getvalue()


def flattened(pixels):
    white = np.iinfo(pixels.dtype).max
    alpha = pixels[..., -1:] / white
    return np.rint(pixels[..., :-1] * alpha + white * (1 - alpha)).astype(pixels.dtype).squeeze()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["PNG", "TIFF", "TGA", "DDS", "ICO", "JPEG2000"])
def test_lossless_formats_with_alpha_return_every_pixel(name, channels):
    read = picture.read(written(PIXELS[channels], name))
    np.testing.assert_array_equal(picture.to_array(read.pixels), PIXELS[channels])


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(
    ("name", "options"), [("QOI", {}), ("SGI", {}), ("WEBP", {"lossless": True})]
)
def test_lossless_formats_of_color_return_every_pixel(name, channels, options):
    read = picture.read(written(PIXELS[channels], name, **options))
    np.testing.assert_array_equal(picture.to_array(read.pixels), PIXELS[channels])


@pytest.mark.parametrize("name", ["QOI", "WEBP"])
def test_a_format_without_gray_gets_color(name):
    image = Image.open(io.BytesIO(written(PIXELS[1], name)))
    assert image.mode == "RGB"


@pytest.mark.parametrize("name", ["BMP", "PPM", "PCX", "DIB"])
def test_a_format_without_alpha_gets_the_picture_on_white(name):
    for channels in (2, 4):
        read = picture.read(written(PIXELS[channels], name))
        np.testing.assert_array_equal(picture.to_array(read.pixels), flattened(PIXELS[channels]))


def test_jpeg_gets_the_picture_on_white():
    read = picture.read(written(RGBA, "JPEG", quality=100))
    assert read.channels == 3
    np.testing.assert_allclose(picture.to_array(read.pixels), flattened(RGBA), atol=12)
    clear = np.zeros((16, 16, 4), np.uint8)
    assert picture.to_array(picture.read(written(clear, "JPEG")).pixels).min() == 255


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_16_bits_return_in_full(name, channels):
    pixels = DEEP[channels]
    read = picture.read(written(pixels, name))
    assert read.bit_depth == 16
    back = picture.to_array(read.pixels, np.uint16)
    if name == "TIFF" and channels == 2:
        pixels = pixels[..., [0, 0, 0, 1]]
    np.testing.assert_array_equal(back, pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bits_return_in_full_from_a_ppm_but_for_alpha(channels):
    pixels = flattened(DEEP[channels]) if channels in (2, 4) else DEEP[channels]
    read = picture.read(written(DEEP[channels], "PPM"))
    assert read.bit_depth == 16
    np.testing.assert_array_equal(picture.to_array(read.pixels, np.uint16), pixels)


def test_16_bits_of_gray_return_in_full_from_jpeg_2000():
    read = picture.read(written(DEEP[1], "JPEG2000"))
    np.testing.assert_array_equal(picture.to_array(read.pixels, np.uint16), DEEP[1])


@pytest.mark.parametrize("name", ["BMP", "TGA", "JPEG2000"])
def test_16_bits_are_rounded_where_a_format_has_8(name):
    read = picture.read(written(DEEP[3], name))
    assert read.bit_depth == 8
    expected = np.rint(DEEP[3] / 257)
    np.testing.assert_array_equal(picture.to_array(read.pixels), expected)


def test_any_type_that_makes_a_picture_is_written():
    for array in (RGB / 255, (RGB / 255).astype(np.float32)):
        np.testing.assert_array_equal(
            np.asarray(Image.open(io.BytesIO(written(array, "PNG")))), RGB
        )
    mask = RGB[..., 0] > 100
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(written(mask, "PNG")))), mask * np.uint8(255)
    )
    big = DEEP[3].astype(">u2")
    read = picture.read(written(big, "PNG"))
    np.testing.assert_array_equal(picture.to_array(read.pixels, np.uint16), DEEP[3])


def test_there_is_nothing_to_tell_of_what_is_written(recwarn):
    for array in (RGB // 10, RGB / 200.0):
        written(array, "PNG")
    assert not recwarn


def test_a_trailing_axis_of_gray_is_allowed():
    assert written(RGB[..., :1], "PNG") == written(RGB[..., 0], "PNG")


@pytest.mark.parametrize("pixels", [RGB, DEEP[4]])
def test_a_picture_is_written_with_its_depth_and_metadata(pixels):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    data = exif.tobytes().removeprefix(b"Exif\0\0")
    original = picture.from_array(pixels, icc=ICC, exif=data, xmp=b"<x/>")
    read = picture.read(written(original, "PNG"))
    np.testing.assert_allclose(read.pixels, original.pixels, atol=1e-6)
    assert (read.bit_depth, read.icc, read.exif, read.xmp) == (
        original.bit_depth,
        ICC,
        data,
        b"<x/>",
    )
    bare = picture.read(written(original, "PNG", icc=b"", exif=b"", xmp=b""))
    assert (bare.icc, bare.exif, bare.xmp) == (None, None, None)


@pytest.mark.parametrize("pixels", [RGB, DEEP[3]], ids=["8 bit", "16 bit"])
@pytest.mark.parametrize("name", ["PNG", "TIFF", "JPEG", "WEBP", "AVIF"])
def test_metadata_is_written(name, pixels):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0100] = 99  # a width, as some cameras write; it must not become the picture's
    exif.get_ifd(0x8769)[0x9003] = "2024:01:02 03:04:05"
    data = exif.tobytes().removeprefix(b"Exif\0\0")
    read = picture.read(written(pixels, name, icc=ICC, exif=data, xmp=b"<x/>"))
    assert (read.width, read.icc, read.xmp) == (32, ICC, b"<x/>")
    kept = Image.Exif()
    kept.load(read.exif)
    assert kept[0x010F] == "Maker"
    assert kept.get_ifd(0x8769)[0x9003] == "2024:01:02 03:04:05"


def test_a_format_without_metadata_drops_it():
    assert picture.read(written(RGB, "BMP", icc=ICC, exif=b"II*\0", xmp=b"<x/>")).icc is None


def test_jpeg_is_written_well_unless_asked_otherwise():
    default, small = written(RGB, "JPEG"), written(RGB, "JPEG", quality=20)
    assert len(small) < 0.7 * len(default)
    image = Image.open(io.BytesIO(default))
    assert [component[1:3] for component in image.layer] == [(1, 1)] * 3  # no chroma subsampling
    assert default == written(RGB, "JPEG", quality=95, subsampling="4:4:4")


@pytest.mark.filterwarnings("ignore:IM image format is deprecated:DeprecationWarning")
@pytest.mark.parametrize("extension", writer.extensions())
@pytest.mark.parametrize("channels", [1, 4])
def test_every_extension_that_is_known_can_be_written(extension, channels, tmp_path):
    path = tmp_path / f"out{extension}"
    picture.write(path, PIXELS[channels])
    assert path.stat().st_size > 50
    if extension not in (".pdf", ".eps", ".ps", ".palm"):  # which Pillow only writes
        read = picture.read(path)
        assert (read.width, read.height) == (32, 24)


@pytest.mark.parametrize("name", ["out.PNG", "out.with.dots.png", "out.Png"])
def test_the_extension_decides_in_any_case(name, tmp_path):
    picture.write(tmp_path / name, RGB)
    assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("name", ["jpg", "JPEG", ".jpeg", "Jpeg"])
def test_a_format_can_be_called_by_name_or_extension(name):
    assert written(RGB, name)[:2] == b"\xff\xd8"


def test_a_given_format_overrides_the_extension(tmp_path):
    picture.write(tmp_path / "out.png", RGB, format="jpg")
    assert (tmp_path / "out.png").read_bytes()[:2] == b"\xff\xd8"


@pytest.mark.parametrize("name", ["out.xyz", "out", "out.h5", "out.icns", ".png"])
def test_an_unknown_extension_is_refused_with_those_that_are_known(name, tmp_path):
    with pytest.raises(ValueError, match=r"known are .*\.jpg.*\.png") as caught:
        picture.write(tmp_path / name, RGB)
    assert name in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no picture format is called 'xyz'"):
        picture.write(tmp_path / "out.png", RGB, format="xyz")


def test_standard_output_gets_png_or_what_is_asked_for(monkeypatch):
    for options, magic in (({}, b"\x89PNG"), ({"format": "jpg"}, b"\xff\xd8")):
        stream = io.TextIOWrapper(io.BytesIO())
        monkeypatch.setattr(sys, "stdout", stream)
        picture.write("-", RGB, **options)
        assert stream.buffer.getvalue().startswith(magic)


def test_a_stream_gets_png():
    assert written(RGB, None)[:4] == b"\x89PNG"


class TestFailure:
    @pytest.fixture
    def target(self, tmp_path):
        path = tmp_path / "out.png"
        path.write_bytes(b"old")
        return path

    def check_untouched(self, target):
        (only,) = target.parent.iterdir()
        assert only.read_bytes() == b"old"

    def test_a_full_disk(self, target):
        noise = np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        try:
            with pytest.raises(OSError) as caught:
                picture.write(target, noise)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, handler)
        assert caught.value.filename == str(target)
        self.check_untouched(target)

    def test_a_failing_rename(self, target, monkeypatch):
        def fail(*_):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="Input/output error"):
            picture.write(target, RGB)
        self.check_untouched(target)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_a_full_device(self):
        with pytest.raises(OSError) as caught:
            picture.write("/dev/full", RGB, format="png")
        assert caught.value.errno == errno.ENOSPC

    def test_a_missing_directory(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            picture.write(tmp_path / "no" / "out.png", RGB)

    def test_a_picture_that_a_format_cannot_hold(self, target):
        with pytest.raises(ValueError, match="cannot be written as WEBP"):
            picture.write(target, np.zeros((1, 20_000), np.uint8), format="webp")
        with pytest.raises(ValueError, match="at most 256 x 256 pixels, not 300 x 1"):
            picture.write(target, np.zeros((1, 300), np.uint8), format="ico")
        self.check_untouched(target)

    def test_too_little_memory(self, target, monkeypatch):
        def fail(*_, **__):
            raise MemoryError

        monkeypatch.setattr(Image.Image, "save", fail)
        with pytest.raises(MemoryError):
            picture.write(target, RGB)
        self.check_untouched(target)

    def test_an_option_that_a_format_does_not_know(self, target):
        with pytest.raises(ValueError, match="cannot be written as JPEG"):
            picture.write(target, RGB, format="jpg", quality="bad")
        with pytest.raises(ValueError, match="tiff_adobe_deflate"):
            picture.write(target, DEEP[3], format="tiff", compression="jpeg")
        self.check_untouched(target)

    @pytest.mark.parametrize(
        ("array", "error"),
        [
            (np.zeros((0, 3)), ValueError),
            (np.zeros((3, 3, 7)), ValueError),
            (np.zeros((3, 3), np.int32), TypeError),
            (np.full((3, 3), np.nan), PictureError),
            (np.full((3, 3), 255.0), ValueError),
        ],
    )
    def test_what_is_no_picture(self, target, array, error):
        with pytest.raises(error):
            picture.write(target, array)
        self.check_untouched(target)
