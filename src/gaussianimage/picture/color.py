"""The color space of a picture's samples, converted to an ICC profile.

A picture without a profile is sRGB. Another declaration of the color space (PNG's gAMA and cHRM,
the code points of ITU-T H.273 in PNG, AVIF and HEIF) becomes a small profile. A profile that
describes plain sRGB is left out.
"""

import struct
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

from PIL import Image

from gaussianimage.picture import icc
from gaussianimage.picture.icc import D65, Primaries

_C = (0.310, 0.316)
# Primaries by their number in H.273, table 2.
_PRIMARIES: dict[int, Primaries] = {
    1: icc.SRGB_PRIMARIES,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_C),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *D65),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_C),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *D65),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *D65),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *D65),
}
_NAMES = {9: "BT.2020", 11: "DCI P3", 12: "Display P3"}
_UNSPECIFIED = 2
_HDR = {16: "PQ", 18: "HLG"}
# Exponents by their number in H.273, table 3. BT.709, BT.601 and BT.2020 define curves of cameras;
# browsers show such pictures as sRGB, and this module does the same.
_EXPONENTS = {4: 2.2, 5: 2.8, 8: 1.0}
_LIKE_SRGB = (1, 6, 13, 14, 15)

# Programs write 1/2.2 into a gAMA chunk when they mean sRGB. A difference of one percent is
# invisible.
_SRGB_GAMMA, _GAMMA_TOLERANCE = 0.45455, 0.0046
_GAMMAS = (0.1, 10.0)


class CodePoints(NamedTuple):
    """Numbers of ITU-T H.273."""

    primaries: int
    transfer: int
    matrix: int
    full_range: bool


class ColorTags(NamedTuple):
    """Declarations of a file's color space other than an ICC profile."""

    code_points: CodePoints | None = None
    srgb: bool = False
    gamma: float | None = None  # the exponent from light to samples
    chromaticities: tuple[float, ...] | None = None  # x, y of white, red, green and blue


def color_tags(image: Image.Image, file: BinaryIO | None) -> ColorTags:
    """Collect the color tags of an opened image, and of its file if `file` is given.

    The position in the file is unchanged.
    """
    info: dict[Any, Any] = image.info
    if image.format == "PNG":
        chromaticities = info.get("chromaticity")
        return ColorTags(
            _looked_up(file, _png_code_points),
            "srgb" in info,
            info.get("gamma"),
            chromaticities if isinstance(chromaticities, tuple) else None,
        )
    if image.format == "AVIF":
        return ColorTags(_looked_up(file, _nclx))
    if image.format == "HEIF" and isinstance(nclx := info.get("nclx_profile"), dict):
        try:
            names = ("color_primaries", "transfer_characteristics", "matrix_coefficients")
            primaries, transfer, matrix = (int(nclx[name]) for name in names)
        except (KeyError, TypeError, ValueError):
            return ColorTags()
        full = bool(nclx.get("full_range_flag", True))
        return ColorTags(CodePoints(primaries, transfer, matrix, full))
    return ColorTags()


def profile_for(
    profile: bytes | None,
    tags: ColorTags,
    *,
    is_png: bool,
    is_gray: bool,
    looks_gray: Callable[[], bool],
    warn: Callable[[str], object],
) -> bytes | None:
    """Return the ICC profile of the samples' color space, None for sRGB.

    Parameters
    ----------
    profile : bytes or None
        The profile in the file.
    tags : ColorTags
        The file's other declarations. In a PNG file the code points take precedence, then the
        profile, the sRGB chunk, and gAMA with cHRM; in AVIF and HEIF files a profile takes
        precedence over code points.
    is_png, is_gray : bool
        Whether the file is a PNG file; whether the samples have a gray channel, not RGB.
    looks_gray : callable
        Returns whether all RGB samples are gray.
    warn : callable
        Called with a message if no profile can express the color space.
    """
    points = tags.code_points
    if points is not None and (is_png or not profile):
        if points.transfer in _HDR and profile:
            pass  # the profile is there for readers that do not know the HDR curve
        elif is_png and (points.matrix != 0 or not points.full_range):
            warn(
                "the cICP chunk describes samples that are not RGB of full range, so the chunk is "
                "ignored"
            )
        elif (points.primaries, points.transfer) != (_UNSPECIFIED, _UNSPECIFIED):
            return _by_code_points(points, is_gray, warn)
    if profile:
        return _fitting(profile, is_gray, looks_gray, warn)
    if tags.srgb:
        return None
    return _by_gamma(tags, is_gray, warn)


