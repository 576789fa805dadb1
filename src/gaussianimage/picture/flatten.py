"""Removing alpha from a picture by putting the picture on a color."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import ImageColor

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
    values, alpha = picture.pixels[..., :-1], picture.pixels[..., -1:]
    values, turned = _with_channels_for(values, background)
    pixels = np.clip(values + (1 - alpha) * background[: values.shape[2]], 0, 1)
    pixels.flags.writeable = False
    return replace(picture, pixels=pixels, icc=None if turned else picture.icc)


def flatten_array(values: npt.NDArray[Any], color: Color) -> npt.NDArray[Any]:
    """Put integer samples (H, W, C), whose last channel is straight alpha, on a color.

    Returns (H, W, C − 1), or (H, W) for gray. Gray on a color that isn't gray becomes RGB.
    """
    white = np.iinfo(values.dtype).max
    background = np.array(rgb(color)) * (white / 255)
    samples, alpha = values[..., :-1].astype(np.float64), values[..., -1:].astype(np.float64)
    samples, _ = _with_channels_for(samples, background)
    background = background[: samples.shape[2]]
    flat = np.rint(background + (samples - background) * (alpha / white)).astype(values.dtype)
    return flat[..., 0] if flat.shape[2] == 1 else flat


def _with_channels_for(
    values: npt.NDArray[Any], background: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], bool]:
    """Return the values, and whether they became RGB because the background isn't gray."""
    if values.shape[2] == 1 and np.ptp(background) > 0:
        return np.repeat(values, 3, axis=2), True
    return values, False
