"""ICC profiles: reading them, and making small ones from primaries and a curve.

This module understands only profiles of a matrix and curves, such as those of cameras, screens and
working spaces; every other profile is kept unchanged. The format is ICC.1:2022.
"""

import struct
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Matrix: TypeAlias = npt.NDArray[np.float64]  # (3, 3)

# x and y of red, green, blue and white.
Primaries: TypeAlias = tuple[float, float, float, float, float, float, float, float]

D65 = (0.3127, 0.3290)
SRGB_PRIMARIES: Primaries = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *D65)

_D50 = (0.9642, 1.0, 0.8249)  # X, Y, Z of the connection space's white
_D65_XYZ = (0.9505, 1.0, 1.0891)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_LOOKUP_TABLES = (b"A2B0", b"A2B1", b"A2B2", b"D2B0", b"D2B1", b"D2B2", b"D2B3")
_MOST_TAGS = 200

# Most profiles give an XYZ component to four digits, and the curve of sRGB as a table of about a
# thousand entries; both stay within these tolerances. Each is below one level of 8 bits.
_XYZ_TOLERANCE = 0.001
_CURVE_TOLERANCE = 0.0035


def gamma_curve(exponent: float) -> bytes:
    """Return the tag of the curve v -> v^exponent; the exponent is above 0 and below 32768."""
    return struct.pack(">4sIHHi", b"para", 0, 0, 0, round(exponent * 65536))


def srgb_curve() -> bytes:
    """Return the tag of the curve of sRGB (IEC 61966-2-1), from samples to light."""
    values = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return struct.pack(">4sIHH5i", b"para", 0, 3, 0, *(round(v * 65536) for v in values))


