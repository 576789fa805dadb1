"""How the Gaussians of a file are divided into layers, and which entropy models a layer uses."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gaussianimage.codec.format.levels import QuantizedGaussians

# The strongest twentieth of the Gaussians, less than a tenth of the bytes, gives a first picture,
# and three tenths give a better one. Each cut costs some bytes, which is too much for a small file:
# a file has the first cut if it has at least 1000 Gaussians and the second if it has at least 4000.
LAYER_ENDS = (0.05, 0.3)
LEAST_FOR_LAYERS = (1000, 4000)


def layer_ends(count: int, *, progressive: bool = True) -> list[int]:
    """Return where each layer ends among `count` Gaussians that are sorted strongest first."""
    if not progressive:
        return [count]
    inner = (
        round(end * count)
        for end, least in zip(LAYER_ENDS, LEAST_FOR_LAYERS, strict=True)
        if count >= least
    )
    return [*inner, count]


def model_set(layer: int, layers: int) -> int:
    """Return which of the format's four sets of models layer number `layer` of `layers` uses."""
    return 3 if layers == 1 else min(layer, 2)


def divide_into_layers(
    parts: Sequence[QuantizedGaussians], *, progressive: bool = True
) -> list[QuantizedGaussians]:
    """Join parts, whose strongest Gaussians come first, and cut them into non-empty layers.

    Without `progressive` there is a single layer.
    """
    filled = [part for part in parts if len(part.precision)]
    if not filled:
        return []
    whole = QuantizedGaussians.concatenate(filled)
    ends = [0, *layer_ends(len(whole.precision), progressive=progressive)]
    return [whole.select(np.arange(begin, end)) for begin, end in pairwise(ends)]
