"""Removing alpha from a picture by putting the picture on a color."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import ImageColor

from gaussianimage._util.row_blocks import row_blocks
from gaussianimage.picture.pixels import Picture

Color: TypeAlias = str | Sequence[int]

WHITE = (255, 255, 255)


def rgb(color: Color) -> tuple[int, int, int]:
    """Return a color as red, green and blue of 0 to 255.

    Parameters
    ----------
    color : str or sequence of 3 int
        A color that `PIL.ImageColor` knows, such as "white", "#ff8000", "#f80" or
        "hsl(30, 100%, 50%)", or three integers.

    Raises
    ------
    ValueError
        The name is unknown, the color is not opaque, or a number is out of range.
    TypeError
        `color` has another type or length.
    """
    if isinstance(color, str):
        try:
            values: Sequence[Any] = ImageColor.getrgb(color)
        except ValueError:
            raise ValueError(f"background: unknown color {color!r}") from None
        if len(values) == 4 and values[3] == 255:
            values = values[:3]
        if len(values) != 3:
            raise ValueError(f"background: expected an opaque color, got {color!r}")
    else:
        values = color
    try:
        red, green, blue = values
        numbers = tuple(int(value) for value in (red, green, blue))
        whole = all(number == value for number, value in zip(numbers, values, strict=True))
    except (TypeError, ValueError):
        raise TypeError(
            f"background: expected a color's name or 3 integers, got {color!r}"
        ) from None
    if not whole or not all(0 <= number <= 255 for number in numbers):
        raise ValueError(f"background: expected integers from 0 to 255, got {color!r}")
    return numbers[0], numbers[1], numbers[2]


def flatten(picture: Picture, color: Color) -> Picture:
    """Return a picture put on a color; a picture without alpha is returned unchanged.

    A gray picture on a color that isn't gray becomes RGB, and loses its ICC profile, which
    describes gray.
    """
    background = np.array(rgb(color), np.float32) / np.float32(255)
    if not picture.has_alpha:
        return picture
    turned = _becomes_rgb(picture.channels - 1, background)
    channels = 3 if turned else picture.channels - 1
    pixels = np.empty((picture.height, picture.width, channels), np.float32)
    for rows in row_blocks(picture.height, picture.width):
        values, alpha = picture.pixels[rows, :, :-1], picture.pixels[rows, :, -1:]
        pixels[rows] = np.clip(values + (1 - alpha) * background[:channels], 0, 1)
    pixels.flags.writeable = False
    return replace(picture, pixels=pixels, icc=None if turned else picture.icc)


def flatten_array(values: npt.NDArray[Any], color: Color) -> npt.NDArray[Any]:
    """Put integer samples (H, W, C), whose last channel is straight alpha, on a color.

    Returns (H, W, C − 1), or (H, W) for gray. Gray on a color that isn't gray becomes RGB.
    """
    white = np.iinfo(values.dtype).max
    background = np.array(rgb(color)) * (white / 255)
    height, width, channels = values.shape
    channels = 3 if _becomes_rgb(channels - 1, background) else channels - 1
    background = background[:channels]
    flat = np.empty((height, width, channels), values.dtype)
    for rows in row_blocks(height, width):
        samples, alpha = (part.astype(np.float64) for part in np.split(values[rows], [-1], axis=2))
        flat[rows] = np.rint(background + (samples - background) * (alpha / white))
    return flat[..., 0] if flat.shape[2] == 1 else flat


def _becomes_rgb(channels: int, background: npt.NDArray[Any]) -> bool:
    """Return whether colors of so many channels become RGB, because the background isn't gray."""
    return channels == 1 and bool(np.ptp(background) > 0)
