"""Small files to test the codec with, made without a fit, and changes of files."""

import dataclasses
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from gaussianimage import _native
from gaussianimage.codec.encoder.serialize import serialize
from gaussianimage.codec.format.container import Chunk, read_chunks, write_chunks
from gaussianimage.codec.format.header import Header
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.quantizer import QuantizerParameters

HEIGHT, WIDTH = 12, 16
NOTHING = Metadata()


def make_parameters(channels: int) -> QuantizerParameters:
    """Return quantizer parameters of medium steps, with another background for each channel."""
    background = {1: (30000,), 2: (30000, 60000), 3: (30000, 20000, 40000)}
    return QuantizerParameters(40, 128, background.get(channels, (30000, 20000, 40000, 60000)))


def levels(
    seed: int, count: int, channels: int = 3, *, height: int = HEIGHT, width: int = WIDTH
) -> QuantizedGaussians:
    """Return random Gaussians as integers, of all precisions that matter in a small picture."""
    rng = np.random.default_rng(seed)
    precision = rng.integers(0, 6, count).astype(np.uint8)
    cells = np.ceil(np.array([width, height]) * 16 / 2.0 ** precision[:, None])
    color = np.rint(rng.normal(0, 3, (count, channels)))
    color[:, 0] += color[:, 0] == 0
    shape = np.rint(rng.normal(0, 2, (count, 3)))
    parts = (np.floor(rng.uniform(size=(count, 2)) * cells), color, shape)
    return QuantizedGaussians(
        precision, *(np.ascontiguousarray(part, dtype=np.int32) for part in parts)
    )


def make_file(
    layers: Sequence[QuantizedGaussians],
    channels: int = 3,
    *,
    height: int = HEIGHT,
    width: int = WIDTH,
    bit_depth: int = 8,
    metadata: Metadata = NOTHING,
) -> bytes:
    """Return a file of these layers."""
    return serialize(
        layers,
        make_parameters(channels),
        metadata,
        height=height,
        width=width,
        bit_depth=bit_depth,
        q_max=4.5,
    )


def sample(counts: Sequence[int] = (5, 10, 20), channels: int = 3, **options: Any) -> bytes:
    """Return a file of random layers with these numbers of Gaussians."""
    layers = [levels(seed, count, channels) for seed, count in enumerate(counts)]
    return make_file(layers, channels, **options)


def with_header(data: bytes, **changes: Any) -> bytes:
    """Return a file with other values in its header; its checksums are right."""
    chunks = read_chunks(data)
    header = dataclasses.replace(Header.from_chunk(chunks[0]), **changes)
    return write_chunks([header.to_chunk(), *chunks[1:]])


def with_chunks(data: bytes, change: Any) -> bytes:
    """Return a file with its list of chunks changed by a function; its checksums are right."""
    chunks: list[Chunk] = change(read_chunks(data))
    return write_chunks(chunks)


def with_a_changed_payload(data: bytes, rng: random.Random) -> bytes:
    """Return a file with a change in a chunk's payload; its checksums are right."""
    chunks = read_chunks(data)
    which = rng.randrange(len(chunks))
    payload = bytearray(chunks[which].payload)
    for _ in range(rng.randint(1, 3)):
        payload[rng.randrange(len(payload))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.2:
        del payload[rng.randrange(len(payload)) :]
    if rng.random() < 0.1:
        payload += rng.randbytes(rng.randint(1, 4))
    chunks[which] = Chunk(chunks[which].type, bytes(payload))
    return write_chunks(chunks)


def payload_bits(
    layers: Sequence[QuantizedGaussians], parameters: QuantizerParameters, height: int, width: int
) -> float:
    """Estimate the bits of the layers' chunks by the native encoder's measure."""
    quantizer = parameters.quantizer(height, width)
    if not layers:
        return 0.0
    whole = QuantizedGaussians.concatenate(list(layers))
    return float(np.sum(_native.LayerEncoder(quantizer, 1).measure(quantizer, *whole)))
