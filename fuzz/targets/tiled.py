"""Any bytes as a tiled file: its index, and the tiles that a part or a size needs."""

import random
import struct
from pathlib import Path

import numpy as np
from support.mutation import RawChunk, mutate_bytes, mutate_file, read_raw, write_chunk, write_raw
from support.outcome import attempt

import gaussianimage

DATA = Path(__file__).parents[2] / "tests" / "data" / "v1" / "tiled"
LIMITS = gaussianimage.Limits(
    max_pixels=2**18, max_work=2**22, max_gaussians=2**14, max_memory=2**26, max_metadata=2**20
)
_ENTRIES = 22  # bytes of the index before the lengths and reaches of the tiles


def seeds() -> list[bytes]:
    """Return the golden files."""
    return [path.read_bytes() for path in sorted(DATA.glob("*.gimg"))]


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change a chunk, or the file in a tile; mostly the index is put right."""
    chunks = read_raw(data)
    tiles = [i for i, chunk in enumerate(chunks) if chunk.type == b"TILE"]
    if tiles and rng.random() < 0.6:
        which = rng.choice(tiles)
        payload = chunks[which].payload
        start = payload.find(b"\x8bGIMG")
        if start > 0 and rng.random() < 0.9:
            payload = payload[:start] + mutate_file(payload[start:], rng)
        else:
            payload = mutate_bytes(payload, rng)
        chunks[which] = RawChunk(b"TILE", payload)
    elif len(chunks) > 1 and rng.random() < 0.9:
        which = min(rng.choice([0, 1, 1, 1, len(chunks) - 1]), len(chunks) - 1)
        chunks[which] = RawChunk(chunks[which].type, mutate_bytes(chunks[which].payload, rng))
    else:
        return mutate_file(data, rng)
    if rng.random() < 0.9:
        chunks = _indexed(chunks)
    return write_raw(chunks)


def _indexed(chunks: list[RawChunk]) -> list[RawChunk]:
    """Return the chunks with the lengths of the tiles, in their order, in the index."""
    index = next((i for i, chunk in enumerate(chunks) if chunk.type == b"TIDX"), None)
    if index is None or len(chunks[index].payload) < _ENTRIES:
        return chunks
    lengths = iter([len(write_chunk(chunk)) for chunk in chunks if chunk.type == b"TILE"])
    payload = bytearray(chunks[index].payload)
    for at in range(_ENTRIES, len(payload) - 5, 6):
        if payload[at : at + 4] != b"\0\0\0\0":
            payload[at : at + 4] = struct.pack("<I", next(lengths, 0))
    first = 8 + sum(len(write_chunk(chunk)) for chunk in chunks if chunk.type != b"TILE")
    payload[14:22] = struct.pack("<Q", first)
    out = list(chunks)
    out[index] = RawChunk(b"TIDX", bytes(payload))
    return out


def check(data: bytes) -> str:
    """Draw the picture, a part, a small size and what is not damaged."""
    found = attempt(lambda: gaussianimage.info(data, limits=LIMITS))
    whole = attempt(lambda: gaussianimage.decode(data, threads=1, limits=LIMITS))
    crop = (3, 5, 20, 30)
    # The crop may lie outside of the picture, and a side of 9 pixels becomes 0 in a narrow one.
    part = attempt(
        lambda: gaussianimage.decode(data, threads=1, crop=crop, limits=LIMITS), ValueError
    )
    small = attempt(
        lambda: gaussianimage.decode(data, threads=1, size=(9, None), limits=LIMITS), ValueError
    )
    partly = attempt(lambda: gaussianimage.decode(data, threads=1, partial=True, limits=LIMITS))
    gaussians = attempt(lambda: gaussianimage.decode_gaussians(data, threads=1, limits=LIMITS))
    if whole.error is None and part.error is None:
        assert np.array_equal(whole.value[3:23, 5:35], part.value)
    if whole.error is None:
        assert found.error is None
        assert whole.agrees(partly)
    return ", ".join(outcome.name for outcome in (whole, part, small, partly, gaussians))
