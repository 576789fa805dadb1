"""The inputs from which the targets in C++ start: the golden files, and parts of them."""

import random
from collections.abc import Callable
from pathlib import Path

from support.mutation import read_raw

DATA = Path(__file__).parents[2] / "tests" / "data" / "v1"


def _files() -> list[bytes]:
    return [path.read_bytes() for path in sorted(DATA.glob("*.gimg"))]


def _payloads(kind: bytes, tail: int) -> list[bytes]:
    """Return the payloads of a type of chunk; the target takes `tail` bytes as its parameters."""
    rng = random.Random(1)
    chunks = [chunk for file in _files() for chunk in read_raw(file) if chunk.type == kind]
    return [chunk.payload + rng.randbytes(tail) for chunk in chunks]


def _alpha_maps() -> list[bytes]:
    """Return the ends of the headers that have a map of alpha, which begins within."""
    heads = [read_raw(file)[0].payload for file in _files()]
    rng = random.Random(2)
    return [head[-40:] + rng.randbytes(12) for head in heads if head[2] & 8]


def _noise() -> list[bytes]:
    rng = random.Random(3)
    return [rng.randbytes(rng.choice([16, 64, 256, 1024, 3000])) for _ in range(60)]


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "picture_file": _files,
    "layer": lambda: _payloads(b"LAYR", 12),
    "grain": lambda: [payload[5:] for payload in _payloads(b"gRAN", 20)],
    "alpha_map": _alpha_maps,
    "entropy": _noise,
    "gradient": _noise,
    "render": _noise,
    "valid_file": _noise,
}
