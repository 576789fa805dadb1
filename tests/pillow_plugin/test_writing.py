"""Pillow saves images of every mode as .gimg files, with a target and metadata."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

import gaussianimage
from gaussianimage.errors import PictureWarning
from gaussianimage.picture import icc
from gaussianimage.pillow_plugin import register_gimg_opener

Y, X = np.mgrid[0:12, 0:16]
RGB = np.stack([X * 15, Y * 20, 255 - X * 15], axis=2).astype(np.uint8)
COLOR = Image.fromarray(RGB)
PROFILE = icc.rgb_profile(icc.SRGB_PRIMARIES, icc.gamma_curve(1.8), "Gamma 1.8")
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


def saved(image: Image.Image, **options: Any) -> Image.Image:
    """Return an image as it is in a file, made fast and well unless options say otherwise."""
    file = io.BytesIO()
    targets = {"quality", "bpp", "size", "psnr", "ssim", "gaussians"} & set(options)
    defaults: dict[str, Any] = {"effort": 1} | ({} if targets else {"quality": 90})
    image.save(file, "GIMG", **(defaults | options))
    return Image.open(file)


def difference(image: Image.Image, other: Image.Image) -> float:
    assert image.size == other.size
    assert image.mode == other.mode
    first, second = np.asarray(image).astype(float), np.asarray(other).astype(float)
    return float(np.abs(first - second).mean())


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[0x010F] = "Maker"
    data[0x0112] = orientation
    return data


# -- Modes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "RGBA"])
def test_a_mode_of_the_format_stays(mode: str) -> None:
    image = COLOR.convert(mode)
    if "A" in mode:
        image.putalpha(Image.fromarray((X * 16).astype(np.uint8)))
    found = saved(image, quality=95)
    assert found.mode == mode
    # What is transparent has no color.
    shown = [other.convert("RGBA").convert("RGBa") for other in (found, image)]
    assert difference(*shown) < 6


@pytest.mark.parametrize(
    ("mode", "becomes"),
    [
        ("1", "L"),
        ("P", "RGB"),
        ("CMYK", "RGB"),
        ("YCbCr", "RGB"),
        ("HSV", "RGB"),
        ("LAB", "RGB"),
        ("RGBX", "RGB"),
        ("PA", "RGBA"),
        ("La", "LA"),
        ("RGBa", "RGBA"),
    ],
)
def test_another_mode_becomes_what_it_shows(mode: str, becomes: str) -> None:
    if mode in ("La", "PA"):
        image = COLOR.convert("LA").convert(mode)
    elif mode == "RGBa":
        image = COLOR.convert("RGBA").convert(mode)
    else:
        image = COLOR.convert(mode)
    assert image.mode == mode
    found = saved(image)
    assert found.mode == becomes
    if mode == "PA":
        expected = COLOR.convert("LA").convert("RGBA")
    else:
        expected = image.convert("L" if mode == "1" else becomes)
    assert difference(found, expected) < (30 if mode == "1" else 6)


def test_a_palette_with_transparency_becomes_rgba() -> None:
    image = COLOR.quantize(8)
    image.info["transparency"] = 0
    found = saved(image)
    assert found.mode == "RGBA"
    expected = np.asarray(image) != 0
    np.testing.assert_array_equal(np.asarray(found)[..., 3] > 0, expected)


def test_gray_of_16_bits_stays_so() -> None:
    values = (X * 4000 + Y).astype(np.uint16)
    found = saved(Image.fromarray(values), psnr=55)
    assert found.mode == "I;16"
    assert found.info["bit_depth"] == 16
    assert np.abs(np.asarray(found).astype(int) - values).mean() < 150


def test_integers_and_floats_are_taken_with_the_white_that_is_given() -> None:
    integers = Image.fromarray((X * 15).astype(np.int32))
    assert integers.mode == "I"
    for image in (integers, integers.convert("F")):
        found = saved(image, white=255)
        values = np.asarray(found).astype(float) / 65535 if found.mode == "I;16" else None
        values = np.asarray(found).astype(float) / 255 if values is None else values
        assert np.abs(255 * values - X * 15).mean() < 5


def test_integers_and_floats_of_an_unknown_white_are_an_oserror() -> None:
    for image in (
        Image.fromarray((X * 15).astype(np.float32)),
        Image.fromarray((X * 15 - 50).astype(np.int32)),
        Image.fromarray(np.full((4, 4), np.nan, np.float32)),
    ):
        with pytest.raises(OSError, match=f"cannot write mode {image.mode} as GIMG"):
            saved(image)


# -- Targets and other arguments -------------------------------------------------------------------


def test_the_file_is_the_one_that_encode_gives() -> None:
    file = io.BytesIO()
    COLOR.save(file, "GIMG", quality=70, effort=1)
    assert file.getvalue() == gaussianimage.encode(RGB, quality=70, effort=1)


def test_targets_are_met() -> None:
    assert saved(COLOR, size=400).info["bytes"] <= 400
    assert saved(COLOR, bpp=12).info["bpp"] <= 12
    better, worse = saved(COLOR, psnr=40), saved(COLOR, psnr=25)
    assert difference(better, COLOR) < difference(worse, COLOR)
    assert saved(COLOR, ssim=0.9).size == COLOR.size
    assert saved(COLOR, gaussians=5).info["gaussians"] <= 5


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"quality": 101}, ValueError),
        ({"quality": -1}, ValueError),
        ({"quality": "high"}, TypeError),
        ({"quality": 50, "bpp": 1}, ValueError),
        ({"bpp": 0}, ValueError),
        ({"size": 1.5}, TypeError),
        ({"effort": 11}, ValueError),
        ({"threads": 0}, ValueError),
        ({"exif": b"nonsense"}, ValueError),
        ({"exif": 5}, TypeError),
        ({"icc_profile": "sRGB"}, TypeError),
        ({"xmp": 5}, TypeError),
        ({"white": 0}, ValueError),
    ],
)
def test_bad_arguments_are_told_and_leave_no_file(
    tmp_path: Path, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=next(iter(options))):
        COLOR.save(tmp_path / "a.gimg", **options)
    assert not list(tmp_path.iterdir())


def test_arguments_of_other_formats_and_none_are_ignored() -> None:
    plain = saved(COLOR, quality=50)
    other = saved(COLOR, quality=50, optimize=True, progressive=True, bpp=None, exif=None)
    assert plain.tobytes() == other.tobytes()


def test_threads_and_effort_are_by_default_those_registered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from gaussianimage.codec.encoder import encode as module

    asked: list[tuple[object, object]] = []

    def encode(picture: object, **options: object) -> bytes:
        asked.append((options.get("threads"), options.get("effort")))
        return b""

    monkeypatch.setattr(module, "encode", encode)
    register_gimg_opener(threads=1, effort=2)
    try:
        COLOR.save(io.BytesIO(), "GIMG")
        COLOR.save(io.BytesIO(), "GIMG", threads=2, effort=3)
    finally:
        register_gimg_opener()
    COLOR.save(io.BytesIO(), "GIMG")
    assert asked == [(1, 2), (2, 3), (None, None)]


def test_paths_and_streams_get_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "a.GIMG"
    COLOR.save(path, quality=50, effort=1)
    stream = io.BytesIO(b"before")
    stream.seek(6)
    COLOR.save(stream, "gimg", quality=50, effort=1)
    assert stream.getvalue() == b"before" + path.read_bytes()


def test_an_open_image_can_be_saved_over_its_own_file(tmp_path: Path) -> None:
    path = tmp_path / "a.gimg"
    COLOR.save(path, quality=90, effort=1)
    with Image.open(path) as image:
        image.save(path, quality=90, effort=1)
    with Image.open(path) as image:
        assert difference(image, COLOR) < 6


def test_saving_leaves_the_image_as_it_is() -> None:
    image = COLOR.copy()
    image.info = {"dpi": (72, 72), "exif": exif(6).tobytes(), "icc_profile": PROFILE}
    before = dict(image.info)
    saved(image)
    assert image.info == before
    assert image.tobytes() == COLOR.tobytes()
    assert image.size == COLOR.size


def test_several_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="one picture, got 2 frames"):
        saved(COLOR, save_all=True, append_images=[COLOR])
    animation = io.BytesIO()
    COLOR.save(animation, "GIF", save_all=True, append_images=[ImageOps.invert(COLOR)])
    opened = Image.open(animation)
    with pytest.raises(ValueError, match="one picture, got 2 frames"):
        saved(opened, save_all=True)
    assert saved(opened).size == COLOR.size  # the frame that is shown
    assert saved(COLOR, save_all=True).size == COLOR.size


# -- Metadata --------------------------------------------------------------------------------------


def test_metadata_that_is_given_goes_into_the_file() -> None:
    found = saved(COLOR, icc_profile=PROFILE, exif=exif(1), xmp=XMP)
    assert found.info["icc_profile"] == PROFILE
    assert found.getexif()[0x010F] == "Maker"
    assert found.info["xmp"] == XMP
    as_bytes = saved(COLOR, exif=exif(1).tobytes(), xmp=XMP.decode())
    assert as_bytes.info["exif"] == found.info["exif"]
    assert as_bytes.info["xmp"] == XMP


def test_of_the_image_itself_the_profile_alone_goes_along() -> None:
    image = COLOR.copy()
    image.info = {"icc_profile": PROFILE, "exif": exif(1).tobytes(), "xmp": XMP}
    assert {"icc_profile", "exif", "xmp"} & set(saved(image).info) == {"icc_profile"}
    assert "icc_profile" not in saved(image, icc_profile=None).info
    assert "icc_profile" not in saved(image, icc_profile=b"").info


def test_a_location_can_be_left_out() -> None:
    data = exif(1)
    data.get_ifd(0x8825)[1] = "N"
    assert saved(COLOR, exif=data).getexif().get_ifd(0x8825)
    found = saved(COLOR, exif=data, metadata=("icc", "exif", "xmp"))
    assert not found.getexif().get_ifd(0x8825)
    assert found.getexif()[0x010F] == "Maker"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_given_exif_is_applied_once(orientation: int) -> None:
    image = COLOR.copy()
    data = exif(orientation)
    found = saved(image, exif=data)
    assert found.getexif()[0x0112] == 1
    shown = image.copy()
    shown.info["exif"] = data.tobytes()
    expected = ImageOps.exif_transpose(shown)
    assert difference(found, expected) < 6
    # Again, with the EXIF data of the file: nothing turns any more.
    again = saved(found, exif=found.info["exif"])
    assert difference(again, expected) < 8
    assert ImageOps.exif_transpose(again).size == expected.size


def test_the_orientation_of_exif_that_stays_behind_does_not_turn_the_pixels() -> None:
    # As with every other format: pixels that the caller has turned stay as they are.
    image = COLOR.transpose(Image.Transpose.ROTATE_270)
    image.info["exif"] = exif(6).tobytes()
    assert difference(saved(image), image) < 6


def test_a_photo_saved_upright_from_jpeg_is_upright() -> None:
    jpeg = io.BytesIO()
    COLOR.save(jpeg, "JPEG", quality=95, exif=exif(6))
    photo = Image.open(jpeg)
    upright = ImageOps.exif_transpose(photo)
    assert upright.size == (12, 16)
    assert difference(saved(photo, exif=photo.info["exif"]), upright) < 8
    assert difference(saved(upright, exif=upright.info.get("exif")), upright) < 8


def test_warnings_of_the_package_reach_the_caller() -> None:
    dark = Image.fromarray((X * 100).astype(np.uint16))
    with pytest.warns(PictureWarning, match="dark"):
        saved(dark)
