"""The grain of a picture, as section 4.10 of docs/format.md describes it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray
from plain.rans import Decoder, Model
from plain.varint import InvalidError

BANDS = 5
WEIGHTS = (60, 40, 15, 5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 15, 40)
CONFIDENCE, MEMORY = 4, 160
REFERENCES = (0, 0, 0, 0, 3)
STRENGTHS = (0, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362)
FACTORS = (26512, 26512, 19100, 388, 388)
PERIODS = (128, 125)
BLOCK = 8


@dataclass
class Grain:
    seed: int
    k: int
    brightness: tuple[int, int, int]
    levels: dict[tuple[int, int, int], int]  # by row, column and band
    height: int
    width: int


def decode_grain(payload: bytes, height: int, width: int) -> Grain:
    """Return the contents of a chunk gRAN."""
    if len(payload) < 5 or not 3 <= payload[1] <= 8:
        raise InvalidError("a grain without cells")
    k = payload[1]
    rows, columns = -(-height // 2**k), -(-width // 2**k)
    if rows * columns > 2**18:
        raise InvalidError("a grain of too many cells")
    decoder = Decoder(payload[5:], states=2, blocks=(1,))
    models = [Model(WEIGHTS, CONFIDENCE, MEMORY) for _ in range(BANDS)]
    levels: dict[tuple[int, int, int], int] = {}
    for row in range(rows):
        for column in range(columns):
            mean = []
            for band in range(BANDS):
                west = levels.get((row, column - 1, band))
                north = levels.get((row - 1, column, band))
                known = [level for level in (west, north) if level is not None]
                mean.append(sum(known) // len(known) if known else 0)
                predicted = mean[band]
                if band > 0:
                    reference = REFERENCES[band]
                    predicted += levels[row, column, reference] - mean[reference]
                    predicted = min(max(predicted, 0), 15)
                symbol = decoder.code(models[band])
                levels[row, column, band] = (predicted + symbol) % 16
    if not decoder.finished_cleanly():
        raise InvalidError("a grain that does not end where it should")
    return Grain(payload[0], k, (payload[2], payload[3], payload[4]), levels, height, width)


def with_grain(samples: NDArray[np.int64], grain: Grain, *, deep: bool) -> NDArray[np.int64]:
    """Return samples (H, W, C), drawn at any size, with noise; `deep` ones have 16 bits."""
    height, width, channels = samples.shape
    colors = 1 if channels <= 2 else 3
    result = samples.copy()
    first, second = tables()
    lumas = luma(samples[..., :colors], deep)
    roots = {
        (y, x): isqrt(64 * activity(lumas[y : y + BLOCK, x : x + BLOCK]))
        for y in range(0, height, BLOCK)
        for x in range(0, width, BLOCK)
    }
    for y in range(height):
        for x in range(width):
            if channels > colors and samples[y, x, -1] == 0:
                continue
            block = y // BLOCK * BLOCK, x // BLOCK * BLOCK
            strength = [
                (found * roots[block]) >> 6 for found in strengths(grain, *block, height, width)
            ]
            total = sum(
                strength[band]
                * int(first[band][y % 128, x % 128] + second[band][y % 125, (x + grain.seed) % 125])
                for band in range(BANDS)
            )
            color = [int(sample) for sample in samples[y, x, :colors]]
            bright = int(lumas[y, x])
            dark, middle, light = grain.brightness
            factor = dark + (
                ((middle - dark) * min(bright, 128) + (light - middle) * max(bright - 128, 0)) >> 7
            )
            value = ((total >> 4) * factor) >> 6
            change = value if deep else (value + 128) >> 8
            for c in range(colors):
                result[y, x, c] = min(max(color[c] + change, 0), 65535 if deep else 255)
    return result


def luma(colors: NDArray[np.int64], deep: bool) -> NDArray[np.int64]:
    """Return the luma of samples (H, W, 1 or 3), 0 to 255."""
    weights = (4,) if colors.shape[-1] == 1 else (1, 2, 1)
    return (colors @ np.array(weights)) >> (10 if deep else 2)


def activity(block: NDArray[np.int64]) -> int:
    """Return the activity A of a block of lumas."""
    sums = []
    for top in range(0, block.shape[0], 4):
        for left in range(0, block.shape[1], 4):
            quarter = block[top : top + 4, left : left + 4]
            steps = [np.minimum(abs(np.diff(quarter, axis=axis)), 24) for axis in (0, 1)]
            pairs = sum(step.size for step in steps)
            if pairs:
                sums.append(24 * int(sum(step.sum() for step in steps)) // pairs)
    return 16 + min(sums, default=0)


def strengths(grain: Grain, y: int, x: int, height: int, width: int) -> list[int]:
    """Return the strength G of each band in the block that begins at (x, y)."""
    whole = 2 ** (grain.k + 1)
    columns, u = between(x, grain.width, width, grain.k)
    rows, v = between(y, grain.height, height, grain.k)
    found = []
    for band in range(BANDS):
        sums = []
        for row in rows:
            left, right = (STRENGTHS[grain.levels[row, column, band]] for column in columns)
            sums.append(left * (whole - u) + right * u)
        found.append((sums[0] * (whole - v) + sums[1] * v) >> (2 * grain.k - 2))
    return found


def between(begin: int, side: int, drawn: int, k: int) -> tuple[tuple[int, int], int]:
    """Return the two cells around the center of a block, and its place between their centers."""
    last = -(-side // 2**k) - 1
    position = (begin + 4) * 2 * side // drawn - 2**k
    index = position >> (k + 1)
    return (min(max(index, 0), last), min(max(index + 1, 0), last)), position % 2 ** (k + 1)


@cache
def tables() -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Return the noise of both tables, a plane for each band."""
    numbers = white()
    first, second = (
        bands(np.array([next(numbers) for _ in range(period**2)]).reshape(period, period))
        for period in PERIODS
    )
    return first, second


def white() -> Iterator[int]:
    """Yield the numbers that both tables are made of."""
    state = 2463534242
    while True:
        state ^= (state << 13) % 2**32
        state ^= state >> 17
        state ^= (state << 5) % 2**32
        yield sum(state.to_bytes(4, "little")) - 510


def bands(w: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the bands of white noise."""
    x, y = low(w, 1, 1), low(w, 0, 1)
    both = low(x, 0, 1)
    x2, y2 = low(both, 1, 2), low(both, 0, 2)
    both2 = low(x2, 0, 2)
    planes = (
        16 * x - both,
        16 * y - both,
        256 * w - 16 * x - 16 * y + both,
        16 * x2 - both2,
        16 * y2 - both2,
    )
    return [
        np.clip((plane * factor + 2**23) >> 24, -127, 127)
        for plane, factor in zip(planes, FACTORS, strict=True)
    ]


def low(plane: NDArray[np.int64], axis: int, d: int) -> NDArray[np.int64]:
    """Return the weighted sums of five pixels `d` apart along an axis."""
    weights = zip((-2, -1, 0, 1, 2), (1, 4, 6, 4, 1), strict=True)
    sums: NDArray[np.int64] = sum(weight * np.roll(plane, -i * d, axis) for i, weight in weights)
    return sums
