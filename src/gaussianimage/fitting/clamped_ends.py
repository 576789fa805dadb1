"""The ends of the range, which a fit may exceed, because pixels are clamped.

Where a picture is white, any drawing that is white or more shows the same, and where it is black,
any that is black or less. A fit that need not stop at white draws lettering, line art and the edges
of a bright sky with fewer Gaussians (docs/experiments/beyond-white.md).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

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
    if np.count_nonzero(sides) < LEAST_SHARE * sides.size or abs(int(sides.sum())) == sides.size:
        return picture
    return replace(picture, ends=Ends(sides, room))


def sides_of(pixels: NDArray[np.float32]) -> NDArray[np.int8]:
    """Return `Ends.sides` of pixels (H, W, C), of which the last of 2 or 4 channels is alpha."""
    sides = (pixels >= 1).view(np.int8)
    sides -= (pixels <= 0).view(np.int8)
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
