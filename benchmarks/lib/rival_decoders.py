"""The rival decoders of the speed benchmark, and the codecs of their files.

There are three JPEG rivals. The figure to quote is that of baseline JPEG through Pillow, because
cameras and most encoders write baseline files. simplejpeg decodes the same file by libjpeg-turbo
without Pillow's overhead. A progressive file takes about twice as long.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata

import numpy as np
from PIL import AvifImagePlugin, Image

from lib.pictures import Bytes
from lib.rivals import RIVALS, Rival, is_importable


@dataclass(frozen=True)
class RivalDecoder:
    """One way to decode a rival's files.

    Attributes
    ----------
    name : str
        Name in tables.
    rival : Rival
        Codec of the files.
    decode : callable
        Function from a file and a number of threads to pixels (H, W, 3), uint8, in a new array.
    uses_threads : bool
        Whether several threads can decode one picture.
    package, module : str or None
        The package of the decoder and its module. None if the decoder is Pillow.
    """

    name: str
    rival: Rival
    decode: Callable[[bytes, int], Bytes]
    uses_threads: bool = False
    package: str | None = None
    module: str | None = None

    @property
    def missing(self) -> str | None:
        """Name of a library or package that is not installed, or None if the decoder can run."""
        if not self.rival.available:
            return self.rival.package or f"Pillow's {self.rival.name}"
        if self.module is not None and not is_importable(self.module):
            return self.package
        return None

    @property
    def version(self) -> str:
        """Version of the decoder's library."""
        if self.package is not None:
            return f"{self.package} {metadata.version(self.package)}"
        return self.rival.version


def by_pillow(data: bytes, threads: int = 1) -> Bytes:
    """Decode with Pillow. Only AVIF can use more than one thread."""
    AvifImagePlugin.DEFAULT_MAX_THREADS = threads
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


def by_pillow_jxl(data: bytes, threads: int = 1) -> Bytes:
    """Decode JPEG XL with Pillow and its plugin."""
    from pillow_jxl import JpegXLImagePlugin

    # 0 is the calling thread alone; 1 is a worker thread that the caller waits for.
    JpegXLImagePlugin.DECODE_THREADS = 0 if threads == 1 else threads
    return by_pillow(data)


def by_simplejpeg(data: bytes, _threads: int = 1) -> Bytes:
    """Decode JPEG with libjpeg-turbo, without Pillow."""
    import simplejpeg

    pixels: Bytes = simplejpeg.decode_jpeg(data)
    return pixels


def _of(key: str) -> Rival:
    return next(rival for rival in RIVALS if rival.key == key)


def _baseline(quality: float) -> dict[str, object]:
    return {"quality": int(quality), "optimize": True, "subsampling": "4:2:0"}


PROGRESSIVE_JPEG = _of("jpeg")
BASELINE_JPEG = replace(
    PROGRESSIVE_JPEG,
    key="jpeg-baseline",
    name="baseline JPEG",
    description="4:2:0, optimized, baseline",
    save=_baseline,
)
JPEG_XL = _of("jpeg-xl")

RIVAL_DECODERS = (
    RivalDecoder("baseline JPEG", BASELINE_JPEG, by_pillow),
    RivalDecoder(
        "baseline JPEG by simplejpeg",
        BASELINE_JPEG,
        by_simplejpeg,
        package="simplejpeg",
        module="simplejpeg",
    ),
    RivalDecoder("progressive JPEG", PROGRESSIVE_JPEG, by_pillow),
    RivalDecoder("JPEG 2000", _of("jpeg2000"), by_pillow),
    RivalDecoder("JPEG XL", JPEG_XL, by_pillow_jxl, uses_threads=True),
    RivalDecoder("WebP", _of("webp"), by_pillow),
    RivalDecoder("AVIF", _of("avif"), by_pillow, uses_threads=True),
    RivalDecoder("AVIF, tune=psnr", _of("avif-psnr"), by_pillow, uses_threads=True),
)
