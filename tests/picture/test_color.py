import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from gaussianimage import picture
from gaussianimage.errors import PictureWarning
from gaussianimage.picture import icc

PIXELS = np.full((4, 5, 3), (200, 100, 60), np.uint8)
GRAY = np.full((4, 5), 128, np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GAMMA_18 = icc.rgb_profile(icc.SRGB_PRIMARIES, icc.gamma_curve(1.8), "Gamma 1.8")
CHRM_SRGB = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
CHRM_ADOBE = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)


def chunk(name, data):
    check = struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))
    return struct.pack(">I", len(data)) + name + data + check


def png(pixels=PIXELS, **chunks):
    """Return a PNG file with chunks after its header, packed as the specification says."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    data = file.getvalue()
    packed = {
        "gAMA": lambda v: struct.pack(">I", v),
        "cHRM": lambda v: struct.pack(">8I", *v),
        "cICP": bytes,
        "sRGB": bytes,
        "iCCP": lambda v: b"x\0\0" + zlib.compress(v),
    }
    extra = b"".join(chunk(name.encode(), packed[name](v)) for name, v in chunks.items())
    return data[:33] + extra + data[33:]


def read(data, recwarn):
    """Read a picture about which there is nothing to tell."""
    result = picture.read(data)
    assert [str(w.message) for w in recwarn if w.category is PictureWarning] == []
    return result


def shown(result):
    """Return the first pixel as a color-managed program shows it, in sRGB."""
    values = picture.to_array(result.pixels)
    image = ImageCms.profileToProfile(
        Image.fromarray(values),
        ImageCms.ImageCmsProfile(io.BytesIO(result.icc)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
    )
    return image.getpixel((0, 0))


def label(value):
    """Return a test's name for chunks or a message, without the time that a profile has."""
    if isinstance(value, str):
        return value
    return str({name: "profile" if name == "iCCP" else data for name, data in value.items()})


@pytest.mark.parametrize(
    "chunks",
    [
        {},
        {"gAMA": 45455},
        {"gAMA": 45000},
        {"gAMA": 45455, "cHRM": CHRM_SRGB},
        {"cHRM": CHRM_SRGB},
        {"sRGB": [0]},
        {"sRGB": [0], "gAMA": 100000},
        {"sRGB": [0], "gAMA": 45455, "cHRM": CHRM_ADOBE},
        {"cICP": [1, 13, 0, 1]},
        {"cICP": [1, 13, 0, 1], "gAMA": 100000},
        {"cICP": [1, 13, 0, 1], "iCCP": GAMMA_18},
        {"cICP": [1, 1, 0, 1]},
        {"cICP": [2, 2, 0, 1]},
        {"iCCP": SRGB},
        {"iCCP": SRGB, "gAMA": 100000},
    ],
    ids=label,
)
@pytest.mark.parametrize("pixels", [PIXELS, GRAY], ids=["RGB", "gray"])
def test_what_says_srgb_needs_no_profile(pixels, chunks, recwarn):
    assert read(png(pixels, **chunks), recwarn).icc is None


def test_linear_light_is_shown_brighter(recwarn):
    result = read(png(gAMA=100000), recwarn)
    light = PIXELS[0, 0] / 255
    expected = 255 * np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)
    np.testing.assert_allclose(shown(result), expected, atol=1.01)
    np.testing.assert_array_equal(picture.to_array(result.pixels), PIXELS)


