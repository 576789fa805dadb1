"""BlurHash and ThumbHash, the usual previews of a few dozen bytes.

They are written after their descriptions. Both keep the lowest terms of a cosine transform.
BlurHash (blurha.sh) keeps a grid of colors in linear light, as text in base 83. ThumbHash
(evanw.github.io/thumbhash) keeps more terms of luma than of chroma, as bytes.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lib.pictures import Bytes

Floats = NDArray[np.float64]

BASE83 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
DRAWN = 32  # BlurHash and ThumbHash are drawn at about this size, and scaled up


def _to_linear(values: Floats) -> Floats:
    low = values / 12.92
    return np.where(values <= 0.04045, low, ((values + 0.055) / 1.055) ** 2.4)


def _to_srgb(values: Floats) -> Floats:
    values = values.clip(0, 1)
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)


def _cosines(count: int, size: int) -> Floats:
    """Return cos(pi i (x + 0.5) / size), (count, size)."""
    return np.cos(np.pi / size * np.outer(np.arange(count), np.arange(size) + 0.5))


def _signed_power(values: Floats, exponent: float) -> Floats:
    return np.sign(values) * np.abs(values) ** exponent


def _digits(value: int, count: int) -> str:
    return "".join(BASE83[value // 83**i % 83] for i in reversed(range(count)))


def _number(text: str) -> int:
    value = 0
    for digit in text:
        value = 83 * value + BASE83.index(digit)
    return value


def encode_blurhash(pixels: Bytes, across: int = 4, down: int = 3) -> str:
    """Return the BlurHash of a picture (H, W, 3) with these numbers of terms, 1 to 9 each."""
    linear = _to_linear(pixels / 255)
    height, width = pixels.shape[:2]
    rows, columns = _cosines(down, height), _cosines(across, width)
    terms = 2 * np.einsum("jy,yxc,ix->jic", rows, linear, columns) / (height * width)
    terms[0, 0] /= 2
    flat = terms.reshape(-1, 3)
    text = _digits(across - 1 + 9 * (down - 1), 1)
    most = float(np.abs(flat[1:]).max()) if len(flat) > 1 else 0.0
    level = int(np.clip(math.floor(most * 166 - 0.5), 0, 82))
    text += _digits(level, 1)
    mean = np.rint(255 * _to_srgb(flat[0])).astype(int)
    text += _digits(int(mean[0]) << 16 | int(mean[1]) << 8 | int(mean[2]), 4)
    scaled = _signed_power(flat[1:] / ((level + 1) / 166), 0.5)
    for red, green, blue in np.floor(9 * scaled + 9.5).clip(0, 18).astype(int):
        text += _digits(int(red * 19 * 19 + green * 19 + blue), 2)
    return text


def draw_blurhash(text: str, height: int, width: int) -> Bytes:
    """Return the picture of a BlurHash, (height, width, 3)."""
    size = _number(text[0])
    across, down = size % 9 + 1, size // 9 + 1
    most = (_number(text[1]) + 1) / 166
    mean = _number(text[2:6])
    terms = np.zeros((down * across, 3))
    terms[0] = _to_linear(np.array([mean >> 16, mean >> 8 & 255, mean & 255]) / 255)
    for i in range(1, down * across):
        value = _number(text[4 + 2 * i : 6 + 2 * i])
        levels = np.array([value // 361, value // 19 % 19, value % 19])
        terms[i] = _signed_power((levels - 9) / 9, 2) * most
    small = _drawn_size(height, width)
    columns = _cosines(across, small[1])
    image = np.einsum(
        "jy,jic,ix->yxc", _cosines(down, small[0]), terms.reshape(down, across, 3), columns
    )
    return _enlarged(_to_srgb(image), height, width)


def encode_thumbhash(pixels: Bytes) -> bytes:
    """Return the ThumbHash of an opaque picture (H, W, 3)."""
    height, width = pixels.shape[:2]
    scale = min(1, 100 / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    rgb = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX)) / 255
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    longer = max(size)
    counts = [max(1, round(7 * side / longer)) for side in size]
    landscape = size[0] > size[1]
    luma = _thumbhash_channel(rgb.mean(axis=2), max(3, counts[0]), max(3, counts[1]))
    yellow = _thumbhash_channel((red + green) / 2 - blue, 3, 3)
    redness = _thumbhash_channel(red - green, 3, 3)
    head = round(63 * luma[0]) | round(31.5 + 31.5 * yellow[0]) << 6
    head |= round(31.5 + 31.5 * redness[0]) << 12 | round(31 * luma[2]) << 18
    tail = (counts[1] if landscape else counts[0]) | round(63 * yellow[2]) << 3
    tail |= round(63 * redness[2]) << 9 | landscape << 15
    nibbles = [round(15 * value) for channel in (luma, yellow, redness) for value in channel[1]]
    nibbles += [0] * (len(nibbles) % 2)
    packed = bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    return head.to_bytes(3, "little") + tail.to_bytes(2, "little") + packed


def _thumbhash_channel(channel: Floats, across: int, down: int) -> tuple[float, list[float], float]:
    """Return the mean, the other terms from 0 to 1, and what scales them."""
    height, width = channel.shape
    terms = _cosines(down, height) @ channel @ _cosines(across, width).T / (height * width)
    kept = [terms[j, i] for j, i in _thumbhash_order(across, down)]
    scale = max((abs(term) for term in kept), default=0.0)
    return terms[0, 0], [0.5 + 0.5 * term / scale if scale else 0.5 for term in kept], scale


def _thumbhash_order(across: int, down: int) -> list[tuple[int, int]]:
    """Return row and column of each term but the mean: those of low frequency in both."""
    return [
        (j, i)
        for j in range(down)
        for i in range(across)
        if (i or j) and i * down < across * (down - j)
    ]


def draw_thumbhash(data: bytes, height: int, width: int) -> Bytes:
    """Return the picture of a ThumbHash, (height, width, 3)."""
    head, tail = int.from_bytes(data[:3], "little"), int.from_bytes(data[3:5], "little")
    landscape = tail >> 15
    across = max(3, 7 if landscape else tail & 7)
    down = max(3, tail & 7 if landscape else 7)
    nibbles = [nibble for byte in data[5:] for nibble in (byte & 15, byte >> 4)]
    small = _drawn_size(height, width)
    # Chroma is a quarter stronger, as its levels are rounded towards gray.
    plans = (
        (across, down, (head & 63) / 63, (head >> 18 & 31) / 31),
        (3, 3, (head >> 6 & 63) / 31.5 - 1, 1.25 * (tail >> 3 & 63) / 63),
        (3, 3, (head >> 12 & 63) / 31.5 - 1, 1.25 * (tail >> 9 & 63) / 63),
    )
    planes = []
    for columns, rows, mean, scale in plans:
        terms = np.zeros((rows, columns))
        terms[0, 0] = mean
        for j, i in _thumbhash_order(columns, rows):
            terms[j, i] = 2 * (nibbles.pop(0) / 7.5 - 1) * scale
        planes.append(_cosines(rows, small[0]).T @ terms @ _cosines(columns, small[1]))
    luma, yellow, redness = planes
    blue = luma - 2 / 3 * yellow
    red = (3 * luma - blue + redness) / 2
    return _enlarged(np.stack([red, red - redness, blue], axis=2), height, width)


def _drawn_size(height: int, width: int) -> tuple[int, int]:
    scale = DRAWN / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _enlarged(image: Floats, height: int, width: int) -> Bytes:
    small = Image.fromarray(np.rint(255 * image.clip(0, 1)).astype(np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
