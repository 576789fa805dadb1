"""Pillow opens a file by its head, and decodes the pixels when they are asked for."""

import copy
import io
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_samples import paper_record
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from samples import levels, make_file, sample, with_chunks, with_header

import gaussianimage
from gaussianimage.codec.format.container import Chunk, read_chunks
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.paper_profile.file import encode_record
from gaussianimage.pillow_plugin import GimgImageFile, reading, register_gimg_opener
from gaussianimage.pillow_plugin.reading import thumbnail_size

GOLDEN = Path(__file__).resolve().parent.parent / "data/v1"
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def exif(orientation: int = 1) -> bytes:
    data = Image.Exif()
    data[0x010F] = "Maker"
    data[0x0112] = orientation
    return data.tobytes().removeprefix(b"Exif\0\0")


METADATA = Metadata(icc=b"a profile", exif=exif(), xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
DATA = sample()
DESCRIBED = sample(metadata=METADATA)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.gimg"
    path.write_bytes(DATA)
    return path


# -- The head --------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bit_depth", [8, 16])
def test_mode_size_and_pixels_are_those_of_the_file(channels: int, bit_depth: int) -> None:
    data = sample(channels=channels, bit_depth=bit_depth)
    image = opened(data)
    deep = channels == 1 and bit_depth == 16
    assert image.mode == ("I;16" if deep else MODES[channels])
    assert image.size == (16, 12)
    expected = gaussianimage.decode(data, dtype=np.uint16 if deep else np.uint8)
    np.testing.assert_array_equal(np.asarray(image), expected)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.gimg")), ids=lambda path: path.stem)
def test_golden_files_have_the_pixels_that_decode_gives(path: Path) -> None:
    with Image.open(path) as image:
        assert image.format == "GIMG"
        pixels = np.asarray(image)
    np.testing.assert_array_equal(pixels, gaussianimage.decode(path, dtype=pixels.dtype))


def test_a_file_of_the_papers_codec_opens_too() -> None:
    data = encode_record(paper_record(20))
    image = opened(data)
    assert (image.height, image.width) == gaussianimage.decode(data).shape[:2]
    assert image.info["gaussians"] == gaussianimage.info(data).gaussians
    assert "color_step" not in image.info
    np.testing.assert_array_equal(np.asarray(image), gaussianimage.decode(data))


def test_opening_decodes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(reading, "decode", fail)
    monkeypatch.setattr(reading, "parse_file", fail)
    image = opened(DESCRIBED)
    assert image.size == (16, 12)
    assert image.getexif()[0x010F] == "Maker"
    with pytest.raises(AssertionError, match="decoded"):
        image.load()


def test_the_information_is_that_of_the_package() -> None:
    info = opened(DESCRIBED).info
    told = gaussianimage.info(DESCRIBED)
    assert info["format_version"] == told.version
    for name in ("gaussians", "layers", "bit_depth", "bpp", "bytes", "q_max", "color_step"):
        assert info[name] == getattr(told, name)
    assert info["shape_step"] == told.shape_step


def test_metadata_is_where_pillow_has_it() -> None:
    image = opened(DESCRIBED)
    assert image.info["icc_profile"] == METADATA.icc
    assert image.info["exif"] == b"Exif\0\0" + (METADATA.exif or b"")
    assert image.info["xmp"] == METADATA.xmp
    assert image.getexif()[0x010F] == "Maker"
    assert not {"icc_profile", "exif", "xmp"} & set(opened(DATA).info)


def test_metadata_goes_on_into_other_formats() -> None:
    image = opened(sample(metadata=Metadata(exif=METADATA.exif)))
    for name in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        file = io.BytesIO()
        image.save(file, name, exif=image.info["exif"])
        assert Image.open(file).getexif()[0x010F] == "Maker"


def test_a_picture_is_upright_already() -> None:
    image = opened(DESCRIBED)
    assert ImageOps.exif_transpose(image).tobytes() == image.tobytes()
    assert ImageOps.exif_transpose(image).size == image.size


def test_the_mime_type_and_the_description_are_known() -> None:
    image = opened(DATA)
    assert image.get_format_mimetype() == "image/x-gaussianimage"
    assert image.format_description == "Picture of 2D Gaussians"


# -- Bad files -------------------------------------------------------------------------------------


def test_foreign_data_gives_the_next_plugin_its_turn() -> None:
    with pytest.raises(SyntaxError, match=r"not a \.gimg file"):
        GimgImageFile(io.BytesIO(b"\x89PNG\r\n\x1a\n"))
    with pytest.raises(UnidentifiedImageError):
        opened(b"\x8bGIMG\n\n and so on")
    png = io.BytesIO()
    Image.new("L", (3, 2)).save(png, "PNG")
    assert opened(png.getvalue()).format == "PNG"


def test_every_truncation_is_an_oserror() -> None:
    head = read_chunks(DATA)[0]
    end = head.payload_offset + len(head.payload) + 4
    for cut in range(len(DATA)):
        if cut < end:
            with pytest.raises(OSError):
                opened(DATA[:cut])
        else:
            with pytest.raises(OSError, match="truncated"):
                opened(DATA[:cut]).load()


def test_every_changed_byte_is_an_oserror() -> None:
    for place in range(len(DATA)):
        damaged = bytearray(DATA)
        damaged[place] ^= 0x21
        with pytest.raises(OSError):
            opened(bytes(damaged)).load()


def test_an_error_may_be_met_again(path: Path) -> None:
    path.write_bytes(DATA[:-3])
    with Image.open(path) as image:
        for _ in range(2):
            with pytest.raises(OSError, match="truncated"):
                image.load()


def test_a_truncated_file_loads_if_pillow_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    layer = [chunk for chunk in read_chunks(DATA) if chunk.type == b"LAYR"][1]
    cut = DATA[: layer.payload_offset + 3]
    np.testing.assert_array_equal(np.asarray(opened(cut)), gaussianimage.decode(DATA, layers=1))
    image = opened(cut)
    image.thumbnail((8, 8))
    assert image.size == (8, 6)


def test_a_file_that_needs_a_newer_reader_is_an_oserror() -> None:
    with pytest.raises(OSError, match="needs a reader of version 2"):
        opened(with_header(DATA, version=2, min_reader=2))
    unknown = with_chunks(DATA, lambda chunks: [chunks[0], Chunk(b"NEWS", b""), *chunks[1:]])
    with pytest.raises(OSError, match="NEWS"):
        opened(unknown).load()


def test_broken_metadata_under_a_good_checksum_is_an_oserror() -> None:
    broken = with_chunks(DATA, lambda chunks: [chunks[0], Chunk(b"eXIF", b"\x05no"), *chunks[1:]])
    with pytest.raises(OSError, match="eXIF"):
        opened(broken)


def test_pillow_guards_against_decompression_bombs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 150)
    with pytest.warns(Image.DecompressionBombWarning):
        opened(DATA).load()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 90)
    with pytest.raises(Image.DecompressionBombError):
        opened(DATA)
    # Ours of pixels is not asked, so that one setting is enough.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    register_gimg_opener(limits=Limits(max_pixels=1, warn_pixels=1))
    try:
        opened(DATA).load()
    finally:
        register_gimg_opener()


