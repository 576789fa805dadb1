"""ICC profiles of a matrix and curves, written byte by byte."""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

D50 = (0.9642, 1.0, 0.8249)
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141))
DISPLAY_P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def xyz(values: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(fixed(value) for value in values)


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + b"\0\0"


def sampled(values: NDArray[Any]) -> bytes:
    table = np.rint(values * 65535).astype(">u2").tobytes()
    return b"curv\0\0\0\0" + struct.pack(">I", len(values)) + table + b"\0" * (len(table) % 4)


def parametric(kind: int, numbers: Sequence[float]) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + b"".join(map(fixed, numbers))


SRGB_CURVE = parametric(3, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))


def profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Return an ICC profile of a screen, version 4."""
    tags = {b"desc": b"mluc" + bytes(12), b"cprt": b"mluc" + bytes(12), b"wtpt": xyz(D50), **tags}
    at = 132 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", at + len(data), len(value))
        data += value
    head = struct.pack(">I4sI4s4s4s", 0, b"\0" * 4, 0x04300000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + b"".join(map(fixed, D50))
    whole = head + bytes(128 - len(head)) + table + data
    return struct.pack(">I", len(whole)) + whole[4:]


def rgb_profile(columns: Sequence[Sequence[float]], curve: bytes) -> bytes:
    names = ((b"rXYZ", b"rTRC"), (b"gXYZ", b"gTRC"), (b"bXYZ", b"bTRC"))
    tags = {}
    for (color, tone), column in zip(names, columns, strict=True):
        tags[color], tags[tone] = xyz(column), curve
    return profile(b"RGB ", tags)


LINEAR = np.linspace(0, 1, 300)
PROFILES = {
    "p3": rgb_profile(DISPLAY_P3, SRGB_CURVE),
    "adobe": rgb_profile(ADOBE_RGB, gamma(2.19921875)),
    "sampled": rgb_profile(ADOBE_RGB, sampled(LINEAR**1.8)),
    "linear": rgb_profile(SRGB, b"curv\0\0\0\0\0\0\0\0"),
    "power": rgb_profile(DISPLAY_P3, parametric(0, [1.8])),
    "offset": rgb_profile(DISPLAY_P3, parametric(1, [2.2, 0.9, 0.1])),
    "raised": rgb_profile(ADOBE_RGB, parametric(2, [2.0, 0.8, 0.05, 0.1])),
    "full": rgb_profile(ADOBE_RGB, parametric(4, [2.4, 0.9, 0.05, 0.1, 0.05, 0.02, 0.01])),
}
