import io

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from gaussianimage import picture
from gaussianimage.picture import icc, metadata

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 10
ICC = icc.rgb_profile(icc.SRGB_PRIMARIES, icc.gamma_curve(1.8), "Gamma 1.8")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description dc:title="Caf\xc3\xa9"/></x:xmpmeta>'
LOSSLESS = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True, "exact": True}}
LOSSY = {"JPEG": {"quality": 95}, "AVIF": {"quality": 95}}


def exif(orientation=None, **texts):
    data = Image.Exif()
    data[0x010F] = texts.get("make", "Maker")
    data.get_ifd(0x8769)[0x9003] = "2024:01:02 03:04:05"
    if orientation is not None:
        data[0x0112] = orientation
    return data.tobytes()


def saved(name, pixels=PIXELS, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, name, **{**LOSSLESS, **LOSSY}[name], **options)
    return file.getvalue()


def parsed(data):
    result = Image.Exif()
    result.load(data)
    return result


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", LOSSLESS)
def test_pixels_are_turned_upright(name, orientation):
    data = saved(name, exif=exif(orientation))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert expected.shape == ((3, 2, 3) if orientation > 4 else (2, 3, 3))
    np.testing.assert_array_equal(picture.to_array(picture.read(data).pixels), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", LOSSY)
def test_pixels_of_lossy_formats_are_turned_upright(name, orientation):
    pixels = np.kron(PIXELS, np.ones((16, 16, 1), np.uint8))
    data = saved(name, pixels, exif=exif(orientation))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    np.testing.assert_array_equal(picture.to_array(picture.read(data).pixels), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_is_what_pillow_does(orientation):
    image = Image.fromarray(PIXELS)
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(metadata.upright(PIXELS, orientation), expected)


@pytest.mark.parametrize("name", ["PNG", "WEBP", "JPEG"])
def test_exif_stays_but_for_the_orientation(name):
    data = exif(6).removeprefix(b"Exif\0\0")
    kept = picture.read(saved(name, exif=exif(6))).exif
    assert len(kept) == len(data)
    assert sum(a != b for a, b in zip(kept, data, strict=True)) == 1
    assert parsed(kept)[0x0112] == 1


@pytest.mark.parametrize("name", [*LOSSLESS, *LOSSY])
def test_exif_is_carried(name):
    kept = parsed(picture.read(saved(name, exif=exif(3))).exif)
    assert kept[0x010F] == "Maker"
    assert kept.get_ifd(0x8769)[0x9003] == "2024:01:02 03:04:05"
    assert kept.get(0x0112, 1) == 1


def test_the_layout_of_a_tiff_is_no_metadata():
    assert picture.read(saved("TIFF")).exif is None


@pytest.mark.parametrize("name", [*LOSSLESS, *LOSSY])
def test_a_color_profile_is_carried(name):
    assert picture.read(saved(name, icc_profile=ICC)).icc == ICC
    assert picture.read(saved(name)).icc is None


@pytest.mark.parametrize("name", [*LOSSLESS, *LOSSY])
def test_xmp_is_carried(name):
    file = io.BytesIO()
    picture.write(file, PIXELS, format=name, xmp=XMP)
    assert picture.read(file.getvalue()).xmp == XMP


@pytest.mark.parametrize("form", ['tiff:Orientation="6"', "<tiff:Orientation>6</tiff:Orientation>"])
def test_an_orientation_in_xmp_counts_if_exif_has_none(form):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", f"<x {form}/>")
    result = picture.read(saved("PNG", pnginfo=info))
    assert (result.height, result.width) == (3, 2)
    assert result.xmp.decode() == f"<x {form}/>".replace("6", "1")


def test_exif_decides_against_xmp():
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    result = picture.read(saved("PNG", pnginfo=info, exif=exif(1)))
    assert (result.height, result.width) == (2, 3)
    assert result.xmp == b'<x tiff:Orientation="1"/>'


def test_exif_as_text_in_a_png_counts():
    info = PngImagePlugin.PngInfo()
    data = exif(8)
    info.add_text("Raw profile type exif", f"\nexif\n{len(data):8}\n{data.hex()}\n")
    result = picture.read(saved("PNG", pnginfo=info))
    assert (result.height, result.width) == (3, 2)
    assert parsed(result.exif)[0x010F] == "Maker"


def test_broken_exif_as_text_is_left_out():
    image = Image.fromarray(PIXELS)
    image.info["Raw profile type exif"] = "\nexif\n  9\nno hex\n"
    assert picture.as_picture(image).exif is None


def test_xmp_may_be_text():
    image = Image.fromarray(PIXELS)
    image.info["XML:com.adobe.xmp"] = "<x>Café</x>"
    assert picture.as_picture(image).xmp == "<x>Café</x>".encode()


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_upright(orientation):
    result = picture.read(saved("PNG", exif=exif(orientation)))
    assert (result.height, result.width) == (2, 3)
    assert parsed(result.exif)[0x0112] == 1


@pytest.mark.parametrize(
    "data",
    [
        b"II",
        b"junk" * 5,
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0",
    ],
)
def test_broken_exif_is_left_out(data):
    info = {"exif": b"Exif\0\0" + data}
    image = Image.fromarray(PIXELS)
    image.info.update(info)
    result = picture.as_picture(image)
    assert result.exif is None
    assert (result.height, result.width) == (2, 3)


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_understood(order):
    data = Image.Exif()
    data.endian = order
    data[0x0112] = 6
    result = picture.read(saved("PNG", exif=data.tobytes()))
    assert (result.height, result.width) == (3, 2)
    assert parsed(result.exif)[0x0112] == 1


def test_a_pillow_image_brings_its_metadata():
    image = Image.open(io.BytesIO(saved("JPEG", exif=exif(6), icc_profile=ICC)))
    result = picture.as_picture(image)
    assert (result.height, result.width) == (3, 2)
    assert result.icc == ICC
    assert parsed(result.exif)[0x0112] == 1
