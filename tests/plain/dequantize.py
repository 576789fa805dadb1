"""The numbers and pixels of Gaussians from integers: sections 4.6 and 4.7 of docs/format.md."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from plain.layer import Gaussian, Quantizer, amplitude


class Numbers(NamedTuple):
    mean: tuple[float, float]
    cholesky: tuple[float, float, float]
    color: tuple[float, ...]  # in single precision


def exp(x: float) -> float:
    """Return e^x, the same on every machine."""
    n = math.floor(x * 1.4426950408889634 + 0.5)
    r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10
    p = 1 / math.factorial(13)
    for k in range(12, -1, -1):
        p = p * r + 1 / math.factorial(k)
    return p * 2.0**n


def numbers(quantizer: Quantizer, gaussian: Gaussian) -> Numbers:
    """Return the numbers that the integers stand for."""
    step = quantizer.step(amplitude(gaussian.color))
    s, d1, d2 = (level * step for level in gaussian.shape)
    size = exp(s)
    mean = center(quantizer, gaussian, d1, d2)
    color = colors(quantizer, gaussian.color, size)
    return Numbers(mean, cholesky(size, d1, d2), tuple(float(np.float32(c)) for c in color))


def cholesky(size: float, d1: float, d2: float) -> tuple[float, float, float]:
    """Return l11, l21 and l22."""
    area = size * size
    xx, slope = spread(d1, d2)
    l11 = size * math.sqrt(xx)
    return l11, area * slope * d2 / l11, area / l11


def spread(d1: float, d2: float) -> tuple[float, float]:
    """Return xx and slope."""
    r = math.sqrt(d1 * d1 + d2 * d2)
    if r == 0:
        return 1.0, 2.0
    up = exp(2 * r)
    down = 1 / up
    larger = r + abs(d1)
    smaller = d2 * d2 / larger
    plus, minus = (larger, smaller) if d1 > 0 else (smaller, larger)
    return (up * plus + down * minus) / (2 * r), (up - down) / (2 * r)


def center(quantizer: Quantizer, gaussian: Gaussian, d1: float, d2: float) -> tuple[float, float]:
    """Return the point of the lattice in the Gaussian's block that x and y choose."""
    columns, rows = quantizer.grid(gaussian.precision)
    x, y = gaussian.x, gaussian.y
    a, b = x % 8, y % 8
    k = h = 0
    if x - a + 7 < columns and y - b + 7 < rows:
        k, h = lattice(math.floor(4 * d1 + 0.5), math.floor(4 * d2 + 0.5))
    p, q = max(k, 0), max(-k, 0)
    i = (a // 2**p) * 2**q + b % 2**q
    j = (b // 2**q) * 2**p + a % 2**p
    right = 128 * (x - a) + (2 * i + 1) * 2 ** (6 + k)
    down = 128 * (y - b) + (16 * j + 8 + i * h) % 2 ** (7 + k) * 2 ** (3 - k)
    unit = 2**gaussian.precision / 2048
    return right * unit, down * unit


def lattice(quarters1: int, quarters2: int) -> tuple[int, int]:
    """Return k and h of a shape in quarters."""
    xx, slope = spread(quarters1 / 4, quarters2 / 4)
    k = min(max(math.floor(math.log2(xx) / 2), -3), 3)
    return k, (math.floor(4 * 4.0**k * slope * quarters2 / xx + 0.5) + 8) % 2 ** (7 + k)


def colors(quantizer: Quantizer, levels: Sequence[int], size: float) -> list[float]:
    """Return the channels of a color."""
    scale = quantizer.color_step / (1.7724538509055159 * size)
    if quantizer.channels >= 3:
        y = scale * levels[0] * 0.5773502691896258
        o = scale * levels[1] * 0.7071067811865476
        g = scale * levels[2] * 0.4082482904638631
        result = [y + o - g, y + 2 * g, y - o - g]
    else:
        result = [scale * levels[0]]
    if quantizer.channels in (2, 4):
        result.append(scale * levels[-1])
    return result


def blocks(gaussian: Numbers, height: int, width: int, q_max: float) -> int:
    """Return the work of a Gaussian in blocks (section 2)."""
    if not draws(gaussian):
        return 64
    (x, y), (l11, l21, l22), _ = gaussian
    k = math.sqrt(2 * q_max)
    left = math.floor((x - k * l11 - 0.5 - 0.001) / 8)
    right = math.floor((x + k * l11 - 0.5 + 0.001) / 8) + 1
    least = 1 - 1e-6  # a factor of lengths; a file may claim slightly less work
    reach = k * math.sqrt(l21 * l21 + l22 * l22) * least
    top = min(max(math.floor(y - reach), 0), height)
    bottom = min(max(math.ceil(y + reach), 0), height)
    columns = min(right, -(-width // 8)) - max(left, 0)
    if columns <= 0 or bottom <= top:
        return 64
    here = math.floor((7 * abs(l21 / l11) + 2 * k * l22) * least) + 2
    return 64 + columns * (16 + min(bottom - top, here))


def draws(gaussian: Numbers) -> bool:
    """Return whether the Gaussian is thick enough to be drawn."""
    return gaussian.cholesky[0] > 1e-6 and gaussian.cholesky[2] > 1e-6


def picture(
    gaussians: Sequence[Numbers],
    background: Sequence[float],
    height: int,
    width: int,
    q_max: float,
) -> NDArray[np.float64]:
    """Return I at the pixel centers, (height, width, C), with colors multiplied by alpha."""
    image = np.full((height, width, len(background)), background, dtype=np.float64)
    x, y = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    for gaussian in filter(draws, gaussians):
        l11, l21, l22 = gaussian.cholesky
        z1 = (x - gaussian.mean[0]) / l11
        z2 = (y - gaussian.mean[1] - l21 * z1) / l22
        q = (z1 * z1 + z2 * z2) / 2
        image += np.where(q <= q_max, np.exp(-q), 0.0)[..., None] * gaussian.color
    return image


def samples(image: NDArray[np.float64], white: int) -> NDArray[np.int64]:
    """Return integer samples up to `white`, with colors divided by alpha."""
    image = image.clip(0, 1)
    if image.shape[2] in (2, 4):
        alpha = image[..., -1:]
        visible = np.rint(alpha * white) > 0
        color = np.where(visible, image[..., :-1] / np.where(visible, alpha, 1), 0).clip(0, 1)
        image = np.concatenate((color, alpha), axis=2)
    return np.rint(image * white).astype(np.int64)
