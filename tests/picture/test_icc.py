import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from gaussianimage.picture import icc

DISPLAY_P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *icc.D65)
ADOBE_RGB = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *icc.D65)
LCMS = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def to_srgb(profile, color, mode="RGB"):
    """Convert a color by Little CMS."""
    image = Image.new(mode, (4, 4), color)
    result = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
    )
    return result.getpixel((0, 0))


def matrix(primaries):
    """RGB to XYZ, from the definition."""
    xy = np.reshape(primaries, (4, 2))
    columns = np.stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(1)) / xy[:, 1]])
    return columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3])


def encode(light):
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def decode(value):
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("primaries", [DISPLAY_P3, ADOBE_RGB, icc.SRGB_PRIMARIES])
@pytest.mark.parametrize("color", [(150, 120, 100), (255, 255, 255), (90, 110, 120), (0, 0, 0)])
@pytest.mark.parametrize("gamma", [None, 1.0, 2.2])
def test_little_cms_converts_by_a_profile_as_the_definition_does(primaries, color, gamma):
    curve = icc.srgb_curve() if gamma is None else icc.gamma_curve(gamma)
    profile = icc.rgb_profile(primaries, curve, "Test")
    values = np.array(color) / 255
    light = decode(values) if gamma is None else values**gamma
    # All have the same white, so nothing is adapted.
    linear = np.linalg.solve(matrix(icc.SRGB_PRIMARIES), matrix(primaries) @ light)
    expected = 255 * encode(np.clip(linear, 0, 1))
    np.testing.assert_allclose(to_srgb(profile, color), expected, atol=1.01)


def test_another_white_becomes_white():
    primaries = (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316)
    profile = icc.rgb_profile(primaries, icc.gamma_curve(2.2), "BT.470 M")
    np.testing.assert_allclose(to_srgb(profile, (255, 255, 255)), 255, atol=1)
    gray = 255 * encode((128 / 255) ** 2.2)
    np.testing.assert_allclose(to_srgb(profile, (128, 128, 128)), gray, atol=1.01)


@pytest.mark.parametrize("value", [0, 40, 128, 255])
def test_a_profile_of_gray_has_its_curve(value):
    profile = icc.gray_profile(icc.gamma_curve(1.0), "Linear")
    expected = 255 * encode(value / 255)
    np.testing.assert_allclose(to_srgb(profile, value, "L"), expected, atol=1.01)


def test_profiles_are_small_and_say_what_they_are():
    profile = icc.rgb_profile(DISPLAY_P3, icc.srgb_curve(), "Display P3")
    assert len(profile) < 600
    assert struct.unpack_from(">I", profile)[0] == len(profile)
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    assert ImageCms.getProfileDescription(opened).strip() == "Display P3"
    assert icc.color_space(profile) == "RGB"
    assert icc.color_space(icc.gray_profile(icc.srgb_curve(), "Gray")) == "GRAY"


@pytest.mark.parametrize(
    "primaries",
    [
        (0.0,) * 8,
        (0.64, 0.33) * 4,
        (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.0),
        (float("nan"),) * 8,
        (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.70, 0.25),
    ],
)
def test_primaries_that_span_nothing_give_no_profile(primaries):
    assert icc.rgb_profile(primaries, icc.srgb_curve(), "None") is None


def table(values):
    entries = np.rint(np.asarray(values) * 65535).astype(int)
    return struct.pack(f">4sII{len(entries)}H", b"curv", 0, len(entries), *entries)


class TestPlainSrgb:
    def test_is_what_little_cms_and_we_make(self):
        assert icc.is_srgb(LCMS)
        assert icc.is_srgb(icc.rgb_profile(icc.SRGB_PRIMARIES, icc.srgb_curve(), "Any name"))
        assert icc.is_srgb(icc.gray_profile(icc.srgb_curve(), "Any name"))

    def test_may_have_its_curve_as_a_table(self):
        curve = table(decode(np.linspace(0, 1, 1024)))
        assert icc.is_srgb(icc.rgb_profile(icc.SRGB_PRIMARIES, curve, "Table"))

    @pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2, 2.4])
    def test_has_not_the_curve_of_a_power(self, gamma):
        powers = [icc.gamma_curve(gamma), struct.pack(">4sIIH", b"curv", 0, 1, int(gamma * 256))]
        for curve in powers:
            assert not icc.is_srgb(icc.rgb_profile(icc.SRGB_PRIMARIES, curve, "sRGB IEC61966-2.1"))
            assert not icc.is_srgb(icc.gray_profile(curve, "sRGB"))

    @pytest.mark.parametrize("primaries", [DISPLAY_P3, ADOBE_RGB])
    def test_has_not_other_primaries_whatever_it_is_called(self, primaries):
        assert not icc.is_srgb(icc.rgb_profile(primaries, icc.srgb_curve(), "sRGB IEC61966-2.1"))

    def test_has_no_tables(self):
        assert not icc.is_srgb(LCMS.replace(b"chad", b"A2B0"))

    def test_is_nothing_broken(self):
        for length in range(0, len(LCMS), 7):
            assert not icc.is_srgb(LCMS[:length])
        assert not icc.is_srgb(bytes(1000))
        assert not icc.is_srgb(LCMS[:128] + b"\xff" * 400)


def test_a_profile_of_rgb_has_one_of_gray_that_means_the_same():
    gray = icc.convert_to_gray(icc.rgb_profile(ADOBE_RGB, icc.gamma_curve(1.8), "Any"))
    for value in (10, 100, 200):
        expected = 255 * encode((value / 255) ** 1.8)
        np.testing.assert_allclose(to_srgb(gray, value, "L"), expected, atol=1.01)
    assert icc.is_srgb(icc.convert_to_gray(LCMS))


def test_a_profile_of_gray_has_one_of_rgb_that_means_the_same():
    rgb = icc.convert_to_rgb(icc.gray_profile(icc.gamma_curve(1.8), "Gray"))
    for value in (10, 100, 200):
        expected = 255 * encode((value / 255) ** 1.8)
        np.testing.assert_allclose(to_srgb(rgb, (value,) * 3), expected, atol=1.01)


def test_a_profile_of_tables_or_of_another_space_has_neither():
    with_tables = LCMS.replace(b"chad", b"A2B0")
    cmyk = LCMS.replace(b"RGB XYZ ", b"CMYKLab ")
    for profile in (with_tables, cmyk, b"", bytes(200)):
        assert icc.convert_to_gray(profile) is None
        assert icc.convert_to_rgb(profile) is None


@pytest.mark.parametrize("kind", range(5))
def test_every_kind_of_parametric_curve_is_understood(kind):
    """Each kind of curve can be the power 2.2, or sRGB's curve for 3 and 4."""
    given = [(2.2,), (2.2, 1, 0), (2.2, 1, 0, 0)]
    slope = (1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    given += [(2.4, *slope), (2.4, *slope, 0, 0)]
    values = [round(v * 65536) for v in given[kind]]
    curve = struct.pack(f">4sIHH{len(values)}i", b"para", 0, kind, 0, *values)
    profile = icc.rgb_profile(icc.SRGB_PRIMARIES, curve, "Curve")
    assert icc.is_srgb(profile) == (kind > 2)
    assert icc.convert_to_gray(profile) is not None
