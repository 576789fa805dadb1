"""Small tiled files of random Gaussians, made without a fit, and changes of such files."""

import io
from collections.abc import Callable

from samples import levels, make_parameters

from gaussianimage.codec.decoder.tile_cache import TileFrame, extents, measure_reach
from gaussianimage.codec.encoder.serialize import serialize
from gaussianimage.codec.format.container import SIGNATURE, chunk_bytes, read_chunk
from gaussianimage.codec.format.header import Header
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.quantizer import QuantizerParameters
from gaussianimage.codec.format.tiles import (
    TileGrid,
    TileIndex,
    TilePlace,
    round_reach,
    tile_chunk,
)
from gaussianimage.codec.tiled.assemble import write_tiled

Q_MAX = 4.5
GRID = TileGrid(height=150, width=210, levels=3, shift=2, side=40, margin=6)


def tile_of(
    grid: TileGrid,
    place: TilePlace,
    channels: int = 3,
    seed: int = 0,
    count: int = 12,
    alpha_map: bytes | None = None,
) -> tuple[bytes, int]:
    """Return the chunk of a tile of random Gaussians, and how far they reach beyond it."""
    frame = grid.frame(place)
    number = grid.number(place)
    gaussians = levels(
        1000 * seed + number, count, channels, height=frame.height, width=frame.width
    )
    gaussians = gaussians._replace(shape=gaussians.shape.clip(-2, 1))  # none is very large
    parameters = QuantizerParameters(40, 128, (0,) * channels)
    data = serialize(
        [gaussians],
        parameters,
        Metadata(),
        height=frame.height,
        width=frame.width,
        bit_depth=8,
        q_max=Q_MAX,
        alpha_map=alpha_map,
    )
    means, cholesky, _ = parameters.quantizer(frame.height, frame.width).dequantize(*gaussians)
    means += (frame.left, frame.top)
    beyond = measure_reach(
        means, extents(cholesky, Q_MAX), TileFrame(grid, place, channels, Q_MAX, has_maps=False)
    )
    return chunk_bytes(tile_chunk(place, data)), round_reach(beyond)


def make_tiled(
    grid: TileGrid = GRID,
    channels: int = 3,
    *,
    seed: int = 0,
    count: int = 12,
    bit_depth: int = 8,
    metadata: Metadata = Metadata(),  # noqa: B008  (immutable)
    change: Callable[[TilePlace, bytes, int], tuple[bytes, int]] | None = None,
    alpha_map: bytes = b"",
    maps: Callable[[TilePlace], bytes | None] = lambda place: None,
) -> bytes:
    """Return a tiled file; `change` may replace the chunk of a tile and its reach.

    `alpha_map` is the one of the header, and `maps` returns those of the tiles.
    """
    chunks, reaches = [], []
    for place in grid.places():
        chunk, reach = tile_of(grid, place, channels, seed, count, maps(place))
        if change is not None:
            chunk, reach = change(place, chunk, reach)
        chunks.append(chunk)
        reaches.append(reach)
    header = Header(
        height=grid.height,
        width=grid.width,
        channels=channels,
        bit_depth=bit_depth,
        gaussians=0,
        layers=0,
        q_max=Q_MAX,
        work=0,
        parameters=make_parameters(channels).to_bytes(),
        alpha_map=alpha_map,
    )
    file = io.BytesIO()
    write_tiled(
        file,
        header,
        metadata,
        grid,
        gaussians=count * sum(bool(chunk) for chunk in chunks),
        reaches=reaches,
        lengths=[len(chunk) for chunk in chunks],
        tiles=chunks,
    )
    return file.getvalue()


def read_index(data: bytes) -> TileIndex:
    """Return the index of a tiled file."""
    head, position = read_chunk(memoryview(data), len(SIGNATURE))
    header = Header.from_chunk(head)
    chunk, _ = read_chunk(memoryview(data), position)
    return TileIndex.from_chunk(chunk, header.height, header.width)


def damaged(data: bytes, place: TilePlace) -> bytes:
    """Return a tiled file with a wrong byte in one tile."""
    index = read_index(data)
    middle = int(index.offsets[index.grid.number(place)]) + 40
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]
