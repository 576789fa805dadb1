"""Any bytes as an ICC profile for the module in JavaScript, under Node.

A profile is applied, or is of another kind. An intact one gives the colors of Little CMS.
"""

import base64
import io
import random

import numpy as np
from icc_profiles import PROFILES
from PIL import Image, ImageCms
from support import node
from support.mutation import mutate_bytes
from support.node import Node

# Types of tags, of their contents and of colors, and edges of their numbers.
_WORDS = [b"rXYZ", b"gTRC", b"bTRC", b"kTRC", b"curv", b"para", b"XYZ ", b"RGB ", b"GRAY", b"Lab "]
_WORDS += [b"acsp", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\0", b"\0\0\0\1"]
_WORDS += [b"\xff\xff\xff\xff", b"\0\1\0\0", b"\xff\xff\0\0"]
_LEVELS = (0, 1, 10, 51, 102, 153, 204, 255)
_RGB = np.stack(np.meshgrid(_LEVELS, _LEVELS, _LEVELS, indexing="ij"), -1).reshape(-1, 1, 3)
_ALPHA = np.arange(len(_RGB)) % 256
PIXELS = np.concatenate([_RGB, _ALPHA[:, None, None]], -1).astype(np.uint8)
_INTACT = {data: name for name, data in PROFILES.items()}

available = node.available
_node = Node("convert_colors.mjs")
close = _node.close


def seeds() -> list[bytes]:
    """Return profiles with curves of every type."""
    return [*PROFILES.values()]


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change any bytes, mostly those behind the header."""
    if rng.random() < 0.15:
        return mutate_bytes(data, rng, _WORDS)
    return data[:128] + mutate_bytes(data[128:], rng, _WORDS)


def check(data: bytes) -> str:
    """Convert pixels by the profile."""
    told = _node.ask(data, PIXELS.tobytes())
    assert "error" not in told, told
    if told["kind"] != "conversion":
        assert data not in _INTACT, told
        return str(told["kind"])
    assert told["finite"]
    assert told["numbers"] == 3 * 256 + 9
    converted = np.frombuffer(base64.b64decode(told["pixels"]), np.uint8).reshape(PIXELS.shape)
    assert np.array_equal(converted[..., 3], PIXELS[..., 3])
    if data in _INTACT:
        difference = np.abs(converted[..., :3].astype(int) - _by_littlecms(data))
        assert difference.max() <= 2, (_INTACT[data], difference.max())
    changed = int((converted[..., :3] != PIXELS[..., :3]).mean() * 8)
    return f"conversion, {changed}, {converted[..., :3].max()}, {int(converted.mean())}"


def _by_littlecms(data: bytes) -> np.ndarray:
    converted = ImageCms.profileToProfile(
        Image.fromarray(PIXELS[..., :3].copy()),
        ImageCms.ImageCmsProfile(io.BytesIO(data)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    return np.asarray(converted, int)