def test_a_huge_picture_is_refused_before_it_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(OSError, match="max_"):
        opened(with_header(sample(()), height=2**16, width=2**16)).load()
    with pytest.raises(OSError, match="65536"):
        opened(with_header(sample(()), height=2**24, width=1)).load()


def test_limits_are_those_that_were_registered() -> None:
    register_gimg_opener(limits=Limits(max_gaussians=3))
    try:
        image = opened(DATA)
        register_gimg_opener()
        with pytest.raises(OSError, match="max_gaussians=3"):
            image.load()
    finally:
        register_gimg_opener()
    opened(DATA).load()


def test_a_file_that_changes_while_it_is_open_is_an_oserror(path: Path) -> None:
    with Image.open(path) as image:
        path.write_bytes(make_file([levels(1, 5, height=9)], height=9))
        with pytest.raises(OSError, match="has changed"):
            image.load()


def test_verify_checks_the_whole_file() -> None:
    opened(DATA).verify()
    damaged = bytearray(DATA)
    damaged[-20] ^= 1
    with pytest.raises(OSError, match="damaged"):
        opened(bytes(damaged)).verify()


# -- Files, threads and processes ------------------------------------------------------------------


def test_loading_closes_a_file_that_pillow_opened(path: Path) -> None:
    image = Image.open(path)
    file = image.fp
    image.load()
    assert file.closed
    assert image.fp is None


def test_leaving_closes_a_file_that_was_not_loaded(path: Path) -> None:
    with Image.open(path) as image:
        file = image.fp
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        image.load()


def test_a_file_of_the_caller_stays_open(path: Path) -> None:
    with path.open("rb") as file:
        Image.open(file).load()
        assert not file.closed


def test_a_failed_opening_closes_the_file(path: Path) -> None:
    path.write_bytes(DATA[:20])
    with pytest.raises(OSError, match="truncated"):
        Image.open(path)  # a ResourceWarning would be an error


def test_a_stream_without_seeking_is_read_whole() -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self._file = io.BytesIO(DATA)

        def read(self, size: int = -1) -> bytes:
            return self._file.read(size)

        def seek(self, *args: int) -> int:
            raise io.UnsupportedOperation("seek")

    assert np.asarray(Image.open(Pipe())).shape == (12, 16, 3)


def test_pickles_and_copies_have_the_pixels() -> None:
    image = opened(DESCRIBED)
    pixels = gaussianimage.decode(DESCRIBED)
    for other in (
        pickle.loads(pickle.dumps(opened(DESCRIBED))),
        copy.copy(opened(DESCRIBED)),
        copy.deepcopy(opened(DESCRIBED)),
        opened(DESCRIBED).copy(),
        image,
    ):
        np.testing.assert_array_equal(np.asarray(other), pixels)
        assert other.info == image.info
        other.thumbnail((8, 8))
        assert other.size == (8, 6)


