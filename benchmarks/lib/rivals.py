"""The codecs that ours is measured beside, all through Pillow: pixels to bytes and back.

Every rival writes a whole file, container included, as a user would get it. AVIF stands here
twice: as its library is set (for looks, `tune=iq` since libavif 1.4), and tuned for PSNR, which is
what our codec works for and what the comparison is by.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import PIL
from PIL import Image, features

from gaussianimage.metrics import psnr
from lib.pictures import Bytes


@dataclass(frozen=True)
class Rival:
    """A codec with one dial.

    Attributes
    ----------
    key, name, description : str
        For files, for tables, and what exactly it is.
    dial : str
        "quality" (an integer, the same for every picture) or "bpp" (asked-for bits per pixel).
    settings : tuple of float
        Places of the dial to measure.
    ends : tuple of float
        The least and the most that the dial takes.
    save : callable
        From a setting to the options of Pillow's `save`.
    """

    key: str
    name: str
    description: str
    dial: str
    settings: tuple[float, ...]
    ends: tuple[float, float]
    format: str
    feature: str
    save: Callable[[float], dict[str, object]]

    def encode(self, pixels: Bytes, setting: float) -> bytes:
        """Return a file of a picture (H, W, 3)."""
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, self.format, **self.save(setting))
        return buffer.getvalue()

    @property
    def available(self) -> bool:
        """Whether this Pillow has the codec."""
        return bool(features.check(self.feature))

    @property
    def version(self) -> str:
        """Of the library behind it."""
        version = features.version(self.feature)
        if self.feature == "jpg":
            turbo = features.version("libjpeg_turbo")
            version = f"{version}, libjpeg-turbo {turbo}" if turbo else version
        if self.feature == "avif":
            from PIL import AvifImagePlugin

            version = f"{version}, aom {AvifImagePlugin.get_codec_version('aom')}"
        return f"Pillow {PIL.__version__}, {self.feature} {version}"


def decode(data: bytes) -> Bytes:
    """Return the picture (H, W, 3) of any rival's file."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def _openjpeg(bpp: float) -> dict[str, object]:
    # Without mct=1 Pillow codes red, green and blue apart, at a loss of 1 to 4 dB.
    layers = [24 / bpp]
    return {"irreversible": True, "mct": 1, "quality_mode": "rates", "quality_layers": layers}


def _jpeg(quality: float) -> dict[str, object]:
    options = {"optimize": True, "progressive": True, "subsampling": "4:2:0"}
    return {"quality": int(quality), **options}


def _avif(quality: float, **options: object) -> dict[str, object]:
    return {"quality": int(quality), "speed": 6, **options}


_AVIF_SETTINGS = (0, 5, 10, 16, 23, 31, 40, 50, 60, 70, 78, 86)

RIVALS = (
    Rival(
        "jpeg",
        "JPEG",
        "4:2:0, optimized, progressive",
        "quality",
        (1, 4, 7, 11, 16, 23, 32, 44, 57, 70, 80, 88, 93),
        (1, 100),
        "JPEG",
        "jpg",
        _jpeg,
    ),
    Rival(
        "jpeg2000",
        "JPEG 2000",
        "OpenJPEG, irreversible 9/7, color transform on (mct=1), one tile, by rate",
        "bpp",
        (0.03, 0.042, 0.06, 0.085, 0.12, 0.17, 0.24, 0.34, 0.48, 0.68, 0.96, 1.35),
        (0.005, 24),
        "JPEG2000",
        "jpg_2000",
        _openjpeg,
    ),
    Rival(
        "webp",
        "WebP",
        "lossy, method 6",
        "quality",
        (0, 3, 8, 15, 24, 35, 47, 60, 72, 80, 86, 91, 95),
        (0, 100),
        "WEBP",
        "webp",
        lambda quality: {"quality": int(quality), "method": 6},
    ),
    Rival(
        "avif",
        "AVIF",
        "speed 6, 4:2:0, tuned as the library's default",
        "quality",
        _AVIF_SETTINGS,
        (0, 100),
        "AVIF",
        "avif",
        _avif,
    ),
    Rival(
        "avif-psnr",
        "AVIF, tune=psnr",
        "speed 6, 4:2:0, aom with tune=psnr",
        "quality",
        _AVIF_SETTINGS,
        (0, 100),
        "AVIF",
        "avif",
        lambda quality: _avif(quality, codec="aom", advanced={"tune": "psnr"}),
    ),
)


def encode_at_least(rival: Rival, pixels: Bytes, n_bytes: int) -> bytes:
    """Return the smallest file of a picture that is not below `n_bytes`, found by bisection.

    If even the dial's lowest place gives more, that file; if its highest gives less, that one.
    """
    return _least(rival, pixels, lambda data: len(data) >= n_bytes)


def encode_at_psnr(rival: Rival, pixels: Bytes, target: float) -> bytes:
    """Return the smallest file whose PSNR is not below `target` dB, found in the same way."""
    return _least(rival, pixels, lambda data: psnr(pixels, decode(data)) >= target)


def _least(rival: Rival, pixels: Bytes, is_enough: Callable[[bytes], bool]) -> bytes:
    low, high = rival.ends
    best = rival.encode(pixels, low)
    if is_enough(best):
        return best
    best, found = rival.encode(pixels, high), False
    while not _adjacent(rival, low, high):
        middle = float(np.sqrt(low * high)) if rival.dial == "bpp" else int(low + high) // 2
        data = rival.encode(pixels, middle)
        if not is_enough(data):
            low = middle
            continue
        high = middle
        if not found or len(data) <= len(best):
            best, found = data, True
    return best


def _adjacent(rival: Rival, low: float, high: float) -> bool:
    # Bits per pixel by a thousandth.
    return high / low <= 1.001 if rival.dial == "bpp" else high - low <= 1
