"""Writing a tiled file from tiles that are encoded."""

import os
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np

from gaussianimage.codec.format.container import END, SIGNATURE, Chunk, chunk_bytes
from gaussianimage.codec.format.header import Header
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.tiles import TileGrid, TileIndex


def write_tiled(
    file: BinaryIO,
    header: Header,
    metadata: Metadata,
    grid: TileGrid,
    *,
    gaussians: int,
    reaches: Iterable[int],
    lengths: Iterable[int],
    tiles: Iterable[bytes],
) -> int:
    """Write a tiled file.

    Parameters
    ----------
    file : BinaryIO
        Where to write.
    header : Header
        Size, channels, depth, cut-off and background of the picture; without Gaussians.
    metadata : Metadata
        ICC profile, EXIF and XMP.
    grid : TileGrid
        Levels and tiles.
    gaussians : int
        Number of Gaussians in all tiles.
    reaches, lengths : iterable of int
        For each tile in the order of the index: how far its Gaussians reach beyond it, in pixels of
        its level, and the length of its chunk in bytes.
    tiles : iterable of bytes
        The chunks in the same order; empty for a tile without Gaussians.

    Returns
    -------
    int
        Size of the file in bytes.
    """
    head = SIGNATURE + chunk_bytes(header.to_chunk())
    after = b"".join(chunk_bytes(chunk) for chunk in metadata.to_chunks())
    index = TileIndex(
        grid,
        gaussians,
        0,
        np.fromiter(lengths, np.uint32, grid.count),
        np.fromiter(reaches, np.uint16, grid.count),
    )
    first = len(head) + len(chunk_bytes(index.to_chunk())) + len(after)
    index = TileIndex(grid, gaussians, first, index.lengths, index.reaches)
    file.write(head + chunk_bytes(index.to_chunk()) + after)
    for chunk in tiles:
        file.write(chunk)
    end = chunk_bytes(Chunk(END, b""))
    file.write(end)
    size = index.end + len(end)
    assert not file.seekable() or file.seek(0, os.SEEK_CUR) == size
    return size
