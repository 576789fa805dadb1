"""Conversion of Pillow images to samples: modes, palettes, color keys and color spaces."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from gaussianimage._util.row_blocks import row_blocks
from gaussianimage.errors import PictureError
from gaussianimage.picture.pixels import Samples

_AS_IT_IS = ("L", "LA", "La", "RGB", "RGBA", "RGBa")
_TO_RGB = ("CMYK", "YCbCr", "LAB", "HSV", "RGBX")


def samples(image: Image.Image) -> Samples:
    """Return the pixels of a Pillow image, and load the image if it has not been loaded.

    Palettes and color keys are resolved. CMYK is converted to sRGB by its ICC profile, or by the
    plain formula if it has none; YCbCr, LAB and HSV become RGB. Integers of 32 bits (mode ``I``)
    have no known white; the white of floating point (``F``) is 1.

    Raises
    ------
    PictureError
        The mode has no meaning as a picture.
    """
    mode = image.mode
    if mode in ("P", "PA"):
        return _three_dimensional(image.convert("RGBA" if image.has_transparency_data else "RGB"))
    if mode in _TO_RGB:
        return _three_dimensional(_to_rgb(image))
    if mode == "1":
        key = image.info.get("transparency")
        gray = _three_dimensional(image.convert("L"))
        return with_color_key(gray, 255 * (key > 0) if isinstance(key, int) else None)
    if mode in _AS_IT_IS:
        return _keyed(_three_dimensional(image), image)
    if mode == "I":  # signed, or of up to 32 bits
        return _keyed(Samples(np.asarray(image)[..., None], None), image)
    if mode.startswith("I;16"):
        return _keyed(Samples(np.asarray(image)[..., None], 65535), image)
    if mode == "F":
        return Samples(np.asarray(image)[..., None], 1)
    raise PictureError(f"pixels of the unknown mode {mode}")


def with_color_key(result: Samples, key: object) -> Samples:
    """Make pixels of the color `key` transparent; `key` is an integer or one for each channel."""
    values = result.values
    colors = values.shape[2]
    if not isinstance(key, tuple):
        key = (key,)
    if len(key) != colors or not all(isinstance(k, int) for k in key):
        return result
    height, width = values.shape[:2]
    keyed = np.empty((height, width, colors + 1), values.dtype)
    for rows in row_blocks(height, width):
        transparent = (values[rows] == np.array(key)).all(axis=2)
        keyed[rows, :, :-1] = values[rows]
        keyed[rows, :, -1] = np.where(transparent, 0, result.white or 65535)
    return Samples(keyed, result.white)


def _keyed(result: Samples, image: Image.Image) -> Samples:
    if result.values.shape[2] in (1, 3) and "transparency" in image.info:
        return with_color_key(result, image.info["transparency"])
    return result


def _three_dimensional(image: Image.Image) -> Samples:
    values: npt.NDArray[Any] = np.asarray(image)
    return Samples(np.atleast_3d(values), 255, image.mode in ("La", "RGBa"))


def _to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode == "CMYK" and profile:
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):
            pass  # not a profile, or not one of CMYK
    return image.convert("RGB")
