"""Pictures with alpha: icons, soft shadows, hair, cut-out photos."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = NDArray[np.uint8]

DATA = Path(__file__).parent.parent / "data"


def disk(side: int, *, soft: float = 1.0) -> Bytes:
    """Return the alpha of a disk whose edge is `soft` pixels wide, (side, side)."""
    y, x = np.mgrid[0:side, 0:side] + 0.5 - side / 2
    inside = (side / 2 - 1 - np.hypot(x, y)) / soft + 0.5
    return np.rint(255 * inside.clip(0, 1)).astype(np.uint8)


def hard(alpha: Bytes) -> Bytes:
    """Round alpha to fully transparent or fully opaque."""
    return np.where(alpha > 127, 255, 0).astype(np.uint8)


def hair(side: int) -> Bytes:
    """Return the alpha of thin strokes of many directions around a disk."""
    rng = np.random.default_rng(5)
    image = np.asarray(disk(side), np.float64) * 0
    y, x = np.mgrid[0:side, 0:side] - side / 2 + 0.5
    for angle in rng.uniform(0, 2 * np.pi, 20):
        along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        image = np.maximum(image, (1 - np.abs(across)).clip(0, 1) * (along > 0) * 255)
    image[np.hypot(x, y) > side * 0.45] = 0
    return np.maximum(
        np.rint(image).astype(np.uint8), np.roll(disk(side), 0) * (np.hypot(x, y) < side * 0.3)
    )


def ball(side: int = 16) -> Bytes:
    """Return a shaded ball, (side, side, 4)."""
    y, x = np.mgrid[0:side, 0:side] + 0.5
    light = np.exp(-((x / side - 0.36) ** 2 + (y / side - 0.34) ** 2) / 0.125)
    color = np.stack([60 + 190 * light, 40 + 150 * light, 160 + 90 * light], axis=2)
    return np.dstack([np.rint(color.clip(0, 255)).astype(np.uint8), disk(side)])


def cut_out(alpha: Bytes) -> Bytes:
    """Return a photo with an alpha channel of at most (64, 96)."""
    with Image.open(DATA / "parrot.png") as picture:
        photo = np.asarray(picture.convert("RGB"))
    return np.dstack([photo[: alpha.shape[0], : alpha.shape[1]], alpha])


def shadow(side: int) -> Bytes:
    """Return a disk with a soft shadow, (side, side, 4)."""
    faint = np.roll(disk(side // 2, soft=6), 2, (0, 1))
    alpha = np.pad(faint // 2, side // 4)
    sharp = np.pad(disk(side // 2), side // 4)
    alpha = np.maximum(alpha, sharp)
    color = np.where(sharp[..., None] > 0, np.array([250, 120, 20], np.uint8), np.uint8(0))
    return np.dstack([color, alpha])


PICTURES = {
    "ball": ball(),
    "icon": ball(48),
    "shadow": shadow(64),
    "hair": cut_out(hair(64)),
    "cut_out": cut_out(disk(64, soft=2)),
    "hard": cut_out(hard(disk(64))),
    "gray": cut_out(disk(64))[..., [1, 3]],
    "opaque": cut_out(np.full((24, 40), 255, np.uint8)),
    "clear": cut_out(np.zeros((24, 40), np.uint8)),
    "half": cut_out(np.full((24, 40), 128, np.uint8)),
    "one_pixel": cut_out(np.full((1, 1), 255, np.uint8)),
    "row": cut_out(np.array([[0, 255, 255, 7, 0, 0, 0, 0, 0, 254, 255]], np.uint8)),
}
