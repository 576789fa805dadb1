"""Which pixels of a tile are fully transparent or fully opaque."""

import numpy as np
from numpy.typing import NDArray

from gaussianimage.codec.decoder.tile_cache import TileFrame
from gaussianimage.codec.encoder.alpha_map import alpha_classes
from gaussianimage.codec.format.alpha import OPAQUE, TRANSPARENT
from gaussianimage.codec.tiled.rows import Pixels
from gaussianimage.picture import Picture

USUAL = TRANSPARENT
"""The class of pixels in tiles without a map: those of a cut-out picture are mostly transparent."""

Classes = NDArray[np.uint8]  # (H, W)


def classes_of_frame(seen: Pixels, bit_depth: int) -> Classes | None:
    """Return the class of each pixel of a picture's part; None if the picture has no alpha.

    A pixel of a coarse level has the mean alpha of several pixels, rounded to the bit depth.
    """
    if seen.shape[2] % 2:
        return None
    return alpha_classes(Picture(seen, 16 if bit_depth == 16 else 8), 100)


def classes_of_tile(classes: Classes | None, frame: TileFrame) -> Classes | None:
    """Return the classes that the map of a tile tells, in its frame; None if it needs no map.

    If all pixels of the tile have one class, so have those of the margins: what a map says of them
    counts for nothing, and a map of one class is a byte.
    """
    if classes is None:
        return None
    inside = classes[frame.grid.inside(frame.place)]
    if (inside != inside[0, 0]).any():
        return classes
    return None if inside[0, 0] == USUAL else np.full_like(classes, inside[0, 0])


def with_exact_alpha(drawn: Pixels, classes: Classes) -> None:
    """Set the transparent and the opaque pixels of a drawing so, as a decoder does, in place."""
    drawn[classes == TRANSPARENT] = 0
    drawn[classes == OPAQUE, -1] = 1
