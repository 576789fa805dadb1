"""Pictures for the tests of the encoder, and its fastest effort."""

from pathlib import Path
from typing import Any

import numpy as np

from gaussianimage.codec.encoder.encode import EncodeResult, encode_with_result
from gaussianimage.picture import as_picture, to_array

DATA = Path(__file__).parents[1] / "data"
PARROT = as_picture(DATA / "parrot.png")
BYTES = to_array(PARROT.pixels, np.uint8)
CORNER = BYTES[20:32, 30:46].copy()  # 16 x 12

# The largest size of a file without Gaussians.
LEAST = 50


def fast(picture: Any, **options: Any) -> EncodeResult:
    return encode_with_result(picture, **{"effort": 1, **options})


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def ramps(channels: int, dtype: type = np.uint8, height: int = 24, width: int = 32) -> np.ndarray:
    """Return a smooth picture, with a soft alpha if the channels have one."""
    y, x = np.mgrid[0:height, 0:width]
    colors = [x / (width - 1), y / (height - 1), (x + y) / (width + height - 2)]
    alpha = np.clip(1.3 - np.hypot((x - 16) / 16, (y - 12) / 12), 0, 1)
    count = channels - (channels in (2, 4))
    planes = [*colors[:count], alpha][:channels]
    scaled = np.stack(planes, axis=2) * np.iinfo(dtype).max
    pixels = np.rint(scaled).astype(dtype)
    return pixels[..., 0] if channels == 1 else pixels
