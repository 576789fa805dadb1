"""Small PNG pictures for notebooks."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from gaussianimage._util.arguments import within

__all__ = ["LONGEST", "png_preview", "thinned"]

LONGEST = 1024


def thinned(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return every n-th row and column, so that at most about 4096 pixels a side are left."""
    step = max(1, max(pixels.shape[:2]) // (4 * LONGEST))
    return pixels[::step, ::step]


def png_preview(
    pixels: npt.NDArray[np.uint8], *, icc: bytes | None = None, longest: int = LONGEST
) -> bytes:
    """Return a PNG file of at most `longest` pixels a side.

    Parameters
    ----------
    pixels : ndarray, (H, W) or (H, W, C), uint8
        Pixels as from `gaussianimage.picture.to_array`; larger pictures are shrunk.
    icc : bytes, optional
        The ICC profile.
    longest : int, default 1024
        The most pixels of a side.
    """
    image = Image.fromarray(pixels)
    height, width = within((image.height, image.width), longest)
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", icc_profile=icc)
    return buffer.getvalue()