def test_a_feed_of_pieces_gives_the_picture() -> None:
    parser = ImageFile.Parser()
    for start in range(0, len(DATA), 50):
        parser.feed(DATA[start : start + 50])
        if start > 100:
            assert parser.image is not None
            assert parser.image.size == (16, 12)
    np.testing.assert_array_equal(np.asarray(parser.close()), gaussianimage.decode(DATA))


def test_threads_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def decode(*args: object, **options: object) -> object:
        asked.append(options["threads"])
        return gaussianimage.decode(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "decode", decode)
    register_gimg_opener(threads=1)
    try:
        opened(DATA).load()
    finally:
        register_gimg_opener()
    opened(DATA).load()
    assert asked == [1, None]


def test_many_threads_load_at_the_same_time() -> None:
    expected = gaussianimage.decode(DATA)

    def works(_: int) -> bool:
        return np.array_equal(np.asarray(opened(DATA)), expected)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(works, range(40)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_images_that_were_opened_before_a_fork_load_in_every_child(path: Path) -> None:
    # A process with threads warns of a fork, so this is a process of its own.
    program = """
import os, sys
import numpy as np
from PIL import Image
import gaussianimage, gaussianimage.pillow_plugin
path = sys.argv[1]
expected = gaussianimage.decode(path)  # which starts threads
image = Image.open(path)
children = []
for _ in range(8):
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(np.asarray(image), expected) else 1)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
sys.exit(any(codes) or not np.array_equal(np.asarray(image), expected))
"""
    command = [sys.executable, "-W", "ignore", "-c", program, str(path)]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0


# -- Smaller pictures ------------------------------------------------------------------------------


def test_a_draft_has_at_least_the_size_that_is_asked_for() -> None:
    image = opened(DATA)
    assert image.draft("RGB", (7, 4)) == ("RGB", (0, 0, 7.0, 6.0))
    assert image.size == (7, 6)
    expected = gaussianimage.decode(DATA, size=(6, 7))
    np.testing.assert_array_equal(np.asarray(image), expected)
    assert image.draft("RGB", (2, 2)) is None  # too late


@pytest.mark.parametrize("size", [None, (16, 12), (17, 1), (100, 100), (0, 0)])
def test_a_draft_that_changes_nothing_is_none(size: tuple[int, int] | None) -> None:
    image = opened(DATA)
    assert image.draft(None, size) is None
    np.testing.assert_array_equal(np.asarray(image), gaussianimage.decode(DATA))


def test_a_draft_of_a_draft_is_smaller_still() -> None:
    image = opened(DATA)
    image.draft(None, (8, 6))
    assert image.draft(None, (4, 3)) == ("RGB", (0, 0, 4.0, 3.0))
    assert np.asarray(image).shape == (3, 4, 3)


def test_a_thumbnail_is_drawn_at_its_size_from_the_layers_that_suffice() -> None:
    image = opened(DATA)
    image.thumbnail((2, 2))  # two pixels, of a first layer of five Gaussians
    assert image.size == (2, 2)
    expected = gaussianimage.decode(DATA, size=(2, 2), layers=1)
    np.testing.assert_array_equal(np.asarray(image), expected)


def test_a_thumbnail_of_a_loaded_picture_is_resampled() -> None:
    image = opened(DATA)
    whole = image.copy()
    image.thumbnail((9, 9))
    whole.thumbnail((9, 9))
    assert image.tobytes() == whole.tobytes()
    other = opened(DATA)
    other.thumbnail((9, 9), reducing_gap=None)
    assert other.tobytes() == whole.tobytes()


def test_a_thumbnail_that_is_no_smaller_leaves_the_picture_to_be_loaded() -> None:
    image = opened(DATA)
    image.thumbnail((16, 50))
    assert image.size == (16, 12)
    np.testing.assert_array_equal(np.asarray(image), gaussianimage.decode(DATA))


def test_a_thumbnail_of_a_draft_has_the_size_that_is_asked_for() -> None:
    image = opened(DATA)
    image.draft(None, (12, 9))
    image.thumbnail((4, 4))
    assert image.size == (4, 3)


@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
)
def test_a_thumbnail_has_the_size_that_pillow_gives_it(
    size: tuple[int, int], most: tuple[int, int]
) -> None:
    other = Image.new("L", size)
    other.thumbnail(most, Image.Resampling.NEAREST)
    assert (thumbnail_size(size, most) or size) == other.size


def test_a_thumbnail_looks_like_the_picture() -> None:
    image = Image.open(GOLDEN / "rgb.gimg")
    whole = image.copy()
    drawn = Image.open(GOLDEN / "rgb.gimg")
    drawn.thumbnail((24, 24))
    whole.thumbnail((24, 24))
    difference = np.abs(np.asarray(drawn).astype(int) - np.asarray(whole))
    assert difference.mean() < 4
