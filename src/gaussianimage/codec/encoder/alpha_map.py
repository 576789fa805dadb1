"""The map of alpha, which keeps fully transparent and fully opaque pixels exactly so."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage._util.row_blocks import extremes, row_blocks
from gaussianimage.codec.format.alpha import BETWEEN, OPAQUE, TRANSPARENT
from gaussianimage.picture import Picture

# With lack = 1 − quality / 100, alpha within TOLERANCE · lack of 0 or 1 becomes 0 or 1, and the
# map keeps only areas that hold a square of 1 + (MOST_SIDE − 1) · lack pixels a side.
TOLERANCE = 0.25
MOST_SIDE = 9

# Weight of an error in the fit that the map corrects. With a smaller weight, outlines at other
# sizes are worse than without a map (docs/experiments/exact-alpha.md).
LIGHT = 0.25

# If the target is a size and no alpha quality is given, the map takes at most this share of it.
MOST_SHARE = 0.3
QUALITIES = (100.0, 90.0, 75.0, 50.0, 25.0)


def alpha_classes(picture: Picture, quality: float) -> NDArray[np.uint8]:
    """Return the class of each pixel's alpha.

    Parameters
    ----------
    picture : Picture
        A picture with alpha.
    quality : float
        0 to 100. At 100 the classes are exact. Below 100, nearly transparent and nearly opaque
        pixels count as fully so, and small areas, which cost most bits, count as between.

    Returns
    -------
    ndarray, (H, W), uint8
        `TRANSPARENT`, `OPAQUE` or `BETWEEN`.
    """
    white = 65535 if picture.bit_depth == 16 else 255
    alpha = picture.pixels[..., -1]
    lack = (100 - quality) / 100
    # An alpha that rounds to 0 or 1 at the bit depth counts as 0 or 1 at every quality.
    least = max(np.float32(TOLERANCE * lack), np.float32(0.5 / white))
    classes = np.empty(alpha.shape, np.uint8)
    side = 1 + round((MOST_SIDE - 1) * lack)
    blocks = list(row_blocks(picture.height, picture.width))
    for rows in blocks:
        classes[rows] = BETWEEN
    for kind in (TRANSPARENT, OPAQUE):
        mask = np.empty(alpha.shape, np.bool_)
        for rows in blocks:
            mask[rows] = alpha[rows] < least if kind == TRANSPARENT else alpha[rows] > 1 - least
        mask = _opened(mask, side)
        for rows in blocks:
            classes[rows][mask[rows]] = kind
    return classes


def encode_map(picture: Picture, quality: float) -> bytes | None:
    """Return a picture's encoded map; None if no pixel is fully transparent or fully opaque."""
    if not picture.has_alpha or quality == 0:
        return None
    classes = alpha_classes(picture, quality)
    if extremes(classes) == (BETWEEN, BETWEEN):
        return None
    return _native.encode_alpha_map(classes)


def weighted(picture: Picture, classes: NDArray[np.uint8] | None) -> Picture:
    """Return the picture with smaller weights for errors that its map of classes corrects.

    The weights are not 0, because at other sizes no map corrects the pixels near an outline.
    """
    if classes is None:
        return picture
    weights = np.empty(picture.pixels.shape, np.float32)
    for rows in row_blocks(picture.height, picture.width):
        part, kinds = weights[rows], classes[rows]
        part[:] = 1 if picture.weights is None else picture.weights[rows]
        part[kinds == TRANSPARENT] *= LIGHT
        part[kinds == OPAQUE, -1] *= LIGHT
    return replace(picture, weights=weights)


def map_within(picture: Picture, most_bytes: float) -> bytes | None:
    """Return the encoded map of the highest quality that takes at most `MOST_SHARE` of a size."""
    for quality in QUALITIES:
        payload = encode_map(picture, quality)
        if payload is None or len(payload) <= MOST_SHARE * most_bytes:
            return payload
    return None


def _opened(mask: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Open a mask (H, W) by squares of `side` pixels a side, which may reach beyond its border."""
    if side == 1:
        return mask
    padded = np.pad(mask, side, constant_values=True)
    for axis in (0, 1):
        padded = ~_spread(~padded, side, axis)
    for axis in (0, 1):
        padded = np.flip(_spread(np.flip(padded, axis), side, axis), axis)
    return np.ascontiguousarray(padded[side:-side, side:-side])


def _spread(mask: NDArray[np.bool_], side: int, axis: int) -> NDArray[np.bool_]:
    """Set the `side` − 1 pixels that follow each set pixel along an axis."""
    before = np.moveaxis(mask, axis, 0)
    result = before.copy()
    for step in range(1, side):
        result[step:] |= before[:-step]
    return np.moveaxis(result, 0, axis)
