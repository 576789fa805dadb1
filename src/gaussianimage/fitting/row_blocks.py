"""Cutting a picture into blocks of rows, so that temporary arrays stay small."""

from collections.abc import Iterator
from typing import Final

BLOCK_PIXELS: Final = 2**18  # pixels that are processed at a time


def row_blocks(rows: int, columns: int) -> Iterator[slice]:
    """Cut the rows of a picture into blocks of at most `BLOCK_PIXELS` pixels, or of one row.

    Parameters
    ----------
    rows, columns : int
        Size of the picture in pixels.
    """
    step = max(1, BLOCK_PIXELS // columns)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))
