"""The ends of the range, which a fit may exceed, because pixels are clamped.

Where a picture is white, any drawing that is white or more shows the same, and where it is black,
any that is black or less. A fit that need not stop at white draws lettering, line art and the edges
of a bright sky with fewer Gaussians (docs/experiments/beyond-white.md).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gaussianimage._util.row_blocks import row_blocks
from gaussianimage.picture import Ends, Picture

# A picture of which fewer values are at the ends is fitted as it is.
LEAST_SHARE = 0.01


def with_ends(picture: Picture, room: float) -> Picture:
    """Return a picture with its `ends`, unless few of its values are there, or all at the same one.

    Parameters
    ----------
    picture : Picture
    room : float
        By how much a fit may exceed them.
    """
    sides = sides_of(picture.pixels)
    blocks = [sides[rows] for rows in row_blocks(picture.height, picture.width)]
    count = sum(np.count_nonzero(block) for block in blocks)
    if count < LEAST_SHARE * sides.size:
        return picture
    if abs(sum(int(block.sum()) for block in blocks)) == sides.size:
        return picture
    return replace(picture, ends=Ends(sides, room))


def sides_of(pixels: NDArray[np.float32]) -> NDArray[np.int8]:
    """Return `Ends.sides` of pixels (H, W, C), of which the last of 2 or 4 channels is alpha."""
    sides = np.empty(pixels.shape, np.int8)
    for rows in row_blocks(*pixels.shape[:2]):
        upper, lower = pixels[rows] >= 1, pixels[rows] <= 0
        np.subtract(upper.view(np.int8), lower.view(np.int8), out=sides[rows])
    if pixels.shape[2] % 2 == 0:
        sides[..., -1] = 0  # a map corrects it at no cost, and what exceeds it would cost bits
    return sides


def forgiven(
    residual: NDArray[np.float32], ends: Ends, rows: slice = slice(None)
) -> NDArray[np.float32]:
    """Return a residual, the drawing less some rows of the picture, without what its ends allow."""
    beyond = np.float32(ends.room) * ends.sides[rows]
    allowed: NDArray[np.float32] = np.clip(residual, np.minimum(beyond, 0), np.maximum(beyond, 0))
    return residual - allowed
