"""Tells pages, pixel art and codes from photos: other formats keep them smaller and exact."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussianimage.codec.encoder.local_contrast import printed_share
from gaussianimage.codec.encoder.stretch import channel_range
from gaussianimage.picture import Picture, to_array

# Smaller pictures are told nothing: any format keeps them in few bytes.
LEAST_PIXELS = 64 * 64

# A picture of this many colors or fewer is no photo; a gray one has fewer.
COLORS, GRAYS = 64, 16
SAMPLE = 2**14  # pixels that are looked at first

# On a page, half of the blocks with contrast have a plain ground, and the ground has exactly one
# color. Among photos, a dark sky has such blocks, but many colors.
PRINTED = 0.5
STEP = 0.25  # the color step from which on a contrast counts, as a part of the range in use
GROUND = 0.3  # share of the most frequent color


def is_drawing(picture: Picture) -> bool:
    """Return whether a picture is plainly a page, pixel art or a code, and no photo."""
    if picture.height * picture.width < LEAST_PIXELS:
        return False
    pixels = picture.pixels.reshape(-1, picture.channels)
    # All bits of the source count: a dark photo of 16 bits has few colors in 8 bits.
    dtype = np.dtype(np.uint16 if picture.bit_depth == 16 else np.uint8)
    sampled = _count_colors(pixels[:: max(1, len(pixels) // SAMPLE)], dtype)
    most = GRAYS if picture.channels < 3 else COLORS
    if len(sampled) <= most and len(_count_colors(pixels, dtype)) <= most:
        return True
    if sampled.max() < GROUND * sampled.sum():
        return False
    low, high = channel_range(picture.pixels)
    return printed_share(picture.pixels, STEP * float((high - low).max())) > PRINTED


def _count_colors(pixels: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[np.intp]:
    """Return the number of pixels of each color in samples of a type."""
    levels = to_array(pixels[:, None], dtype).reshape(len(pixels), -1)
    _, counts = np.unique(levels, axis=0, return_counts=True)
    return counts
