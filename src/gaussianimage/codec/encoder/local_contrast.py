"""The contrast within blocks of a picture: small things on a plain ground, as on a page of text."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage._util.arguments import thread_count
from gaussianimage._util.row_blocks import row_blocks

# Blocks are counted row by row. Those at the right and bottom edges of a picture may be smaller.
Numbers = NDArray[np.int64]  # (K,)

BLOCK = _native.BLOCK  # pixels of a side: 16

# A block's error may exceed that of its mean color by this much, as a root mean square in color
# steps Δ.
EXCESS = 0.036

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


def excess_errors(
    pixels: NDArray[np.float32],
    errors: NDArray[np.float32],
    blocks: Numbers,
    *,
    weights: NDArray[np.float32] | None = None,
    threads: int | None = None,
) -> NDArray[np.float64]:
    """Return the mean squared error of blocks less that of their mean color, (K,).

    Parameters
    ----------
    pixels, errors : ndarray, (H, W, C), float32
        The picture, and the drawn picture less it.
    blocks : ndarray, (K,)
    weights : ndarray, (H, W), float32, optional
        Weights by which the errors were multiplied, which do not count.
    threads : int, optional
        Threads to use; all CPUs of this process by default.
    """
    return _native.block_excess(pixels, errors, weights, blocks, thread_count(threads))


def worst_excess(
    pixels: NDArray[np.float32], drawn: NDArray[np.float32], *, threads: int | None = None
) -> float:
    """Return the root of the largest of `excess_errors`, 0 if none is above 0.

    Parameters
    ----------
    pixels, drawn : ndarray, (H, W, C), float32
        The picture, and the drawn picture.
    threads : int, optional
        Threads to use; all CPUs of this process by default.
    """
    worst = 0.0
    for rows in row_blocks(-(-pixels.shape[0] // BLOCK), BLOCK * pixels.shape[1]):
        part = slice(BLOCK * rows.start, BLOCK * rows.stop)
        errors = drawn[part] - pixels[part]
        blocks = np.arange(count_blocks(errors))
        worst = max(
            worst, float(excess_errors(pixels[part], errors, blocks, threads=threads).max())
        )
    return float(np.sqrt(worst))


def find_things(
    pixels: NDArray[np.float32], blocks: Numbers, *, threads: int | None = None
) -> Things:
    """Return the differences of blocks from their median color.

    Parameters
    ----------
    pixels : ndarray, (H, W, C), float32
    blocks : ndarray, (K,)
    threads : int, optional
        Threads to use; all CPUs of this process by default.
    """
    return Things(*_native.block_contrast(pixels, blocks, thread_count(threads)))


def count_printed(
    pixels: NDArray[np.float32], step: float, every: int = 1, *, threads: int | None = None
) -> Printed:
    """Count the blocks of a picture with contrast, and those of them with a plain ground.

    Parameters
    ----------
    pixels : ndarray, (H, W, C), float32
    step : float
        The color step Δ; a block has contrast if it differs from its median color by THING steps.
    every : int
        Look at one in so many rows of blocks.
    threads : int, optional
        Threads to use; all CPUs of this process by default.
    """
    across = -(-pixels.shape[1] // BLOCK)
    blocks = np.arange(count_blocks(pixels))
    blocks = blocks[blocks // across % every == 0]
    things = find_things(pixels, blocks, threads=threads)
    shown = things.largest > THING * step
    plain = shown & (things.usual < PLAIN_GROUND * things.largest)
    return Printed(int(shown.sum()), int(plain.sum()))


def printed_share(pixels: NDArray[np.float32], step: float, *, threads: int | None = None) -> float:
    """Return `Printed.share` of a picture; `count_printed` documents the arguments."""
    return count_printed(pixels, step, threads=threads).share
