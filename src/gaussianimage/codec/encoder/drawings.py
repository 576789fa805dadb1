"""Tells pages, pixel art and codes from photos: other formats keep them smaller and exact."""

import numpy as np
from numpy.typing import NDArray

from gaussianimage.codec.encoder.local_contrast import printed_share
from gaussianimage.picture import Picture, to_array

# Smaller pictures are told nothing: any format keeps them in few bytes.
LEAST_PIXELS = 64 * 64

# A picture of this many colors or fewer is no photo; a gray one has fewer.
COLORS, GRAYS = 64, 16
SAMPLE = 2**14  # pixels that are looked at first

# On a page, half of the blocks with contrast have a plain ground, and the ground has exactly one
# color. Among photos, a dark sky has such blocks, but many colors.
PRINTED = 0.5
STEP = 0.25  # the color step from which on a contrast counts
GROUND = 0.3  # share of the most frequent color


def is_drawing(picture: Picture) -> bool:
    """Return whether a picture is plainly a page, pixel art or a code, and no photo."""
    if picture.height * picture.width < LEAST_PIXELS:
        return False
    pixels = picture.pixels.reshape(-1, picture.channels)
    sampled = _count_colors(pixels[:: max(1, len(pixels) // SAMPLE)])
    most = GRAYS if picture.channels < 3 else COLORS
    if len(sampled) <= most and len(_count_colors(pixels)) <= most:
        return True
    if sampled.max() < GROUND * sampled.sum():
        return False
    return printed_share(picture.pixels, STEP) > PRINTED


def _count_colors(pixels: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the number of pixels of each color in 8 bits."""
    levels = to_array(pixels[None], np.dtype(np.uint8)).reshape(len(pixels), -1)
    _, counts = np.unique(levels, axis=0, return_counts=True)
    return counts
