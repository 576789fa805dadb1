"""Reading single tiles of a tiled file, and a cache of those that were decoded last."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.codec.decoder.file import (
    ParsedFile,
    TiledContent,
    bad_alpha_map,
    check_layers,
    parse_file,
)
from gaussianimage.codec.format.container import HEAD, LAYER, read_chunk
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.format.tiles import REACH_SLACK, TileGrid, TilePlace, tile_file
from gaussianimage.errors import FormatError, GaussianImageError, LimitError, TileError

CACHE_BYTES = 2**27

WORK_OF_A_TILE = 2**16
"""What reading a tile takes, however few Gaussians it has, in blocks of work: 0.1 to 0.2 ms."""
WORK_OF_A_MAP_PIXEL = 8
"""What decoding a pixel of a map of alpha takes at most, in blocks of work: 25 ns."""


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
    alpha : ndarray of uint8, (H, W) or (1, 1), or None
        The class of alpha of each pixel of the tile, or that of all; None if the tile has no map.
    """

    means: NDArray[np.float64]
    cholesky: NDArray[np.float64]
    colors: NDArray[np.float32]
    extents: NDArray[np.float64]
    work: int
    alpha: NDArray[np.uint8] | None

    @property
    def size(self) -> int:
        """Bytes of the arrays."""
        arrays = self.means, self.cholesky, self.colors, self.extents, self.alpha
        return sum(array.nbytes for array in arrays if array is not None)


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


def reading_work(content: TiledContent, places: Sequence[TilePlace], limits: Limits) -> int:
    """Return what reading some tiles takes besides their Gaussians, in blocks of work.

    Raises
    ------
    LimitError
        It takes too long, or too much memory.
    """
    grid = content.index.grid
    lengths = (int(content.index.lengths[grid.number(place)]) for place in places)
    limits.require("max_memory", sum(lengths), "the bytes of the tiles to read")
    pixels = 0
    if content.alpha_class is not None:
        frames = (grid.frame(place) for place in places)
        pixels = sum(frame.height * frame.width for frame in frames)
        limits.require("max_memory", pixels, "the bytes of the maps of alpha")
    work = WORK_OF_A_TILE * len(places) + WORK_OF_A_MAP_PIXEL * pixels
    limits.require("max_work", work, f"the work to read {len(places)} tiles, in blocks,")
    return work


def read_tile(
    file: ParsedFile, content: TiledContent, place: TilePlace, limits: Limits, threads: int
) -> DecodedTile:
    """Read and decode a tile; `TileCache.get` documents the errors."""
    index = content.index
    number = index.grid.number(place)
    offset, length = int(index.offsets[number]), int(index.lengths[number])
    data = content.ranges.read(offset, length)
    has_maps = content.alpha_class is not None
    frame = TileFrame(index.grid, place, file.header.channels, file.header.q_max, has_maps)
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
    """What a tiled file says of a tile: its place, and what its file must agree with.

    `has_maps` tells whether tiles may have maps of alpha.
    """

    grid: TileGrid
    place: TilePlace
    channels: int
    q_max: float
    has_maps: bool


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
    if any(c.type not in (HEAD, LAYER) for c in inner.chunks):
        raise FormatError("the file of a tile has more than layers")
    if header.alpha_map and not tile.has_maps:
        raise FormatError("the tile has a map of alpha, but the file has none")
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
    return DecodedTile(means, cholesky, colors, widths, work, _alpha_classes(tile, inner))


def _alpha_classes(tile: TileFrame, inner: ParsedFile) -> NDArray[np.uint8] | None:
    """Return `DecodedTile.alpha` of the file in a tile."""
    payload = inner.header.alpha_map
    if not payload:
        return None
    if len(payload) == 1:
        classes = _native.decode_alpha_map(payload, 1, 1)
    else:
        classes = _native.decode_alpha_map(payload, inner.header.height, inner.header.width)
    if classes is None:
        raise bad_alpha_map(inner)
    if classes.size > 1:
        classes = np.ascontiguousarray(classes[tile.grid.inside(tile.place)])
        if (classes == classes[0, 0]).all():
            return classes[:1, :1].copy()
    return classes


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
