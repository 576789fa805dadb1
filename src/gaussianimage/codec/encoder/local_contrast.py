"""The contrast within blocks of a picture: small things on a plain ground, as on a page of text."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussianimage.fitting.row_blocks import BLOCK_PIXELS

Blocks = NDArray[np.float32]  # (K, BLOCK, BLOCK, C)

BLOCK = 16

# A block shows a small thing on a plain ground if two conditions hold for the difference of its
# pixels, blurred over 3 × 3 pixels, from its median color: the largest difference exceeds THING
# color steps Δ, and the median difference is below GROUND times the largest.
THING = 0.2
GROUND = 0.2
PLAIN_GROUND = 0.1  # like GROUND, for printed paper
DOUBT = 24  # blocks that count as photo in advance, so that a few blocks don't make a page


class Things(NamedTuple):
    """The differences of blocks from their median color, blurred over 3 × 3 pixels."""

    largest: NDArray[np.float32]  # (K,), the largest over a block's pixels
    usual: NDArray[np.float32]  # (K,), the median over a block's pixels


class Printed(NamedTuple):
    """How many blocks of a picture have contrast, and how many of them have a plain ground."""

    showing: int
    plain: int

    def __add__(self, other: tuple[int, ...]) -> "Printed":  # type: ignore[override]
        """Return the sums for two parts of a picture."""
        return Printed(self.showing + other[0], self.plain + other[1])

    @property
    def share(self) -> float:
        """The share of the blocks with contrast whose ground is plain, 0 to 1.

        It is 0.1 to 0.4 on twenty-four photos and 0.7 to 1 on pages of text. Pages of few blocks
        have a lower share.
        """
        return self.plain / (self.showing + DOUBT)


def count_blocks(pixels: NDArray[np.float32]) -> int:
    """Return the number of blocks of a picture (H, W, C)."""
    height, width = pixels.shape[:2]
    return int(-(-height // BLOCK) * -(-width // BLOCK))


def cut_blocks(
    pixels: NDArray[np.float32], top: NDArray[np.intp], left: NDArray[np.intp]
) -> Blocks:
    """Cut blocks out of a picture (H, W, C); beyond its edges, its last pixels are repeated."""
    within = np.arange(BLOCK)
    rows = np.minimum(top[:, None] + within, pixels.shape[0] - 1)
    columns = np.minimum(left[:, None] + within, pixels.shape[1] - 1)
    blocks: Blocks = pixels[rows[:, :, None], columns[:, None, :]]
    return blocks


def excess_errors(blocks: Blocks, errors: Blocks) -> NDArray[np.float64]:
    """Return the mean squared error of blocks less that of their mean color, (K,)."""
    pixels = BLOCK * BLOCK
    difference = blocks - blocks[:, :1, :1]  # so that single precision is enough
    sums = difference.reshape(len(blocks), pixels, -1).sum(axis=1, dtype=np.float64)
    excess = _sums_of_squares(errors) - _sums_of_squares(difference)
    excess += np.square(sums).sum(axis=1) / pixels
    excess /= pixels * blocks.shape[3]
    return excess


def _sums_of_squares(blocks: Blocks) -> NDArray[np.float64]:
    """Return the sum of squares of each block, (K,)."""
    rows = blocks.reshape(len(blocks), BLOCK, -1)
    sums: NDArray[np.float64] = np.einsum("kij,kij->ki", rows, rows).sum(axis=1, dtype=np.float64)
    return sums


def worst_excess(pixels: NDArray[np.float32], drawn: NDArray[np.float32]) -> float:
    """Return the root of the largest of `excess_errors`, 0 if none is above 0.

    Parameters
    ----------
    pixels, drawn : ndarray, (H, W, C), float32
        The picture, and the drawn picture.
    """
    across = -(-pixels.shape[1] // BLOCK)
    count = count_blocks(pixels)
    worst = 0.0
    for begin in range(0, count, BLOCK_PIXELS // BLOCK**2):
        some = np.arange(begin, min(begin + BLOCK_PIXELS // BLOCK**2, count))
        y, x = (BLOCK * number for number in np.divmod(some, across))
        blocks = cut_blocks(pixels, y, x)
        worst = max(worst, float(excess_errors(blocks, cut_blocks(drawn, y, x) - blocks).max()))
    return float(np.sqrt(worst))


def find_things(blocks: Blocks) -> Things:
    """Return the differences of blocks from their median color."""
    ground = np.median(blocks, axis=(1, 2), keepdims=True).astype(np.float32)
    difference = blurred_size(blocks - ground)
    return Things(difference.max(axis=1), np.median(difference, axis=1))


def blurred_size(blocks: Blocks) -> NDArray[np.float32]:
    """Return the root mean square over the channels of blurred pixels, (K, BLOCK²)."""
    blurred = box_sums(blocks, 1, 1)
    total = np.square(blurred[..., 0])
    for channel in range(1, blocks.shape[3]):
        total += np.square(blurred[..., channel])
    total /= np.float32(81 * blocks.shape[3])
    size: NDArray[np.float32] = np.sqrt(total, out=total)
    return size.reshape(len(blocks), BLOCK * BLOCK)


def count_printed(pixels: NDArray[np.float32], step: float, every: int = 1) -> Printed:
    """Count the blocks of a picture with contrast, and those of them with a plain ground.

    Parameters
    ----------
    pixels : ndarray, (H, W, C), float32
    step : float
        The color step Δ; a block has contrast if it differs from its median color by THING steps.
    every : int
        Look at one in so many rows of blocks.
    """
    across = -(-pixels.shape[1] // BLOCK)
    blocks = np.arange(count_blocks(pixels))
    blocks = blocks[blocks // across % every == 0]
    showing = plain = 0
    for begin in range(0, len(blocks), BLOCK_PIXELS // BLOCK**2):
        y, x = np.divmod(blocks[begin : begin + BLOCK_PIXELS // BLOCK**2], across)
        things = find_things(cut_blocks(pixels, y * BLOCK, x * BLOCK))
        shown = things.largest > THING * step
        showing += int(shown.sum())
        plain += int((shown & (things.usual < PLAIN_GROUND * things.largest)).sum())
    return Printed(showing, plain)


def printed_share(pixels: NDArray[np.float32], step: float) -> float:
    """Return `Printed.share` of a picture; `count_printed` documents the arguments."""
    return count_printed(pixels, step).share


def box_sums(blocks: Blocks, down: int, across: int) -> Blocks:
    """Return the sum over a box around each pixel, (K, BLOCK, BLOCK, C).

    The box reaches `down` pixels up and down and `across` pixels left and right. Pixels beyond the
    block count as 0.
    """
    for axis, half in ((1, down), (2, across)):
        if half == 0:
            continue
        if half == 1:
            blocks = _sums_of_three(blocks, axis)
            continue
        side = 2 * half + 1
        padding = [(0, 0)] * 4
        padding[axis] = (half + 1, half)
        sums = np.cumsum(np.pad(blocks, padding), axis=axis, dtype=np.float64)
        length = sums.shape[axis]
        upper = np.take(sums, np.arange(side, length), axis=axis)
        lower = np.take(sums, np.arange(0, length - side), axis=axis)
        blocks = (upper - lower).astype(np.float32)
    return blocks


def _sums_of_three(blocks: Blocks, axis: int) -> Blocks:
    """Return the sum of each pixel and its two neighbors along an axis of the blocks."""
    sums = np.moveaxis(blocks.copy(), axis, 0)
    values = np.moveaxis(blocks, axis, 0)
    sums[1:] += values[:-1]
    sums[:-1] += values[1:]
    return np.moveaxis(sums, 0, axis)
