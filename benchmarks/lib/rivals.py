"""The rivals of our codec, all through Pillow: pixels to bytes and back.

Every rival writes a whole file, container included, as a user would get it. There are two AVIF
rivals: one with the defaults of its library (for looks, `tune=iq` since libavif 1.4), and one tuned
for PSNR, which our codec optimizes and the comparison uses.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata

import numpy as np
import PIL
from PIL import Image, features

from gaussianimage.metrics import psnr
from lib.pictures import Bytes


@dataclass(frozen=True)
class Rival:
    """A codec with one setting to vary, its dial.

    Attributes
    ----------
    key, name, description : str
        Name in files, name in tables, and the exact options.
    dial : str
        "quality" (an integer, the same for every picture) or "bpp" (asked-for bits per pixel).
    settings : tuple of float
        Values of the dial to measure.
    ends : tuple of float
        The least and the largest value of the dial.
    format, feature : str
        Pillow's name of the format and of its library.
    save : callable
        Function from a value to the options of Pillow's `save`.
    package, module : str or None
        The package that adds the codec to Pillow and its module, whose import registers the codec.
        None if the codec is a part of Pillow.
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
    package: str | None = None
    module: str | None = None

    def encode(self, pixels: Bytes, setting: float) -> bytes:
        """Encode a picture (H, W, 3) at a value of the dial."""
        if self.module is not None:
            import_module(self.module)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, self.format, **self.save(setting))
        return buffer.getvalue()

    @property
    def available(self) -> bool:
        """Whether the codec is installed, in Pillow or as a package of its own."""
        if self.module is not None:
            return is_importable(self.module)
        return bool(features.check(self.feature))

    @property
    def version(self) -> str:
        """Version of the codec's library."""
        if self.package is not None:
            return f"Pillow {PIL.__version__}, {self.package} {metadata.version(self.package)}"
        version = features.version(self.feature)
        if self.feature == "jpg":
            turbo = features.version("libjpeg_turbo")
            version = f"{version}, libjpeg-turbo {turbo}" if turbo else version
        if self.feature == "avif":
            from PIL import AvifImagePlugin

            version = f"{version}, aom {AvifImagePlugin.get_codec_version('aom')}"
        return f"Pillow {PIL.__version__}, {self.feature} {version}"


def is_importable(module: str) -> bool:
    """Import a module and tell whether that succeeded."""
    try:
        import_module(module)
    except ImportError:
        return False
    return True


def decode(data: bytes) -> Bytes:
    """Decode any rival's file to pixels (H, W, 3)."""
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


def _jpeg_xl(quality: float) -> dict[str, object]:
    return {"quality": int(quality), "effort": 7}


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
    Rival(
        "jpeg-xl",
        "JPEG XL",
        "libjxl, lossy, effort 7",
        "quality",
        (0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 87, 92, 95),
        (0, 99),  # 100 is lossless
        "JXL",
        "",
        _jpeg_xl,
        package="pillow-jxl-plugin",
        module="pillow_jxl",
    ),
)


def encode_at_least(rival: Rival, pixels: Bytes, n_bytes: int) -> bytes:
    """Find the smallest file of a picture that has at least `n_bytes`, by bisection.

    If even the dial's least value gives a larger file, return that file. If its largest value gives
    a smaller file, return that file.
    """
    return _least(rival, pixels, lambda data: len(data) >= n_bytes)


def encode_at_psnr(rival: Rival, pixels: Bytes, target: float) -> bytes:
    """Find the smallest file whose PSNR is at least `target` dB, by the same bisection."""
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
    # Rates in bits per pixel are multiples of a thousandth.
    return high / low <= 1.001 if rival.dial == "bpp" else high - low <= 1
