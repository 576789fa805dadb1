"""Any bytes as grain and metadata of a file, under Node: its grain is the native decoder's."""

import base64
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
from icc_profiles import PROFILES
from samples import sample
from support import node
from support.mutation import RawChunk, mutate_bytes, mutate_file, read_raw, write_raw
from support.node import Node, as_rgba
from support.outcome import attempt

import gaussianimage
from gaussianimage.codec.encoder.grain import add_grain
from gaussianimage.codec.format.grain import GRAIN_BLOCK, Grain, cells
from gaussianimage.codec.format.metadata import Metadata

DATA = Path(__file__).resolve().parents[2] / "tests" / "data" / "v1"
LIMITS = gaussianimage.Limits(
    max_pixels=2**14, max_work=2**20, max_gaussians=2**12, max_memory=2**26, max_metadata=2**20
)
_Size = tuple[int, int]
_Box = tuple[int, int, int, int]
_LIMITS = {"maxPixels": 2**14, "maxWork": 2**20, "maxGaussians": 2**12}

available = node.available
_node = Node("finish_pixels.mjs", limits=_LIMITS)
close = _node.close


def seeds() -> list[bytes]:
    """Return files with grain, with profiles and with both."""
    files = [path.read_bytes() for path in sorted(DATA.glob("grain*.gimg"))]
    icc = Metadata(icc=PROFILES["p3"])
    for channels in (1, 2, 3, 4):
        for cell in (3, 5):
            rng = np.random.default_rng(10 * cell + channels)
            levels = rng.integers(0, 16, (cells(37, cell), cells(45, cell), 5)).astype(np.uint8)
            metadata = icc if channels == 3 else Metadata()
            plain = sample((4, 9), channels, height=37, width=45, metadata=metadata)
            files.append(add_grain(plain, Grain(7 * channels, cell, (40, 70, 20), levels)))
    return files


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change the grain or the metadata, or any chunk."""
    chunks = read_raw(data)
    found = [i for i, chunk in enumerate(chunks) if chunk.type in (b"gRAN", b"iCCP")]
    if not found or rng.random() < 0.2:
        return mutate_file(data, rng)
    which = rng.choice(found)
    kind, payload = chunks[which]
    if kind == b"gRAN" and rng.random() < 0.3:
        payload = mutate_bytes(payload[:5], rng)[:5].ljust(5, b"\1") + payload[5:]
    else:
        payload = mutate_bytes(payload, rng)
    chunks[which] = RawChunk(kind, payload)
    return write_raw(chunks)


def _decode(data: bytes, size: _Size, crop: _Box, *, grain: bool) -> Any:
    return gaussianimage.decode(
        data, size=size, crop=crop, grain=grain, threads=1, dtype=np.uint8, limits=LIMITS
    )


def _request(data: bytes) -> tuple[_Size, _Box] | None:
    """Return a size to draw a file at and a part of it, by its bytes; None if it is bad."""
    found = attempt(lambda: gaussianimage.info(data, limits=LIMITS))
    if found.error is not None or found.value.paper or found.value.tiles:
        return None
    rng = random.Random(data)
    by = rng.choice([1, 1, 1.4, 2.3])
    height, width = (round(by * side) for side in (found.value.height, found.value.width))
    # A part of whole blocks: of others, JavaScript knows only what a view shows.
    top, left = rng.choice([(0, 0), (rng.randrange(height), rng.randrange(width))])
    top, left = (start // GRAIN_BLOCK * GRAIN_BLOCK for start in (top, left))
    return (height, width), (top, left, height - top, width - left)


def check(data: bytes) -> str:
    """Finish what the native decoder has drawn without grain, and compare it with its grain."""
    request = _request(data)
    smooth = noisy = None
    view = pixels = b""
    if request is not None:
        size, crop = request
        smooth = attempt(lambda: _decode(data, size, crop, grain=False))
        noisy = attempt(lambda: _decode(data, size, crop, grain=True))
        if smooth.error is None:
            header = gaussianimage.info(data, limits=LIMITS)
            down, across = size[0] / header.height, size[1] / header.width
            place = {"left": crop[1] / across, "top": crop[0] / down, "width": crop[3]}
            place |= {"height": crop[2], "scaleX": across, "scaleY": down}
            view = json.dumps(place).encode()
            pixels = as_rgba(smooth.value).tobytes()
    told = _node.ask(data, pixels, view)
    if "error" in told:
        return str(told["error"])
    outcome = f"{told['grain'] is not None}, {told['conversion']}, {told['notice'][:20]}"
    if smooth is None or noisy is None or smooth.error is not None:
        return f"not drawn, {outcome}"
    if "grain does not" in told["notice"]:
        assert noisy.error is not None
        return outcome
    assert noisy.error is None, noisy.error
    if not told["conversion"]:
        expected = as_rgba(noisy.value)
        found = np.frombuffer(base64.b64decode(told["pixels"]), np.uint8).reshape(expected.shape)
        assert np.array_equal(found, expected), np.abs(found.astype(int) - expected).max()
    return f"{outcome}, {noisy.name}, {told['grain']}"
