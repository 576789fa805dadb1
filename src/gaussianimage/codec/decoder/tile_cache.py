"""Reading single tiles of a tiled file, and a cache of those that were decoded last."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.codec.decoder.file import ParsedFile, TiledContent, check_layers, parse_file
from gaussianimage.codec.format.container import HEAD, LAYER, read_chunk
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.format.tiles import REACH_SLACK, TileGrid, TilePlace, tile_file
from gaussianimage.errors import FormatError, GaussianImageError, LimitError, TileError

CACHE_BYTES = 2**27


class DecodedTile(NamedTuple):
    """The N Gaussians of a tile, in pixels of its level.

    Attributes
    ----------
    means, cholesky : ndarray of float64, (N, 2) and (N, 3)
    colors : ndarray of float32, (N, C)
    extents : ndarray of float64, (2, N)
        How far they reach from their centers where they are cut, in x and in y.
    work : int
        The work to draw them at the size of the level, in blocks.
    """

    means: NDArray[np.float64]
    cholesky: NDArray[np.float64]
    colors: NDArray[np.float32]
    extents: NDArray[np.float64]
    work: int

    @property
    def size(self) -> int:
        """Bytes of the arrays."""
        arrays = self.means, self.cholesky, self.colors, self.extents
        return sum(array.nbytes for array in arrays)


class TileCache:
    """The tiles that were used last; several threads may use it.

    Parameters
    ----------
    most : int
        Bytes of Gaussians to keep.
    """

    def __init__(self, most: int = CACHE_BYTES) -> None:
        self._most = most
        self._size = 0
        self._tiles: OrderedDict[tuple[Hashable, TilePlace], DecodedTile] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, content: TiledContent, place: TilePlace) -> DecodedTile | None:
        """Return a tile if it is in the cache."""
        key = content.ranges.identity, place
        with self._lock:
            found = self._tiles.get(key)
            if found is not None:
                self._tiles.move_to_end(key)
            return found

    def get(
        self,
        file: ParsedFile,
        content: TiledContent,
        place: TilePlace,
        limits: Limits,
        threads: int,
    ) -> DecodedTile:
        """Return a tile of a file, from the cache or from the file.

        Raises
        ------
        TileError
            The tile is damaged or missing.
        LimitError
            The tile exceeds a limit.
        OSError
            The file can't be read.
        """
        found = self.find(content, place)
        if found is not None:
            return found
        tile = read_tile(file, content, place, limits, threads)
        key = content.ranges.identity, place
        with self._lock:
            if key not in self._tiles:
                self._tiles[key] = tile
                self._size += tile.size
            while self._size > self._most and len(self._tiles) > 1:
                _, oldest = self._tiles.popitem(last=False)
                self._size -= oldest.size
        return tile


def read_tile(
    file: ParsedFile, content: TiledContent, place: TilePlace, limits: Limits, threads: int
) -> DecodedTile:
    """Read and decode a tile; `TileCache.get` documents the errors."""
    index = content.index
    number = index.grid.number(place)
    offset, length = int(index.offsets[number]), int(index.lengths[number])
    data = content.ranges.read(offset, length)
    frame = TileFrame(index.grid, place, file.header.channels, file.header.q_max)
    try:
        if len(data) < length:
            raise FormatError(f"{len(data)} bytes of {length} are left", offset)
        return decode_tile(frame, data, int(index.reaches[number]), limits, threads)
    except LimitError as error:
        error.add_note(f"in {place}")
        raise
    except GaussianImageError as error:
        raise TileError(str(error), offset, place) from error


class TileFrame(NamedTuple):
    """What a tiled file says of a tile: its place, and what its file must agree with."""

    grid: TileGrid
    place: TilePlace
    channels: int
    q_max: float


def decode_tile(
    tile: TileFrame, data: bytes, reach: int, limits: Limits, threads: int
) -> DecodedTile:
    """Decode the bytes of a ``TILE`` chunk.

    Raises
    ------
    FormatError, UnsupportedError
        The chunk is not that of the tile, or is damaged.
    LimitError
        The tile exceeds a limit.
    """
    chunk, end = read_chunk(memoryview(data), 0)
    if end != len(data):
        raise FormatError("the chunk is shorter than the index says")
    payload, _ = tile_file(chunk, tile.place)
    inner = parse_file(payload, limits=limits)
    frame = tile.grid.frame(tile.place)
    header = inner.header
    expected = (frame.height, frame.width, tile.channels, tile.q_max)
    found = (header.height, header.width, header.channels, header.q_max)
    if found != expected:
        raise FormatError(
            f"expected height, width, channels and q_max of {expected}, found {found}"
        )
    if header.alpha_map or any(c.type not in (HEAD, LAYER) for c in inner.chunks):
        raise FormatError("the file of a tile has more than layers")
    layers = inner.layers
    counts, (means, cholesky, colors) = _native.decode_layers(
        layers.parameters.quantizer(header.height, header.width),
        [bytes(layer.payload) for layer in layers.chunks],
        header.layers,
        header.gaussians,
        threads,
    )
    check_layers(inner, list(layers.chunks), len(counts), counts[-1] if counts else 0)
    work = _native.work(
        means, cholesky, colors, header.q_max, header.height, header.width, None, threads
    )
    if work > header.work:
        raise FormatError(f"the header announces work of {header.work} blocks, found {work}")
    means += (frame.left, frame.top)
    widths = extents(cholesky, tile.q_max)
    if measure_reach(means, widths, tile) > reach + REACH_SLACK:
        raise FormatError(f"a Gaussian reaches farther than {reach} pixels beyond the tile")
    return DecodedTile(means, cholesky, colors, widths, work)


def measure_reach(
    means: NDArray[np.float64], widths: NDArray[np.float64], tile: TileFrame
) -> float:
    """Return how far Gaussians reach beyond their tile, in pixels of its level.

    Parameters
    ----------
    means, widths : ndarray of float64, (N, 2) and (2, N)
        Centers of the Gaussians, and what `extents` returns, in pixels of the level.
    tile : TileFrame
        The tile.
    """
    across, down = widths
    left, top = tile.place.column * tile.grid.side, tile.place.row * tile.grid.side
    right, bottom = left + tile.grid.side, top + tile.grid.side
    beyond = (
        left - (means[:, 0] - across),
        means[:, 0] + across - right,
        top - (means[:, 1] - down),
        means[:, 1] + down - bottom,
    )
    return max(float(side.max(initial=0.0)) for side in beyond)


def extents(cholesky: NDArray[np.float64], q_max: float) -> NDArray[np.float64]:
    """Return how far Gaussians reach from their centers where they are cut, in x and y, (2, N)."""
    reach = np.stack([cholesky[:, 0], np.hypot(cholesky[:, 1], cholesky[:, 2])])
    reach *= np.sqrt(2 * q_max)
    return reach
