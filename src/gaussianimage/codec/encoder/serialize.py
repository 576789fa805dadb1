"""Quantized Gaussians to the bytes of a file."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gaussianimage import _native
from gaussianimage.codec.encoder.alpha_map import OPAQUE, TRANSPARENT
from gaussianimage.codec.encoder.rounding import Levels
from gaussianimage.codec.format.container import LAYER, Chunk, write_chunks
from gaussianimage.codec.format.header import Header, nearest_q_max
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.quantizer import BACKGROUND_LEVELS, Settings

# A first picture comes from the strongest twentieth of the Gaussians, which take less than a tenth
# of the bytes, a better one from three tenths. Every cut costs some bytes, which few Gaussians
# don't make up for: from so many on, there are the first and the second.
LAYER_ENDS = (0.05, 0.3)
LEAST_FOR_LAYERS = (1000, 4000)


def layer_ends(count: int) -> list[int]:
    """Return how many of so many Gaussians, the strongest first, are in the layers so far."""
    inner = (
        round(end * count)
        for end, least in zip(LAYER_ENDS, LEAST_FOR_LAYERS, strict=True)
        if count >= least
    )
    return [*inner, count]


def model_set(layer: int, layers: int) -> int:
    """Return which of the format's four sets of models a layer uses, of so many in the file."""
    return 3 if layers == 1 else min(layer, 2)


def layers_of(parts: Sequence[Levels]) -> list[Levels]:
    """Join the stages of a quantization and cut them into layers; the first is the most important.

    No layer is empty.
    """
    filled = [part for part in parts if len(part.precision)]
    if not filled:
        return []
    whole = Levels.concatenate(filled)
    ends = [0, *layer_ends(len(whole.precision))]
    return [whole.select(np.arange(begin, end)) for begin, end in pairwise(ends)]


def serialize(
    layers: Sequence[Levels],
    settings: Settings,
    metadata: Metadata,
    *,
    height: int,
    width: int,
    bit_depth: int,
    q_max: float,
    alpha_map: bytes | None = None,
) -> bytes:
    """Write a file.

    Parameters
    ----------
    layers : sequence of Levels
        In the order of their importance; none is empty.
    settings : Settings
        What they were quantized by.
    metadata : Metadata
        What else the file carries.
    height, width : int
        Nominal size in pixels.
    bit_depth : int
        Of the source, 8 or 16.
    q_max : float
        A multiple of 1/2048.
    alpha_map : bytes, optional
        The map of alpha, encoded. It is left out where the layers leave alpha at 0 or 1.

    Returns
    -------
    bytes
    """
    quantizer = settings.quantizer(height, width)
    encoder = _native.LayerEncoder(quantizer, len(layers))
    chunks = [Chunk(LAYER, encoder.encode(quantizer, *layer)) for layer in layers]
    work = 0
    if layers:
        arrays = quantizer.dequantize(*Levels.concatenate(list(layers)))
        work = _native.work(*arrays, nearest_q_max(q_max), height, width, None, 0)
    if alpha_map is None or _alpha_is_constant(layers, settings, alpha_map):
        alpha_map = b""
    header = Header(
        height=height,
        width=width,
        channels=len(settings.background),
        bit_depth=bit_depth,
        gaussians=sum(len(layer.precision) for layer in layers),
        layers=len(layers),
        q_max=q_max,
        work=work,
        settings=settings.to_bytes(),
        alpha_map=alpha_map,
    )
    return write_chunks([header.to_chunk(), *metadata.to_chunks(), *chunks])


def _alpha_is_constant(layers: Sequence[Levels], settings: Settings, alpha_map: bytes) -> bool:
    """Whether alpha is 0 or 1 everywhere, as the map says, without it."""
    levels = {bytes([TRANSPARENT]): 0, bytes([OPAQUE]): BACKGROUND_LEVELS}
    return settings.background[-1] == levels.get(alpha_map) and not any(
        layer.color[:, -1].any() for layer in layers
    )
