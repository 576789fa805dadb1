"""Cutting a picture into blocks of rows.

Temporary arrays stay small, and so does the time after which Python looks for Ctrl-C, which it does
between two calls of NumPy.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

BLOCK_PIXELS: Final = 2**18  # pixels that are processed at a time


def row_blocks(rows: int, columns: int) -> Iterator[slice]:
    """Cut the rows of a picture into blocks of at most `BLOCK_PIXELS` pixels, or of one row.

    Parameters
    ----------
    rows, columns : int
        Size of the picture in pixels.
    """
    step = max(1, BLOCK_PIXELS // max(1, columns))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def extremes(values: npt.NDArray[Any]) -> tuple[Any, Any]:
    """Return the least and the largest of some values (H, W, ...), both NaN if one of them is."""
    blocks = [values[rows] for rows in row_blocks(*values.shape[:2])]
    low, high = zip(*((block.min(), block.max()) for block in blocks), strict=True)
    return np.min(low), np.max(high)


def copied(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a copy of some values (H, W, ...), in C order."""
    copy = np.empty(values.shape, values.dtype)
    for rows in row_blocks(*values.shape[:2]):
        copy[rows] = values[rows]
    return copy
