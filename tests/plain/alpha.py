"""The map of transparent and opaque pixels, as section 4.9 of docs/format.md describes it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from plain.appendix import ALPHA_BLOCKS, ALPHA_PIXELS
from plain.rans import Decoder, Model
from plain.varint import InvalidError

BLOCK = 8
MIXED = 3
CONFIDENCE, MEMORY = 4, 160

Map = list[list[int]]


def decode_map(data: bytes, height: int, width: int) -> Map:
    """Return the class of each pixel: 0 transparent, 1 opaque, 2 neither."""
    if len(data) == 1:
        if data[0] > 2:
            raise InvalidError("a map of an unknown class")
        return [[data[0]] * width for _ in range(height)]
    decoder = Decoder(data, states=2, blocks=(1,))
    blocks = [Model(weights, CONFIDENCE, MEMORY) for weights in ALPHA_BLOCKS]
    pixels = [Model(ALPHA_PIXELS[i // 2], CONFIDENCE, MEMORY) for i in range(648)]
    kinds: dict[tuple[int, int], int] = {}
    for row in range(-(-height // BLOCK)):
        for column in range(-(-width // BLOCK)):
            left, above = kinds.get((row, column - 1), 0), kinds.get((row - 1, column), 0)
            kinds[row, column] = decoder.code(blocks[4 * left + above])
    # The map has a border of two rows and columns of class 0 on every side.
    classes = [[0] * (width + 4) for _ in range(height + 4)]
    for y in range(height):
        above, here = classes[y + 1], classes[y + 2]
        for x in range(width):
            kind = kinds[y // BLOCK, x // BLOCK]
            if kind != MIXED:
                here[x + 2] = kind
        for x in range(width):
            if kinds[y // BLOCK, x // BLOCK] == MIXED:
                west, north, northwest, northeast = (
                    here[x + 1],
                    above[x + 2],
                    above[x + 1],
                    above[x + 3],
                )
                context = 8 * (27 * west + 9 * north + 3 * northwest + northeast)
                context += 4 * (here[x] == west)
                context += 2 * (classes[y][x + 2] == north)
                context += classes[y][x + 1] == northwest
                here[x + 2] = decoder.code(pixels[context])
    if not decoder.finished_cleanly():
        raise InvalidError("a map that does not end where it should")
    return [row[2:-2] for row in classes[2:-2]]


def class_at(found: Map, x: int, y: int, height: int, width: int) -> int:
    """Return the class of a pixel of a picture of another size, or 3 if its classes differ."""
    rows = under(y, len(found), height)
    columns = under(x, len(found[0]), width)
    classes = {found[row][column] for row in rows for column in columns}
    return classes.pop() if len(classes) == 1 else 3


def under(i: int, of_map: int, drawn: int) -> list[int]:
    """Return the rows or columns of a map under the footprint of a drawn row or column."""
    reach = 2 * max(of_map, drawn)
    return [j for j in range(of_map) if abs((2 * i + 1) * of_map - (2 * j + 1) * drawn) < reach]


def with_map(
    image: NDArray[np.float64], found: Sequence[Sequence[int]], white: int
) -> NDArray[np.int64]:
    """Return samples up to `white` of a picture with colors multiplied by alpha."""
    image = image.clip(0, 1)
    alpha, classes = image[..., -1:], np.array(found)[..., None]
    between = alpha.clip(1 / white, 1 - 1 / white)
    visible = np.rint(alpha * white) > 0
    divisor = np.select(
        [classes == 1, classes == 2, visible], [np.ones_like(alpha), between, alpha], np.inf
    )
    divisor[classes == 0] = np.inf
    color = (image[..., :-1] / divisor).clip(0, 1)
    alpha = np.select([classes == 0, classes == 1, classes == 2], [0, 1, between], alpha)
    return np.rint(np.concatenate((color, alpha), axis=2) * white).astype(np.int64)
