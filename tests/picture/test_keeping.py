"""Keeping a part of the metadata: which kinds there are, and EXIF and XMP without the location."""

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gaussianimage.picture import Picture
from gaussianimage.picture.keeping import exif_without_gps, kept_kinds, xmp_without_gps

PIXELS = np.zeros((2, 3, 3), np.float32)
LATITUDE = (48.0, 51.0, 29.5)


def make_exif(*, location: bool, order: str = "<") -> bytes:
    """Return EXIF data as Pillow writes it, with tags before and behind that of the location."""
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F] = "maker of cameras"
    exif[0xC4A5] = "printed"
    exif.get_ifd(0x8769)[0x9003] = "2024:01:02 03:04:05"
    if location:
        exif.get_ifd(0x8825).update({1: "N", 2: LATITUDE, 29: "2024:01:02"})
    return exif.tobytes().removeprefix(b"Exif\0\0")


def tags(exif: bytes) -> dict[Any, Any]:
    loaded = Image.Exif()
    loaded.load(exif)
    found: dict[Any, Any] = {k: v for k, v in loaded.items() if k != 0x8769}
    return found | {("exif", k): v for k, v in loaded.get_ifd(0x8769).items()}


@pytest.mark.parametrize(
    ("metadata", "kinds"),
    [
        ("all", {"icc", "exif", "xmp", "gps"}),
        ("none", set()),
        ("icc", {"icc"}),
        ((), set()),
        (["exif", "gps"], {"exif", "gps"}),
        (frozenset(["xmp"]), {"xmp"}),
    ],
)
def test_kinds_are_named_alone_or_together(metadata: Any, kinds: set[str]) -> None:
    assert kept_kinds(metadata) == kinds


@pytest.mark.parametrize("metadata", ["iptc", "ICC", ["all"], ["icc", ""], ""])
def test_other_names_are_a_value_error_that_lists_them(metadata: Any) -> None:
    with pytest.raises(
        ValueError, match=r"metadata: expected one of .*'icc', 'exif', 'xmp', 'gps'"
    ):
        kept_kinds(metadata)


@pytest.mark.parametrize("metadata", [None, 5, True, [5], [None]])
def test_other_types_are_a_type_error(metadata: Any) -> None:
    with pytest.raises(TypeError, match="metadata: expected"):
        kept_kinds(metadata)


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_location_is_gone_from_exif_and_all_else_is_there(order: str) -> None:
    exif = make_exif(location=True, order=order)
    clean = exif_without_gps(exif)
    assert clean is not None
    assert len(clean) == len(exif)
    expected = tags(exif)
    assert expected.pop(0x8825)
    assert tags(clean) == expected == tags(make_exif(location=False))
    for value in (*LATITUDE, 29.5 * 2):
        assert struct.pack(f"{order}I", int(value)) + b"\1\0\0\0" not in clean
    assert b"2024:01:02\0" not in clean  # the location's date, which ends there


def test_exif_without_a_location_stays_to_the_byte() -> None:
    exif = make_exif(location=False)
    assert exif_without_gps(exif) == exif
    assert exif_without_gps(exif[:-4]) is not None  # some writers end before the next directory


@given(st.data())
def test_broken_exif_never_keeps_the_location(data: Any) -> None:
    exif = bytearray(make_exif(location=True))
    for _ in range(data.draw(st.integers(1, 3))):
        exif[data.draw(st.integers(8, len(exif) - 1))] = data.draw(st.integers(0, 255))
    clean = exif_without_gps(bytes(exif[: data.draw(st.integers(0, len(exif)))]))
    if clean is not None:
        (count,) = struct.unpack_from("<H", clean, 8)
        entries = range(10, 10 + 12 * count, 12)
        assert all(struct.unpack_from("<H", clean, entry) != (0x8825,) for entry in entries)


def test_directories_in_a_circle_and_huge_values_are_broken() -> None:
    circle = struct.pack("<4sIHI", b"II*\0", 8, 0, 8)
    assert exif_without_gps(circle) is None
    pointer = struct.pack("<4sIHHHIII", b"II*\0", 8, 1, 0x8825, 4, 1, 26, 0)
    huge = pointer + struct.pack("<HHHII", 1, 2, 12, 2**31, 0)
    assert exif_without_gps(huge) is None


XMP = b"""<x:xmpmeta><rdf:Description dc:title="a" exif:GPSLatitude="48,51.5N"
 exif:GPSLongitude = '2,21E' exif:PixelXDimension="3"><exif:GPSAltitude>35/1</exif:GPSAltitude>
<exif:GPSTimeStamp/><dc:creator>GPS</dc:creator></rdf:Description></x:xmpmeta>"""


def test_the_location_is_gone_from_xmp_and_all_else_is_there() -> None:
    clean = xmp_without_gps(XMP)
    assert clean == (
        b'<x:xmpmeta><rdf:Description dc:title="a"\n exif:PixelXDimension="3">\n'
        b"<dc:creator>GPS</dc:creator></rdf:Description></x:xmpmeta>"
    )
    assert xmp_without_gps(clean) == clean


@pytest.mark.parametrize(
    "xmp",
    [XMP.decode().encode("utf-16"), b"<exif:GPSLatitude><b>48</b></exif:GPSLatitude>"],
    ids=["utf-16", "nested"],
)
def test_xmp_with_a_location_written_otherwise_is_left_out(xmp: bytes) -> None:
    assert xmp_without_gps(xmp) is None


def test_a_picture_keeps_what_is_asked_for() -> None:
    exif = make_exif(location=True)
    picture = Picture(PIXELS, 16, icc=b"profile", exif=exif, xmp=XMP)
    assert picture.keeping("all") is picture
    assert repr(picture.keeping("none")) == "<Picture 3 x 2, RGB, 16 bit>"
    assert picture.keeping(["exif", "gps"]).exif == exif
    clean = picture.keeping(["icc", "exif", "xmp"])
    assert (clean.icc, clean.bit_depth) == (b"profile", 16)
    assert (clean.exif, clean.xmp) == (exif_without_gps(exif), xmp_without_gps(XMP))
    assert Picture(PIXELS).keeping("none").exif is None