def rgb_profile(primaries: Primaries, curve: bytes, name: str) -> bytes | None:
    """Return a profile of RGB, or None if the primaries span no color space.

    Parameters
    ----------
    primaries : tuple of 8 floats
        Chromaticities x, y of red, green, blue and white.
    curve : bytes
        Tag of the curve of all three channels, from `gamma_curve` or `srgb_curve`.
    name : str
        Name that programs show to a user.
    """
    found = _to_d50(primaries)
    if found is None:
        return None
    columns, adaptation = found
    colorants = {tag: _xyz(columns[:, i]) for i, tag in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    flat = (round(float(v) * 65536) for v in adaptation.ravel())
    chad = {b"chad": struct.pack(">4sI9i", b"sf32", 0, *flat)}
    return _profile(b"RGB ", name, colorants | curves | chad)


def gray_profile(curve: bytes, name: str) -> bytes:
    """Return a profile of gray; `curve` is a tag from `gamma_curve` or `srgb_curve`."""
    return _profile(b"GRAY", name, {b"kTRC": curve})


def color_space(profile: bytes) -> str | None:
    """Return the space of the profile's samples, such as ``RGB`` or ``GRAY``; None if broken."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return None
    return profile[16:20].decode("ascii", "replace").strip()


def is_srgb(profile: bytes) -> bool:
    """Whether a profile of RGB or gray describes plain sRGB.

    The colorants, the curves and the white decide; the name of the profile is ignored.
    """
    tags = _tags(profile)
    if tags is None or _is_more_than_a_matrix(profile, tags):
        return False
    white = _xyz_values(tags.get(b"wtpt", b""))
    # Old profiles give the white of the screen, newer ones the white of the connection space.
    if white is not None and not any(_close(white, known) for known in (_D50, _D65_XYZ)):
        return False
    if tags.get(b"cicp", b"\0" * 12)[8:10] not in (b"\0\0", b"\x01\x0d"):
        return False
    space = color_space(profile)
    if space == "GRAY":
        return _is_srgb_curve(tags.get(b"kTRC"))
    found = _to_d50(SRGB_PRIMARIES)
    if space != "RGB" or found is None:
        return False
    columns, _ = found
    for i, color in enumerate((b"r", b"g", b"b")):
        colorant = _xyz_values(tags.get(color + b"XYZ", b""))
        if colorant is None or not _close(colorant, tuple(columns[:, i])):
            return False
        if not _is_srgb_curve(tags.get(color + b"TRC")):
            return False
    return True


def convert_to_gray(profile: bytes) -> bytes | None:
    """Convert a profile of RGB to the profile of gray that describes its colors R = G = B.

    Returns None if the three curves differ, or the profile consists of tables.
    """
    tags = _tags(profile)
    if tags is None or color_space(profile) != "RGB" or _is_more_than_a_matrix(profile, tags):
        return None
    curves = [tags.get(color + b"TRC") for color in (b"r", b"g", b"b")]
    shapes = [_evaluated(curve) for curve in curves]
    first = shapes[0]
    if curves[0] is None or first is None:
        return None
    if any(shape is None or np.abs(shape - first).max() > 1e-4 for shape in shapes[1:]):
        return None
    return gray_profile(curves[0], "Gray")


def convert_to_rgb(profile: bytes) -> bytes | None:
    """Convert a profile of gray to a profile of RGB that is equivalent for R = G = B.

    Returns None if the profile has no curve, or consists of tables.
    """
    tags = _tags(profile)
    if tags is None or color_space(profile) != "GRAY" or _is_more_than_a_matrix(profile, tags):
        return None
    curve = tags.get(b"kTRC")
    if curve is None or _evaluated(curve) is None:
        return None
    return rgb_profile(SRGB_PRIMARIES, curve, "RGB")


def _to_d50(primaries: Primaries) -> tuple[Matrix, Matrix] | None:
    """Return the colorants as columns X, Y, Z under D50, and the matrix that adapted them."""
    xy = np.array(primaries, np.float64).reshape(4, 2)
    if not np.isfinite(xy).all() or (xy[:, 1] <= 0).any():
        return None
    colors = np.vstack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(axis=1)) / xy[:, 1]])
    if abs(np.linalg.det(colors[:, :3])) < 1e-4:
        return None
    shares = np.linalg.solve(colors[:, :3], colors[:, 3])
    if (shares <= 0).any():  # white is not between the colors
        return None
    columns = colors[:, :3] * shares
    cone = _BRADFORD @ colors[:, 3]
    if (cone <= 0).any():
        return None
    scale = (_BRADFORD @ np.array(_D50)) / cone
    adaptation = np.linalg.inv(_BRADFORD) @ (scale[:, None] * _BRADFORD)
    adapted = adaptation @ columns
    # No real light reaches 100; the format ends at 32768.
    if max(np.abs(adapted).max(), np.abs(adaptation).max()) > 100:
        return None
    return adapted, adaptation


def _profile(space: bytes, name: str, tags: dict[bytes, bytes]) -> bytes:
    common = {
        b"desc": _text(name),
        b"cprt": _text("Public domain"),
        b"wtpt": _xyz(np.array(_D50)),
    }
    directory, body = b"", b""
    everything = common | tags
    start = 132 + 12 * len(everything)
    places: dict[bytes, int] = {}
    for tag, data in everything.items():
        if data not in places:  # three channels share a curve
            places[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        directory += struct.pack(">4sII", tag, places[data], len(data))
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"", 0x04300000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp")
    header = header.ljust(68, b"\0") + _xyz(np.array(_D50))[8:]
    return header.ljust(128, b"\0") + struct.pack(">I", len(everything)) + directory + body


def _text(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return struct.pack(">4sIII4sII", b"mluc", 0, 1, 12, b"enUS", len(data), 28) + data


def _xyz(values: npt.NDArray[np.float64]) -> bytes:
    return struct.pack(">4sI3i", b"XYZ ", 0, *(round(float(v) * 65536) for v in values))


def _tags(profile: bytes) -> dict[bytes, bytes] | None:
    if color_space(profile) is None:
        return None
    (count,) = struct.unpack_from(">I", profile, 128)
    if count > _MOST_TAGS or 132 + 12 * count > len(profile):
        return None
    tags = {}
    for i in range(count):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        if offset + size > len(profile):
            return None
        tags[name] = profile[offset : offset + size]
    return tags


def _is_more_than_a_matrix(profile: bytes, tags: dict[bytes, bytes]) -> bool:
    return profile[20:24] != b"XYZ " or any(table in tags for table in _LOOKUP_TABLES)


def _xyz_values(tag: bytes) -> tuple[float, float, float] | None:
    if len(tag) < 20 or tag[:4] != b"XYZ ":
        return None
    x, y, z = struct.unpack_from(">3i", tag, 8)
    return x / 65536, y / 65536, z / 65536


def _close(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return bool(np.abs(np.subtract(a, b)).max() <= _XYZ_TOLERANCE)


def _is_srgb_curve(tag: bytes | None) -> bool:
    light = _evaluated(tag)
    wanted = _evaluated(srgb_curve())
    if light is None or wanted is None:
        return False
    # Compare samples, not light: equal steps of samples look equal.
    difference = np.interp(light, wanted, _SAMPLES) - _SAMPLES
    return bool(np.abs(difference).max() <= _CURVE_TOLERANCE)


_SAMPLES = np.linspace(0, 1, 1025)


def _evaluated(tag: bytes | None) -> npt.NDArray[np.float64] | None:
    """Return the light at `_SAMPLES`, or None if the tag is no curve."""
    try:
        if tag is not None and tag[:4] == b"curv":
            return _table(tag)
        if tag is not None and tag[:4] == b"para":
            return _parametric(tag)
    except struct.error:
        pass
    return None


def _table(tag: bytes) -> npt.NDArray[np.float64]:
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return _SAMPLES
    if count == 1:
        (exponent,) = struct.unpack_from(">H", tag, 12)
        return np.asarray(_SAMPLES ** (exponent / 256))
    entries = np.array(struct.unpack_from(f">{count}H", tag, 12)) / 65535
    return np.interp(_SAMPLES, np.linspace(0, 1, count), entries)


def _parametric(tag: bytes) -> npt.NDArray[np.float64] | None:
    (kind,) = struct.unpack_from(">H", tag, 8)
    if kind > 4:
        return None
    given = struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)
    g, a, b, c, d, e, f = [v / 65536 for v in given] + [0.0] * (7 - len(given))
    if kind == 0:
        a = 1.0
    if kind in (1, 2):
        if a == 0:
            return None
        # The curve is a power (plus c in kind 2) above -b/a, and constant below.
        c, d, e, f = 0.0, -b / a, c, c
    x = _SAMPLES
    with np.errstate(all="ignore"):
        power = np.maximum(a * x + b, 0) ** g + e
        light = np.where(x >= d, power, c * x + f)
    return np.clip(light, 0, 1) if np.isfinite(light).all() else None
