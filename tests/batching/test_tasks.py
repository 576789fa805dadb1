import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gaussianimage
from gaussianimage.batching.tasks import make_task

PARROT = Path(__file__).parent.parent / "data" / "parrot.png"


@pytest.fixture(scope="module")
def gimg() -> bytes:
    return gaussianimage.encode(PARROT, gaussians=40)


def test_encode_gives_the_bytes_of_encode_and_their_facts() -> None:
    worked = make_task("encode", {"gaussians": 40})(PARROT.read_bytes())
    assert worked.data == gaussianimage.encode(PARROT, gaussians=40, threads=1)
    assert (worked.facts["width"], worked.facts["height"]) == (96, 64)
    assert worked.facts["gaussians"] == gaussianimage.info(worked.data).gaussians
    assert worked.facts["psnr"] > 15


def test_decode_gives_the_pixels_of_decode(gimg: bytes) -> None:
    worked = make_task("decode", {})(gimg)
    with Image.open(io.BytesIO(worked.data)) as image:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), gaussianimage.decode(gimg))
    jpeg = make_task("decode", {"format": "JPG", "quality": 40, "metadata": "none"})
    assert jpeg.suffix == ".jpg"
    assert jpeg(gimg).data.startswith(b"\xff\xd8")


def test_thumbnails_are_as_small_as_asked_for(gimg: bytes) -> None:
    worked = make_task("thumbnail", {"longest": 30})(gimg)
    with Image.open(io.BytesIO(worked.data)) as image:
        assert np.array_equal(np.asarray(image), gaussianimage.thumbnail(gimg, 30))
    assert (worked.facts["width"], worked.facts["height"]) == (30, 20)


def test_metadata_is_kept_or_not() -> None:
    gimg = gaussianimage.encode(PARROT, gaussians=5)
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "A parrot"
    with Image.open(PARROT) as image:
        image.save(buffer, "PNG", exif=exif)
    gimg = make_task("encode", {"gaussians": 5})(buffer.getvalue()).data
    for metadata, kept in (("all", True), ("none", False)):
        worked = make_task("decode", {"metadata": metadata})(gimg)
        with Image.open(io.BytesIO(worked.data)) as image:
            assert (0x010E in image.getexif()) == kept


def test_a_warning_becomes_a_fact() -> None:
    dark = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8)).save(dark, "PNG")
    assert "white" in make_task("encode", {"gaussians": 5})(dark.getvalue()).facts["warning"]


def test_the_hash_tells_options_apart_and_ignores_how_they_are_written() -> None:
    same = [{}, {"quality": 75}, {"metadata": "all"}, {"metadata": ("gps", "xmp", "exif", "icc")}]
    assert len({make_task("encode", options).digest for options in same}) == 1
    other = [{}, {"quality": 61}, {"effort": 4}, {"seed": 1}, {"bpp": 1}]
    assert len({make_task("encode", options).digest for options in other}) == 5
    assert make_task("decode", {}).digest != make_task("thumbnail", {}).digest


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("encode", {"quality": 101}),
        ("encode", {"quality": 50, "bpp": 1}),
        ("encode", {"effort": 11}),
        ("encode", {"seed": -1}),
        ("encode", {"white": -1}),
        ("encode", {"background": "no color"}),
        ("encode", {"metadata": "all of it"}),
        ("decode", {"format": "gimg"}),
        ("decode", {"quality": 50}),
        ("decode", {"quality": 0, "format": "jpg"}),
        ("thumbnail", {"longest": 0}),
        ("paint", {}),
    ],
)
def test_options_are_checked_before_the_work(verb: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        make_task(verb, options)


@pytest.mark.parametrize(
    ("verb", "options"),
    [("encode", {"threads": 2}), ("encode", {"effrt": 2}), ("decode", {"longest": 9})],
)
def test_an_unknown_option_is_refused(verb: str, options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="no option of"):
        make_task(verb, options)
