"""A picture of how two pictures differ."""

import numpy as np
from numpy.typing import NDArray

from gaussianimage.picture import Picture

__all__ = ["difference"]


def difference(a: Picture, b: Picture, *, gain: float = 4.0) -> NDArray[np.uint8]:
    """Draw the difference between two pictures.

    Parameters
    ----------
    a, b : Picture
        Pictures of the same size.
    gain : float, default 4.0
        Factor by which differences are enlarged, above 0.

    Returns
    -------
    ndarray, (H, W) if both are gray, otherwise (H, W, 3), uint8
        ½ + gain · (b − a), clipped to [0, 1], times 255: middle gray where the pictures are equal,
        brighter where `b` is brighter. Transparent pixels count as black; alpha is not drawn.

    Raises
    ------
    ValueError
        The sizes differ, or `gain` is out of range.
    """
    if (a.height, a.width) != (b.height, b.width):
        raise ValueError(
            f"the pictures differ in size: {a.width} x {a.height} and {b.width} x {b.height}"
        )
    if not 0 < gain < float("inf"):
        raise ValueError(f"gain: expected a number above 0, got {gain}")
    x, y = _color(a), _color(b)  # of one channel or three, which broadcast
    shown = np.clip(0.5 + gain * (y.astype(np.float64) - x), 0, 1)
    result = np.rint(255 * shown).astype(np.uint8)
    return result[..., 0] if result.shape[2] == 1 else result


def _color(picture: Picture) -> NDArray[np.float32]:
    return picture.pixels[..., :-1] if picture.has_alpha else picture.pixels
