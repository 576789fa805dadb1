"""Which pixels are fully transparent or fully opaque: the map that keeps them exactly so."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.picture import Picture

TRANSPARENT, OPAQUE, BETWEEN = range(3)

# Below a quality of 100, alpha is taken for 0 or 1 that is as near to it as this share of what the
# quality lacks, and an area must be larger to be kept: MOST_SIDE pixels a side just above 0.
TOLERANCE = 0.25
MOST_SIDE = 9

# What errors count in a fit that the map makes good. With less, outlines at other sizes are worse
# than without a map (docs/experiments/exact-alpha.md).
LIGHT = 0.25

# Without a quality that was asked for, the map takes no more than this of a size that was.
MOST_SHARE = 0.3
QUALITIES = (100.0, 90.0, 75.0, 50.0, 25.0)


def alpha_classes(picture: Picture, quality: float) -> NDArray[np.uint8]:
    """Return the class of each pixel's alpha.

    Parameters
    ----------
    picture : Picture
        With alpha.
    quality : float
        100 for what the picture has. Less takes what is nearly transparent or opaque for wholly so,
        and leaves small areas, which cost most, to the Gaussians.

    Returns
    -------
    ndarray, (H, W), uint8
        `TRANSPARENT`, `OPAQUE` or `BETWEEN`.
    """
    white = 65535 if picture.bit_depth == 16 else 255
    alpha = picture.pixels[..., -1]
    lack = (100 - quality) / 100
    # What rounds to nothing is nothing.
    least = max(np.float32(TOLERANCE * lack), np.float32(0.5 / white))
    classes = np.full(alpha.shape, BETWEEN, np.uint8)
    side = 1 + round((MOST_SIDE - 1) * lack)
    classes[_opened(alpha < least, side)] = TRANSPARENT
    classes[_opened(alpha > 1 - least, side)] = OPAQUE
    return classes


def encode_map(picture: Picture, quality: float) -> bytes | None:
    """Return a picture's map, encoded; None if there is nothing to say."""
    if not picture.has_alpha or quality == 0:
        return None
    classes = alpha_classes(picture, quality)
    if (classes == BETWEEN).all():
        return None
    return _native.encode_alpha_map(classes)


def weighted(picture: Picture, payload: bytes | None) -> Picture:
    """Return a picture in whose fit less counts what its map will make good.

    Not nothing: at other sizes the pixels near an outline are as drawn.
    """
    if payload is None:
        return picture
    classes = _native.decode_alpha_map(payload, picture.height, picture.width)
    assert classes is not None
    if picture.weights is None:
        weights = np.ones(picture.pixels.shape, np.float32)
    else:
        weights = picture.weights.copy()
    weights[classes == TRANSPARENT] *= LIGHT
    weights[classes == OPAQUE, -1] *= LIGHT
    return replace(picture, weights=weights)


def map_within(picture: Picture, most_bytes: float) -> bytes | None:
    """Return the map of the highest quality that leaves most of a size to the picture."""
    for quality in QUALITIES:
        payload = encode_map(picture, quality)
        if payload is None or len(payload) <= MOST_SHARE * most_bytes:
            return payload
    return None


def _opened(mask: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Leave of a mask what squares of so many pixels a side fit into, also beyond the border."""
    if side == 1:
        return mask
    padded = np.pad(mask, side, constant_values=True)
    for axis in (0, 1):
        padded = ~_spread(~padded, side, axis)
    for axis in (0, 1):
        padded = np.flip(_spread(np.flip(padded, axis), side, axis), axis)
    return np.ascontiguousarray(padded[side:-side, side:-side])


def _spread(mask: NDArray[np.bool_], side: int, axis: int) -> NDArray[np.bool_]:
    """Set what is less than so many pixels behind a set pixel."""
    before = np.moveaxis(mask, axis, 0)
    result = before.copy()
    for step in range(1, side):
        result[step:] |= before[:-step]
    return np.moveaxis(result, 0, axis)