def test_linear_gray_gets_a_profile_of_gray(recwarn):
    result = read(png(GRAY, gAMA=100000, cHRM=CHRM_ADOBE), recwarn)
    assert icc.color_space(result.icc) == "GRAY"
    expected = 255 * (1.055 * (128 / 255) ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(shown(result), expected, atol=1.01)


def test_chromaticities_alone_are_those_of_a_space_with_the_curve_of_srgb(recwarn):
    result = read(png(cHRM=CHRM_ADOBE), recwarn)
    wide = icc.rgb_profile((0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *icc.D65), icc.srgb_curve(), "RGB")
    assert result.icc == wide


@pytest.mark.parametrize("transfer", [13, 1, 6, 14])
def test_p3_by_code_points_gets_a_profile(transfer, recwarn):
    result = read(png(cICP=[12, transfer, 0, 1]), recwarn)
    red = shown(result)
    assert red[0] > PIXELS[0, 0, 0] + 5  # P3's red is redder than sRGB's
    assert red[1] < PIXELS[0, 0, 1]


def test_a_pillow_image_of_a_png_file_brings_its_code_points(recwarn):
    data = png(cICP=[12, 13, 0, 1])
    image = Image.open(io.BytesIO(data))
    assert picture.as_picture(image).icc == picture.read(data).icc
    assert picture.as_picture(image).icc is None  # loaded by now, and the file is closed


def test_a_profile_goes_before_gamma(recwarn):
    assert read(png(iCCP=GAMMA_18, gAMA=100000), recwarn).icc == GAMMA_18


def test_code_points_go_before_a_profile(recwarn):
    assert read(png(cICP=[9, 8, 0, 1], iCCP=GAMMA_18), recwarn).icc not in (GAMMA_18, None)


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ({"cICP": [9, 16, 0, 1]}, "HDR \\(PQ\\)"),
        ({"cICP": [9, 18, 0, 1]}, "HDR \\(HLG\\)"),
        ({"cICP": [9, 10, 0, 1]}, "curve of transfer 10 is unknown"),
        ({"cICP": [99, 13, 0, 1]}, "primaries 99 are unknown"),
        ({"cICP": [12, 13, 1, 1]}, "not RGB of full range"),
        ({"cICP": [12, 13, 0, 0]}, "not RGB of full range"),
        ({"gAMA": 1}, "gamma of 1e-05 is out of range"),
        ({"cHRM": (0,) * 8}, "chromaticities of the cHRM chunk are invalid"),
        ({"iCCP": b"no profile"}, "the ICC profile is broken"),
        ({"iCCP": SRGB.replace(b"RGB XYZ ", b"CMYKLab ")}, "is for CMYK, not for RGB"),
    ],
    ids=label,
)
def test_what_cannot_be_said_in_a_profile_is_told(chunks, message):
    with pytest.warns(PictureWarning, match=f"the data: .*{message}"):
        assert picture.read(png(**chunks)).icc is None


def test_the_profile_that_goes_with_hdr_is_kept(recwarn):
    assert read(png(cICP=[9, 16, 0, 1], iCCP=GAMMA_18), recwarn).icc == GAMMA_18


def test_a_profile_of_rgb_in_a_gray_picture_becomes_one_of_gray(recwarn):
    result = read(png(GRAY, iCCP=GAMMA_18), recwarn)
    assert icc.color_space(result.icc) == "GRAY"
    expected = 255 * (1.055 * (128 / 255) ** (1.8 / 2.4) - 0.055)
    np.testing.assert_allclose(shown(result), expected, atol=1.01)


def test_a_profile_of_gray_in_a_picture_of_color_is_left_out_with_a_warning():
    gray = icc.gray_profile(icc.gamma_curve(1.8), "Gray")
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG", icc_profile=gray)
    with pytest.warns(PictureWarning, match="is for GRAY, not for RGB"):
        assert picture.read(file.getvalue()).icc is None


def test_a_profile_of_gray_goes_with_gray_in_three_channels(recwarn):
    gray = icc.gray_profile(icc.gamma_curve(1.8), "Gray")
    file = io.BytesIO()
    Image.fromarray(np.dstack([GRAY] * 3)).save(file, "TIFF", icc_profile=gray)
    result = read(file.getvalue(), recwarn)
    expected = 255 * (1.055 * (128 / 255) ** (1.8 / 2.4) - 0.055)
    np.testing.assert_allclose(shown(result), expected, atol=1.01)


def avif(primaries, transfer, **options):
    file = io.BytesIO()
    Image.fromarray(np.kron(PIXELS, np.ones((8, 8, 1), np.uint8))).save(file, "AVIF", **options)
    data = file.getvalue()
    place = data.index(b"colrnclx") + 8
    return data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :]


def test_p3_by_code_points_in_an_avif_file_gets_a_profile(recwarn):
    assert read(avif(12, 13), recwarn).icc == read(png(cICP=[12, 13, 0, 1]), recwarn).icc
    assert read(avif(1, 13), recwarn).icc is None


def test_hdr_in_an_avif_file_is_told():
    with pytest.warns(PictureWarning, match="HDR"):
        picture.read(avif(9, 16))
