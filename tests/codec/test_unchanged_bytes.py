"""Test that encoding gives the bytes and decoding the pixels that were recorded.

A change of the layout, of names or of speed keeps both. A change of the format or of what the
encoder does records them anew: `python tests/codec/test_unchanged_bytes.py`.

NumPy's functions round differently with different instruction sets, and encoding uses them. The
encodes run in a process in which NumPy has AVX2 and no more, on whatever machine.
"""

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import gaussianimage

DATA = Path(__file__).resolve().parents[1] / "data"
RECORDED = DATA / "unchanged_bytes.json"
GOLDEN = sorted(DATA.glob("v*/**/*.gimg"))
BEYOND_AVX2 = "X86_V4 AVX512_ICL AVX512_SPR"


def photo(name: str) -> NDArray[np.uint8]:
    """Return a small photo, (64, 96, 3)."""
    with Image.open(DATA / f"{name}.png") as picture:
        return np.asarray(picture.convert("RGB"))


def gray(name: str) -> NDArray[np.uint8]:
    return photo(name)[:, :, 1]


def rgba(name: str) -> NDArray[np.uint8]:
    """Return a photo that is cut out along an ellipse with a soft edge, (64, 96, 4)."""
    pixels = photo(name)
    y, x = np.mgrid[:64, :96]
    distance = ((x - 48) / 40) ** 2 + ((y - 32) / 26) ** 2
    alpha = np.clip((1.1 - distance) * 1275, 0, 255).astype(np.uint8)
    return np.dstack([pixels, alpha])


def deep(name: str) -> NDArray[np.uint16]:
    """Return a photo of 16 bits whose low bits are not zero, (64, 96, 3)."""
    pixels = photo(name).astype(np.int64)
    low = np.roll(pixels, 1, axis=1)
    return (pixels * 256 + low).astype(np.uint16)


def drawing(name: str) -> NDArray[np.uint8]:
    """Return a page with a line and a dot; the name is not used."""
    pixels = np.full((80, 120, 3), 255, np.uint8)
    pixels[20:22, 10:100] = 40
    pixels[50:53, 60:63] = (200, 30, 30)
    return pixels


ENCODES: dict[str, tuple[Callable[[str], NDArray[Any]], str, dict[str, Any]]] = {
    "rgb effort 1": (photo, "bikes", {"effort": 1}),
    "rgb effort 2": (photo, "bikes", {"effort": 2}),
    "rgb effort 5": (photo, "parrot", {"effort": 5}),
    "rgb effort 10": (photo, "plane", {"effort": 10}),
    "rgb quality 20": (photo, "plane", {"effort": 1, "quality": 20}),
    "rgb quality 90": (photo, "stream", {"effort": 1, "quality": 90}),
    "rgb gaussians": (photo, "stream", {"effort": 1, "gaussians": 150}),
    "rgb bpp": (photo, "bikes", {"effort": 1, "bpp": 1.0}),
    "rgb size": (photo, "parrot", {"effort": 1, "size": 900}),
    "rgb psnr": (photo, "plane", {"effort": 1, "psnr": 30.0}),
    "rgb ssim": (photo, "parrot", {"effort": 1, "ssim": 0.9}),
    "rgb seed": (photo, "bikes", {"effort": 1, "seed": 7}),
    "rgb tuned for psnr": (photo, "bikes", {"effort": 2, "tune": "psnr"}),
    "gray effort 1": (gray, "bikes", {"effort": 1}),
    "gray effort 5": (gray, "stream", {"effort": 5, "quality": 45}),
    "gray size": (gray, "plane", {"effort": 1, "size": 500}),
    "rgba effort 1": (rgba, "parrot", {"effort": 1}),
    "rgba effort 5": (rgba, "parrot", {"effort": 5, "quality": 40}),
    "rgba size": (rgba, "plane", {"effort": 1, "size": 1200}),
    "rgba without alpha": (rgba, "plane", {"effort": 1, "background": "#336699"}),
    "16 bit effort 1": (deep, "bikes", {"effort": 1}),
    "16 bit effort 5": (deep, "stream", {"effort": 5, "quality": 80}),
    "16 bit psnr": (deep, "parrot", {"effort": 1, "psnr": 33.0}),
    "drawing effort 1": (drawing, "", {"effort": 1}),
    "drawing effort 5": (drawing, "", {"effort": 5, "quality": 75}),
    "few pixels": (lambda name: photo(name)[:16, :16], "bikes", {"effort": 1}),
    "a row": (lambda name: photo(name)[30:31, :40], "plane", {"effort": 1}),
}


def hash_of_encode(name: str) -> str:
    """Return the SHA-256 of a file."""
    make, source, options = ENCODES[name]
    data = gaussianimage.encode(make(source), threads=2, **options)
    return hashlib.sha256(data).hexdigest()


def hash_of_decode(path: Path) -> str:
    """Return the SHA-256 of what a golden file decodes to: three types, a crop, a thumbnail."""
    digest = hashlib.sha256()
    data = path.read_bytes()
    info = gaussianimage.info(data)
    for dtype in (np.uint8, np.uint16, np.float32):
        digest.update(gaussianimage.decode(data, dtype=dtype).tobytes())
    crop = (0, 0, min(5, info.width), min(5, info.height))
    digest.update(gaussianimage.decode(data, crop=crop).tobytes())
    digest.update(gaussianimage.decode(data, size=(11, 13)).tobytes())
    return digest.hexdigest()


def hashes_of_encodes() -> dict[str, str]:
    """Return the SHA-256 of every encode of `ENCODES`, made in another process."""
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": BEYOND_AVX2}
    command = [sys.executable, __file__, "encodes"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    hashes: dict[str, str] = json.loads(done.stdout)
    return hashes


def hashes_of_decodes() -> dict[str, str]:
    return {path.relative_to(DATA).as_posix(): hash_of_decode(path) for path in GOLDEN}


def recorded(kind: str) -> dict[str, str]:
    hashes: dict[str, str] = json.loads(RECORDED.read_text())[kind]
    return hashes


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"),
    reason="the bytes are recorded with the instructions of x86 in NumPy",
)
def test_encoding_gives_the_recorded_bytes() -> None:
    assert hashes_of_encodes() == recorded("encodes")


def test_decoding_gives_the_recorded_pixels() -> None:
    assert hashes_of_decodes() == recorded("decodes")


if __name__ == "__main__":
    if sys.argv[1:] == ["encodes"]:
        sys.stdout.write(json.dumps({name: hash_of_encode(name) for name in ENCODES}))
    else:
        both = {"encodes": hashes_of_encodes(), "decodes": hashes_of_decodes()}
        RECORDED.write_text(json.dumps(both, indent=1) + "\n")