def _by_code_points(
    points: CodePoints, is_gray: bool, warn: Callable[[str], object]
) -> bytes | None:
    if points.transfer in _HDR:
        warn(
            f"the colors are HDR ({_HDR[points.transfer]}), which is not converted: they are "
            "read as sRGB and look flat"
        )
        return None
    if points.transfer in (*_LIKE_SRGB, _UNSPECIFIED):
        exponent = None
    elif points.transfer in _EXPONENTS:
        exponent = _EXPONENTS[points.transfer]
    else:
        warn(f"the curve of transfer {points.transfer} is unknown; the colors are read as sRGB")
        return None
    number = 1 if points.primaries == _UNSPECIFIED else points.primaries
    primaries = _PRIMARIES.get(number)
    if primaries is None and not is_gray:
        warn(f"the primaries {points.primaries} are unknown; the colors are read as sRGB")
        primaries = icc.SRGB_PRIMARIES
    return _made(primaries or icc.SRGB_PRIMARIES, exponent, is_gray, _NAMES.get(number))


def _by_gamma(tags: ColorTags, is_gray: bool, warn: Callable[[str], object]) -> bytes | None:
    exponent, primaries = None, icc.SRGB_PRIMARIES
    if tags.gamma is not None and abs(tags.gamma - _SRGB_GAMMA) > _GAMMA_TOLERANCE:
        if not _GAMMAS[0] <= tags.gamma <= _GAMMAS[1]:
            warn(f"a gamma of {tags.gamma:g} is out of range; the colors are read as sRGB")
            return None
        exponent = 1 / tags.gamma
    if tags.chromaticities is not None and len(tags.chromaticities) == 8:
        white, colors = tags.chromaticities[:2], tags.chromaticities[2:]
        given: Any = (*colors, *white)
        if max(abs(a - b) for a, b in zip(given, primaries, strict=True)) > 0.001:
            primaries = given
    result = _made(primaries, exponent, is_gray, None)
    if result is None and not (exponent is None and (is_gray or primaries == icc.SRGB_PRIMARIES)):
        warn("the chromaticities of the cHRM chunk are invalid; the primaries of sRGB are used")
        result = _made(icc.SRGB_PRIMARIES, exponent, is_gray, None)
    return result


def _made(
    primaries: Primaries, exponent: float | None, is_gray: bool, name: str | None
) -> bytes | None:
    """Return a profile, or None for sRGB and for impossible primaries."""
    curve = icc.srgb_curve() if exponent is None else icc.gamma_curve(exponent)
    gamma = "" if exponent is None else f"gamma {exponent:.3g}"
    if is_gray:
        return None if exponent is None else icc.gray_profile(curve, f"Gray, {gamma}")
    if exponent is None and primaries == icc.SRGB_PRIMARIES:
        return None
    space = name or ("sRGB primaries" if primaries == icc.SRGB_PRIMARIES else "RGB")
    return icc.rgb_profile(primaries, curve, f"{space}, {gamma}" if gamma else space)


def _fitting(
    profile: bytes,
    is_gray: bool,
    looks_gray: Callable[[], bool],
    warn: Callable[[str], object],
) -> bytes | None:
    """Return the profile, or an equivalent one for the number of channels of the samples."""
    space = icc.color_space(profile)
    if space is None:
        warn("the ICC profile is broken and is left out")
        return None
    if icc.is_srgb(profile):
        return None
    if space == ("GRAY" if is_gray else "RGB"):
        return profile
    converted = None
    if is_gray and space == "RGB":
        converted = icc.convert_to_gray(profile)
    elif space == "GRAY" and looks_gray():
        converted = icc.convert_to_rgb(profile)
    if converted is None:
        kind = "gray" if is_gray else "RGB"
        warn(f"the ICC profile is for {space}, not for {kind}, and is left out")
        return None
    return None if icc.is_srgb(converted) else converted


def _looked_up(
    file: BinaryIO | None, look: Callable[[BinaryIO], CodePoints | None]
) -> CodePoints | None:
    if file is None:
        return None
    try:
        position = file.tell()
        try:
            return look(file)
        finally:
            file.seek(position)
    except (OSError, ValueError):  # the file is closed or not seekable
        return None


def _png_code_points(file: BinaryIO) -> CodePoints | None:
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name == b"cICP" and length == 4:
            numbers = file.read(4).ljust(4, b"\0")
            return CodePoints(numbers[0], numbers[1], numbers[2], numbers[3] == 1)
        if name in (b"IDAT", b"IEND", b"PLTE"):
            return None
        file.seek(length + 4, 1)
    return None


def _nclx(file: BinaryIO) -> CodePoints | None:
    """Find the color information box of the first item, the picture, in an ISO base media file."""
    file.seek(0)
    data = file.read(2**16)  # the boxes of the header; the picture's data follow
    place = data.find(b"colrnclx")
    if place < 0 or place + 15 > len(data):
        return None
    primaries, transfer, matrix, flags = struct.unpack_from(">HHHB", data, place + 8)
    return CodePoints(primaries, transfer, matrix, bool(flags & 128))
