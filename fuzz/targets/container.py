"""Any bytes as a file of layers: the readers in C++ and in Python must agree.

The container, metadata, grain, partial files, Gaussians, thumbnails and Pillow's plugin.
"""

import io
import random
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from support.mutation import RawChunk, mutate_file, read_raw, varint, write_raw
from support.outcome import attempt

import gaussianimage
from gaussianimage import _native
from gaussianimage.codec.decoder.draw import DecodeRequest, draw_pixels
from gaussianimage.codec.decoder.head import read_head

DATA = Path(__file__).parents[2] / "tests" / "data" / "v1"
LIMITS = gaussianimage.Limits(
    max_pixels=2**18, max_work=2**22, max_gaussians=2**14, max_memory=2**26, max_metadata=2**20
)
REQUEST = DecodeRequest.checked(None, None, np.uint8, None, 1)

mutate = mutate_file


def seeds() -> list[bytes]:
    """Return the golden files, and one with metadata of every kind."""
    files = [path.read_bytes() for path in sorted(DATA.glob("*.gimg"))]
    chunks = read_raw(files[0])
    for name in (b"iCCP", b"eXIF", b"xXMP"):
        text = random.Random(1).randbytes(40) * 3
        chunks.append(RawChunk(name, varint(len(text)) + zlib.compress(text)))
    return [*files, write_raw(chunks)]


class PythonReader:
    """Stands for a native decoder that leaves every file to Python."""

    def __init__(self) -> None:
        self._native = _native.Decoder(keep_all=False)

    def decode(self, *_: Any) -> None:
        """Decode nothing."""

    def draw(self, *arguments: Any) -> Any:
        """Draw layers that Python has read."""
        return self._native.draw(*arguments)


def check(data: bytes) -> str:
    """Decode the file in every way."""
    fast = attempt(lambda: gaussianimage.decode(data, threads=1, limits=LIMITS))
    reader: Any = PythonReader()
    slow = attempt(lambda: draw_pixels(reader, data, REQUEST, None, False, LIMITS))
    assert fast.agrees(slow), (fast, slow)
    partly = attempt(lambda: gaussianimage.decode(data, threads=1, partial=True, limits=LIMITS))
    assert fast.error is not None or fast.agrees(partly)
    found = attempt(lambda: gaussianimage.info(data, limits=LIMITS))
    assert fast.error is not None or found.error is None
    head = attempt(lambda: read_head(io.BytesIO(data), limits=LIMITS))
    assert found.error is not None or head.error is None
    gaussians = attempt(lambda: gaussianimage.decode_gaussians(data, threads=1, limits=LIMITS))
    small = attempt(lambda: gaussianimage.thumbnail(data, 9, threads=1, limits=LIMITS))
    picture = attempt(lambda: gaussianimage.decode_picture(data, threads=1, limits=LIMITS))
    assert (picture.error is None) == (fast.error is None)
    names = [fast.name, partly.name, head.name, gaussians.name, small.name]
    return ", ".join(names)
