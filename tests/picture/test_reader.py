import errno
import io
import os
import struct
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from gaussianimage import picture
from gaussianimage.errors import LimitError, PictureError, PictureWarning
from gaussianimage.picture.reader import readable_extensions

Y, X = np.mgrid[0:24, 0:32]
RGB = np.stack([X * 8, Y * 10, X * Y % 256], axis=2).astype(np.uint8)
RGBA = np.dstack([RGB, 255 - X.astype(np.uint8)])
LOSSLESS = ["PNG", "TIFF", "BMP", "PPM", "TGA", "QOI", "SGI", "PCX", "JPEG2000", "ICO"]
LOSSY = ["JPEG", "AVIF", "WEBP", "MPO", "GIF"]


def encoded(name, pixels=RGB, **options):
    file = io.BytesIO()
    if name == "ICO":  # which Pillow would resample to the usual sizes of icons
        options["sizes"] = [pixels.shape[1::-1]]
    Image.fromarray(pixels).save(file, name, **options)
    return file.getvalue()


def png_header(width, height):
    """Return a PNG file that announces a size and then has no pixels."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))]
    chunks += [(b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks
    )


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encoded("PNG"))
    return path


@pytest.mark.parametrize("name", LOSSLESS)
def test_every_lossless_format_gives_its_pixels(name):
    result = picture.read(encoded(name))
    np.testing.assert_array_equal(picture.to_array(result.pixels)[..., :3], RGB)
    assert result.bit_depth == 8


@pytest.mark.parametrize("name", LOSSY)
def test_every_lossy_format_gives_about_its_pixels(name):
    result = picture.read(encoded(name))
    assert abs(picture.to_array(result.pixels)[..., :3].astype(int) - RGB).mean() < 10


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 4), (1, 300, 3), (300, 1), (7, 13, 3)])
def test_any_size_can_be_read(shape):
    pixels = (np.arange(np.prod(shape)) % 251 + 1).astype(np.uint8).reshape(shape)
    np.testing.assert_array_equal(
        picture.to_array(picture.read(encoded("PNG", pixels)).pixels), pixels
    )


def test_every_kind_of_source_gives_the_same(path, monkeypatch):
    expected = picture.read(path).pixels
    data = path.read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    with path.open("rb") as stream:
        for source in (str(path), data, bytearray(data), memoryview(data), stream, "-"):
            np.testing.assert_array_equal(picture.read(source).pixels, expected)
        assert not stream.closed


def test_a_stream_that_cannot_seek_can_be_read(path):
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as end:
        end.write(path.read_bytes())
    with os.fdopen(reader, "rb") as stream:
        assert picture.read(stream).width == 32


def test_a_pipe_can_be_read_by_its_name(path):
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as end:
        end.write(path.read_bytes())
    assert picture.read(f"/dev/fd/{reader}").width == 32
    os.close(reader)


def test_a_read_file_is_closed_even_if_it_is_broken(path, monkeypatch):
    opened = []
    really_open = Path.open

    def watched(*arguments, **options):
        opened.append(really_open(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(Path, "open", watched)
    picture.read(path)
    broken = path.with_name("broken.png")
    for data in (b"", b"junk", path.read_bytes()[:100]):
        broken.write_bytes(data)
        with pytest.raises(PictureError):
            picture.read(broken)
    assert len(opened) >= 4
    assert all(file.closed for file in opened)


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_the_first_picture_of_several_counts(name):
    frames = [Image.fromarray(np.full((8, 8, 3), v, np.uint8)) for v in (200, 10, 90)]
    file = io.BytesIO()
    frames[0].save(file, name, save_all=True, append_images=frames[1:])
    assert Image.open(file).n_frames == 3
    result = picture.to_array(picture.read(file.getvalue()).pixels)
    np.testing.assert_allclose(result[..., 0], 200, atol=3)


class TestBadInput:
    def test_a_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError) as caught:
            picture.read(tmp_path / "no.png")
        assert caught.value.filename == str(tmp_path / "no.png")

    def test_a_directory(self, tmp_path):
        with pytest.raises(IsADirectoryError):
            picture.read(tmp_path)

    def test_an_empty_file(self, path):
        path.write_bytes(b"")
        with pytest.raises(PictureError, match=r"photo\.png: the file is empty"):
            picture.read(path)

    @pytest.mark.parametrize(
        "data", [b"x", b"ab", bytes(500), b"\xfe" * 99, b"a text\n" * 99, b"PK\x03\x04" + bytes(50)]
    )
    def test_what_is_no_picture(self, path, data):
        path.write_bytes(data)
        with pytest.raises(PictureError, match=r"photo\.png: not a picture"):
            picture.read(path)

    def test_a_broken_header(self, path):
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
        with pytest.raises(PictureError, match=r"photo\.png: broken PNG: "):
            picture.read(path)

    @pytest.mark.parametrize("name", ["EPS"])
    def test_what_other_programs_would_have_to_draw(self, name):
        with pytest.raises(PictureError, match="EPS is not a format of pixels; export"):
            picture.read(encoded(name))

    @pytest.mark.parametrize("name", [*LOSSLESS, *LOSSY])
    def test_a_third_of_a_file(self, name, tmp_path):
        data = encoded(name)
        path = tmp_path / "third"
        path.write_bytes(data[: len(data) // 3])
        with pytest.raises(PictureError, match=r"third: "):
            picture.read(path)

    @pytest.mark.parametrize("name", [*LOSSLESS, *LOSSY])
    def test_a_cut_anywhere_is_told_of_or_costs_no_pixel(self, name):
        data = encoded(name)
        whole = picture.read(data).pixels
        for length in [*range(40), *range(40, len(data), 11), len(data) - 1]:
            told = []
            try:
                result = picture.read(data[:length], warn=told.append)
            except PictureError:
                continue
            if not any("cut short" in message for message in told):
                np.testing.assert_array_equal(result.pixels, whole)

    def test_a_jpeg_2000_file_without_its_first_tile(self):
        data = encoded("JPEG2000")
        tile = data.index(b"\xff\x90")
        with pytest.raises(PictureError, match="truncated"):
            picture.read(data[: tile + 2])

    @settings(deadline=None, max_examples=300)
    @given(st.data())
    def test_any_damage_is_an_error_of_ours_or_a_picture(self, data):
        name = data.draw(
            st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "BMP", "TGA", "PPM", "ICO"])
        )
        broken = bytearray(encoded(name))
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, min(len(broken), 400) - 1))
            broken[place] = data.draw(st.integers(0, 255))
        try:
            result = picture.read(bytes(broken), max_pixels=10**6)
        except (PictureError, LimitError):
            return
        assert np.isfinite(result.pixels).all()

    def test_a_picture_without_pixels(self):
        with pytest.raises(PictureError):
            picture.read(b"P6 0 5 255\n" + bytes(20))
        with pytest.raises(PictureError, match="no pixels"):
            picture.as_picture(Image.new("RGB", (0, 5)))

    def test_a_format_that_this_pillow_cannot_read(self, path, monkeypatch):
        monkeypatch.setitem(Image.OPEN, "PNG", (None, lambda _: "this Pillow has no PNG"))
        with pytest.raises(PictureError, match=r"photo\.png: this Pillow has no PNG"):
            picture.read(path)

    def test_too_little_memory_is_no_broken_picture(self, path, monkeypatch):
        def fail(_):
            raise MemoryError

        monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
        with pytest.raises(MemoryError):
            picture.read(path)

    def test_the_cause_is_kept(self):
        with pytest.raises(PictureError) as caught:
            picture.read(encoded("JPEG")[:500])
        assert isinstance(caught.value.__cause__, OSError)
        assert str(caught.value.__cause__) in str(caught.value)

    def test_a_failing_disk_is_no_broken_picture(self, path, monkeypatch):
        class Failing(io.BytesIO):
            def read(self, *arguments):
                if self.tell() > 50:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                return super().read(*arguments)

        data = path.read_bytes()
        monkeypatch.setattr(Path, "open", lambda *_: Failing(data))
        with pytest.raises(OSError) as caught:
            picture.read(path)
        assert caught.value.errno == errno.EIO

    @pytest.mark.parametrize("source", [None, 5, ["a.png"]])
    def test_what_cannot_be_a_source(self, source):
        with pytest.raises(TypeError, match="source: expected a file name"):
            picture.read(source)
        with pytest.raises(TypeError, match="picture: expected a Picture"):
            picture.as_picture(source)

    def test_a_text_stream(self):
        with pytest.raises(TypeError, match="binary"):
            picture.read(io.StringIO("text"))


class TestLimit:
    def test_a_bomb_is_refused_before_it_is_decoded(self, tmp_path):
        path = tmp_path / "bomb.png"
        path.write_bytes(png_header(60_000, 60_000))
        with pytest.raises(LimitError, match=r"bomb\.png: 60000 x 60000 pixels .* 268435456"):
            picture.read(path)

    def test_the_limit_is_the_callers(self):
        data = encoded("PNG")
        assert picture.read(data, max_pixels=32 * 24).width == 32
        with pytest.raises(LimitError, match="limit of 767"):
            picture.read(data, max_pixels=32 * 24 - 1)

    def test_it_holds_for_open_images_too(self):
        image = Image.open(io.BytesIO(png_header(5000, 5000)))
        with pytest.raises(LimitError):
            picture.as_picture(image, max_pixels=1000)

    @pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "BMP", "PPM", "AVIF"])
    def test_it_takes_the_place_of_pillows(self, name, monkeypatch):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
        assert picture.read(encoded(name)).width == 32
        assert Image.MAX_IMAGE_PIXELS == 10

    def test_where_pillows_cannot_be_avoided_it_is_a_limit_as_well(self, monkeypatch):
        data = encoded("TIFF")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
        with pytest.raises(LimitError, match="MAX_IMAGE_PIXELS"):
            picture.read(data)

    def test_threads_do_not_share_it(self):
        data = encoded("PNG")

        def attempt(limit):
            try:
                return picture.read(data, max_pixels=limit).width
            except LimitError:
                return None

        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(attempt, [10, 1000] * 50))
        assert results == [None, 32] * 50


class TestAsPicture:
    def test_a_picture_is_returned_as_it_is(self, path):
        result = picture.read(path)
        assert picture.as_picture(result) is result

    def test_everything_that_stands_for_a_picture_is_taken(self, path):
        expected = picture.read(path).pixels
        with Image.open(path) as opened:
            for source in (path, str(path), path.read_bytes(), RGB, opened, Image.fromarray(RGB)):
                np.testing.assert_array_equal(picture.as_picture(source).pixels, expected)

    def test_what_makes_itself_an_array_is_taken(self):
        class Tensor:
            def __array__(self, dtype=None, copy=None):
                return RGB

        np.testing.assert_array_equal(picture.to_array(picture.as_picture(Tensor()).pixels), RGB)

    def test_a_lazily_opened_broken_image_is_an_error_of_ours(self):
        image = Image.open(io.BytesIO(encoded("JPEG")[:700]))
        with pytest.raises(PictureError, match="broken JPEG"):
            picture.as_picture(image)

    def test_alpha_is_multiplied_in(self):
        result = picture.as_picture(Image.fromarray(RGBA)).pixels
        np.testing.assert_allclose(
            result[..., 0], RGBA[..., 0] / 255.0 * (RGBA[..., 3] / 255.0), atol=1e-6
        )

    @pytest.mark.parametrize("source", ["array", "bytes", "image"])
    def test_the_white_may_be_given(self, source):
        values = np.array([[0, 100, 4095]], np.uint16)
        if source == "array":
            obj = values
        else:
            file = io.BytesIO()
            picture.write(file, values)
            obj = file.getvalue() if source == "bytes" else Image.open(file)
        result = picture.as_picture(obj, white=4095)
        np.testing.assert_allclose(result.pixels[0, :, 0], [0, 100 / 4095, 1], atol=1e-6)
        assert result.bit_depth == 16

    def test_a_picture_has_its_white(self):
        result = picture.from_array(RGB)
        with pytest.raises(ValueError, match="a Picture has"):
            picture.as_picture(result, white=255)

    def test_integers_of_32_bits_may_have_any_white(self):
        image = Image.fromarray(np.array([[0, 50_000, 100_000]], np.int32))
        result = picture.as_picture(image, white=100_000)
        np.testing.assert_allclose(result.pixels[0, :, 0], [0, 0.5, 1])

    def test_a_masked_array_is_refused(self):
        with pytest.raises(ValueError, match="masked"):
            picture.as_picture(np.ma.masked_less(RGB, 9))


class TestWarnings:
    def dark(self, tmp_path):
        path = tmp_path / "dark.png"
        picture.write(path, np.array([[0, 3000]], np.uint16))
        return path

    def test_name_the_file_and_point_at_the_line_that_reads(self, tmp_path):
        with pytest.warns(PictureWarning, match=r"dark\.png: only 0..3000") as caught:
            picture.read(self.dark(tmp_path))
        assert caught[0].filename == __file__

    def test_may_go_elsewhere(self, tmp_path, recwarn):
        told = []
        picture.read(self.dark(tmp_path), warn=told.append)
        assert len(told) == 1
        assert not recwarn

    def test_may_be_errors(self, tmp_path):
        with warnings.catch_warnings():
            warnings.simplefilter("error", PictureWarning)
            with pytest.raises(PictureWarning):
                picture.read(self.dark(tmp_path))


class TestSides:
    @pytest.mark.parametrize("size", [(65537, 1), (1, 65537), (13_452_805, 7)])
    def test_that_are_too_long_are_refused_before_a_pixel_is_decoded(self, size):
        with pytest.raises(PictureError, match=f"{size[0]} x {size[1]} pixels are too large"):
            picture.read(png_header(*size), max_pixels=2**40)

    def test_up_to_65536_are_taken(self):
        assert picture.read(encoded("PNG", RGB[:1, :1].repeat(65536, axis=0))).height == 65536

    def test_in_a_tiff_file_of_some_bytes_are_refused_too(self):
        tags = {256: 7, 257: 13_452_805, 258: 8, 259: 1, 262: 1, 273: 200, 277: 1, 278: 5, 279: 35}
        directory = b"".join(struct.pack("<HHII", tag, 4, 1, v) for tag, v in tags.items())
        data = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + directory + bytes(300)
        with pytest.raises(PictureError, match="too large: 65536 a side"):
            picture.read(data)


def test_a_tiff_file_with_strips_for_some_rows_is_told_of_or_refused():
    def tiff(rows):
        tags = {256: 8, 257: 10, 258: 8, 259: 1, 262: 1, 273: 200, 277: 1, 278: rows, 279: 8 * rows}
        directory = b"".join(struct.pack("<HHII", tag, 4, 1, v) for tag, v in tags.items())
        head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + directory
        return head.ljust(200, b"\0") + bytes([200]) * 80

    with pytest.raises(PictureError, match="pixels for 40 % of the picture"):
        picture.read(tiff(4))
    with pytest.warns(PictureWarning, match="20 % of the picture is missing"):
        result = picture.read(tiff(8)).pixels
    np.testing.assert_array_equal(result[8:], 0)
    np.testing.assert_allclose(result[:8], 200 / 255)


def test_a_jpeg_file_of_endless_scans_is_refused():
    data = encoded("JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    many = data[:-2] + data[last:-2] * 100 + data[-2:]
    with pytest.raises(PictureError, match="scans of a JPEG picture are too many"):
        picture.read(many)


def test_a_profile_that_unpacks_without_end_is_refused():
    bomb = b"x\0\0" + zlib.compress(bytes(2**26))
    data = encoded("PNG")
    chunk = struct.pack(">I4s", len(bomb), b"iCCP") + bomb
    chunk += struct.pack(">I", zlib.crc32(b"iCCP" + bomb))
    with pytest.raises(PictureError, match="too large"):
        picture.read(data[:33] + chunk + data[33:])


def test_a_place_before_the_start_of_a_file_is_no_error_of_the_disk(monkeypatch):
    def fail(_):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(PictureError, match="broken PNG"):
        picture.read(encoded("PNG"))


def test_extensions_are_those_of_pictures_alone():
    found = readable_extensions()
    assert {".png", ".jpg", ".tif", ".webp", ".avif", ".heic", ".jxl"} <= found
    assert not {".gimg", ".safetensors", ".pdf", ".eps", ".mpg", ".txt", ".svg", ""} & found
