"""Small PNG pictures of values, for notebooks."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from gaussianimage._util.arguments import within
from gaussianimage.picture.pixels import to_array

__all__ = ["LONGEST", "png_preview"]

LONGEST = 1024


def png_preview(pixels: npt.NDArray[np.floating[Any]], *, icc: bytes | None = None) -> bytes:
    """Return a PNG file of at most 1024 pixels a side.

    Parameters
    ----------
    pixels : ndarray, (H, W, C), floating point
        As `to_array` takes them: color multiplied by alpha.
    icc : bytes, optional
        The ICC profile.
    """
    # Pillow's resampling works on 8 bits; very large pictures are thinned out before that.
    step = max(1, max(pixels.shape[:2]) // (4 * LONGEST))
    image = Image.fromarray(to_array(pixels[::step, ::step]))
    height, width = within((image.height, image.width), LONGEST)
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", icc_profile=icc)
    return buffer.getvalue()
