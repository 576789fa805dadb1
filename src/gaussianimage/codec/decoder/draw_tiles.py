"""Drawing a part of a tiled file at any size, from the tiles that touch it."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.codec.decoder.file import ParsedFile, TiledContent
from gaussianimage.codec.decoder.level_map import LevelMap
from gaussianimage.codec.decoder.pixel_kinds import PIXEL_KINDS
from gaussianimage.codec.decoder.tile_cache import (
    DecodedTile,
    TileCache,
    reading_work,
)
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.format.tiles import TilePlace
from gaussianimage.errors import DamagedTileWarning, TileError, warn_outside

# A picture is drawn in sheets of at most this many pixels a side, each in coordinates of its own.
# The sheets depend on the picture's size alone, so that a pixel never depends on the crop.
SHEET = 2**15

# Cells of the native renderer: how it adds up a cell depends on all Gaussians that touch the cell.
_CELL_ROWS, _CELL_COLUMNS = 256, 8

# Standard deviation of the background's Gaussian in units of a sheet's side.
_BACKGROUND_SIGMA = 1e5


class Part(NamedTuple):
    """A rectangle of a sheet: the sheet's place and size, and the rectangle in it, in pixels."""

    top: int
    left: int
    height: int
    width: int
    crop: tuple[int, int, int, int]

    @property
    def of_whole(self) -> tuple[int, int, int, int]:
        """The rectangle in pixels of the whole picture: top, left, height and width."""
        top, left, height, width = self.crop
        return self.top + top, self.left + left, height, width


def draw_tiled(
    file: ParsedFile,
    size: tuple[int, int],
    crop: tuple[int, int, int, int],
    *,
    levels: int | None,
    dtype: np.dtype[Any],
    cache: TileCache,
    limits: Limits,
    threads: int,
    partial: bool,
) -> NDArray[Any]:
    """Draw a part of a tiled file.

    Parameters
    ----------
    file : ParsedFile
        A tiled file.
    size : (int, int)
        Height and width of the whole picture as it is drawn, in pixels.
    crop : (int, int, int, int)
        Top, left, height and width of the part, in pixels of the picture at `size`.
    levels : int or None
        Number of levels to use at most; None for all that the size needs.
    dtype : dtype
        uint8, uint16 or float32.
    cache : TileCache
        Where decoded tiles are kept.
    limits : Limits
        Limits on what is drawn.
    threads : int
        Threads to use; 0 for all CPUs.
    partial : bool
        Leave out damaged tiles, with a warning.

    Returns
    -------
    ndarray, (height, width) for gray, (height, width, C) otherwise

    Raises
    ------
    TileError
        A tile is damaged, unless `partial`.
    LimitError
        A limit is exceeded.
    OSError
        The file can't be read.
    """
    drawing = _TiledDrawing(file, size, levels, dtype, cache, limits, threads, partial)
    parts = list(_parts(size, crop))
    if len(parts) == 1:
        return drawing.draw(parts[0])
    top, left, height, width = crop
    channels = file.header.channels
    out = np.empty((height, width) if channels == 1 else (height, width, channels), dtype)
    for part in parts:
        y, x = part.top + part.crop[0] - top, part.left + part.crop[1] - left
        out[y : y + part.crop[2], x : x + part.crop[3]] = drawing.draw(part)
    return out


def _parts(size: tuple[int, int], crop: tuple[int, int, int, int]) -> list[Part]:
    """Divide a rectangle by the sheets."""
    top, left, height, width = crop
    parts = []
    for y in range(top // SHEET * SHEET, top + height, SHEET):
        for x in range(left // SHEET * SHEET, left + width, SHEET):
            y0, x0 = max(top, y), max(left, x)
            y1, x1 = min(top + height, y + SHEET), min(left + width, x + SHEET)
            sheet = min(SHEET, size[0] - y), min(SHEET, size[1] - x)
            parts.append(Part(y, x, *sheet, (y0 - y, x0 - x, y1 - y0, x1 - x0)))
    return parts


class _TiledDrawing:
    """Draws parts of one file at one size."""

    def __init__(
        self,
        file: ParsedFile,
        size: tuple[int, int],
        levels: int | None,
        dtype: np.dtype[Any],
        cache: TileCache,
        limits: Limits,
        threads: int,
        partial: bool,
    ) -> None:
        assert isinstance(file.content, TiledContent)
        self._file = file
        self._content = file.content
        self._size = size
        self._dtype = dtype
        self._cache = cache
        self._limits = limits
        self._threads = threads
        self._partial = partial
        grid = self._content.index.grid
        self._grid = grid
        finest = grid.finest_level(*size)
        if levels is not None:
            finest = min(finest, levels - 1)
        self._levels = range(finest + 1)
        # Pixels of the drawn picture in a pixel of the nominal size, down and across.
        self._zoom = size[0] / grid.height, size[1] / grid.width
        # A picture that is drawn smaller than its finest level is blurred as `render` does.
        scale = grid.scales[max(finest, 0)]
        least = [min(1.0, zoom * scale) for zoom in self._zoom]
        self._blur = [(1 - shrink * shrink) / 6 for shrink in least]
        # The blur widens a Gaussian by at most √(2 q_max · its variance) on each side.
        self._room = 2 + math.sqrt(2 * file.header.q_max * max(self._blur))
        alpha_class = self._content.alpha_class
        self._map = None
        if alpha_class is not None:
            self._map = LevelMap(self._content.index, max(finest, 0), size, alpha_class)
        self._warned: set[TilePlace] = set()

    def draw(self, part: Part) -> NDArray[Any]:
        places = self._touched(part)
        if self._map is not None:
            places = sorted({*places, *self._map.places(part.of_whole)})
        work = reading_work(self._content, places, self._limits)
        tiles = self._tiles(places)
        classes = None
        if self._map is not None:
            maps = {place: tile.alpha for place, tile in tiles}
            classes = self._map.classes(part.of_whole, maps, self._threads)
        gaussians = sum(len(tile.means) for _, tile in tiles)
        channels = self._file.header.channels
        self._limits.require("max_gaussians", gaussians, "the number of Gaussians to draw")
        tiles = [(place, self._near(place, tile, part)) for place, tile in tiles]
        gaussians = sum(len(tile.means) for _, tile in tiles)
        pixels = part.crop[2] * part.crop[3] * channels * self._dtype.itemsize
        self._limits.check_output(pixels, gaussians)
        means, cholesky, colors = self._scaled(tiles, part)
        self._check_work(work, tiles, part, means, cholesky, colors)
        q_max = self._file.header.q_max
        sheet = part.height, part.width, part.crop, self._threads
        drawn = _native.render_samples(
            means, cholesky, colors, q_max, *sheet, PIXEL_KINDS[self._dtype], classes
        )
        return drawn[..., 0] if channels == 1 else drawn

    def _touched(self, part: Part) -> list[TilePlace]:
        """Return the tiles that may touch the cells of a part, the coarsest level first."""
        places = []
        for level in self._levels:
            places += self._content.index.touching(level, self._box(level, part))
        return places

    def _box(self, level: int, part: Part) -> tuple[float, float, float, float]:
        """Return top, left, bottom and right of the cells of a part, in pixels of a level.

        There is room around them for the blur of a picture that is drawn smaller.
        """
        top, left, height, width = part.crop
        bottom = -(-(top + height) // _CELL_ROWS) * _CELL_ROWS
        right = -(-(left + width) // _CELL_COLUMNS) * _CELL_COLUMNS
        top, left = top - top % _CELL_ROWS, left - left % _CELL_COLUMNS
        down, across = (zoom * self._grid.scales[level] for zoom in self._zoom)
        return (
            (part.top + top - self._room) / down,
            (part.left + left - self._room) / across,
            (part.top + bottom + self._room) / down,
            (part.left + right + self._room) / across,
        )

    def _near(self, place: TilePlace, tile: DecodedTile, part: Part) -> DecodedTile:
        """Return a tile with the Gaussians that may touch the cells of a part, in their order."""
        top, left, bottom, right = self._box(place.level, part)
        side = self._grid.side
        begin_y, begin_x = place.row * side, place.column * side
        if (
            begin_y >= top
            and begin_x >= left
            and begin_y + side <= bottom
            and begin_x + side <= right
        ):
            return tile  # hardly any Gaussian of it is elsewhere
        across, down = tile.extents
        x, y = tile.means.T
        near = (x + across > left) & (x - across < right) & (y + down > top) & (y - down < bottom)
        if near.all():
            return tile
        some = np.flatnonzero(near)
        return DecodedTile(
            tile.means[some],
            tile.cholesky[some],
            tile.colors[some],
            tile.extents[:, some],
            tile.work,
            tile.alpha,
        )

    def _tiles(self, places: list[TilePlace]) -> list[tuple[TilePlace, DecodedTile]]:
        """Return the tiles at places, without the damaged ones if that is asked for."""
        found: dict[TilePlace, DecodedTile | TileError] = {}
        for place in places:
            if (cached := self._cache.find(self._content, place)) is not None:
                found[place] = cached
        missing = [place for place in places if place not in found]
        workers = min(self._threads or _native.cpus(), len(missing))

        def get(place: TilePlace) -> DecodedTile | TileError:
            threads = 1 if workers > 1 else self._threads
            try:
                return self._cache.get(self._file, self._content, place, self._limits, threads)
            except TileError as error:
                return error

        if workers > 1:
            with ThreadPoolExecutor(workers, "tiles") as pool:
                found.update(zip(missing, pool.map(get, missing), strict=True))
        else:
            found.update((place, get(place)) for place in missing)
        tiles = []
        for place in places:
            tile = found[place]
            if isinstance(tile, DecodedTile):
                tiles.append((place, tile))
            elif not self._partial:
                raise tile
            elif place not in self._warned:
                self._warned.add(place)
                warn_outside(f"{tile}; it is left out", DamagedTileWarning)
        return tiles

    def _check_work(
        self,
        reading: int,
        tiles: list[tuple[TilePlace, DecodedTile]],
        part: Part,
        means: NDArray[np.float64],
        cholesky: NDArray[np.float64],
        colors: NDArray[np.float32],
    ) -> None:
        """Refuse a drawing that takes too much work, with that of reading the tiles.

        An upper estimate is enough for most drawings. It counts all Gaussians of a tile, but only a
        few of a coarse tile's reach a small part of a large picture: if the estimate is above the
        limit, the native module counts what each Gaussian covers.
        """
        total: float = reading
        _, _, height, width = part.crop
        # A Gaussian can touch all blocks of the part at most.
        most = 64 + -(-width // 8 + 1) * (16 + height)
        for place, tile in tiles:
            down, across = (zoom * self._grid.scales[place.level] for zoom in self._zoom)
            whole = tile.work * max(down, 1.0) * max(across, 1.0)
            total += min(whole, len(tile.means) * most)
        if total <= self._limits.max_work:
            return
        # The first Gaussian is the background, which every drawing has.
        work = _native.work(
            means[1:],
            cholesky[1:],
            colors[1:],
            self._file.header.q_max,
            part.height,
            part.width,
            part.crop,
            self._threads,
        )
        self._limits.require("max_work", reading + work, "the work to render, in blocks,")

    def _scaled(
        self, tiles: list[tuple[TilePlace, DecodedTile]], part: Part
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
        """Return the background and the Gaussians of tiles, in pixels of the part's sheet."""
        count = 1 + sum(len(tile.means) for _, tile in tiles)
        background = self._content.parameters.background_color
        means = np.empty((count, 2))
        cholesky = np.empty((count, 3))
        colors = np.empty((count, len(background)), np.float32)
        means[0] = part.width / 2, part.height / 2
        sigma = _BACKGROUND_SIGMA * max(part.height, part.width)
        cholesky[0] = sigma, 0, sigma
        colors[0] = background
        end = 1
        for place, tile in tiles:
            begin, end = end, end + len(tile.means)
            down, across = (zoom * self._grid.scales[place.level] for zoom in self._zoom)
            np.multiply(tile.means, (across, down), out=means[begin:end])
            np.multiply(tile.cholesky, (across, down, down), out=cholesky[begin:end])
            colors[begin:end] = tile.colors
        means[1:] -= (part.left, part.top)
        if any(self._blur):
            _blur(cholesky[1:], colors[1:], self._blur[1], self._blur[0])
        return means, cholesky, colors


def _blur(cholesky: NDArray[np.float64], colors: NDArray[np.float32], fx: float, fy: float) -> None:
    """Add variances of fx and fy px² to Gaussians in place, and keep their integrals."""
    l11, l21, l22 = np.ascontiguousarray(cholesky.T)
    xx = l11 * l11 + fx
    m11 = np.sqrt(xx)
    m22 = np.sqrt(l22 * l22 + fy + l21 * l21 * (fx / xx))
    cholesky[:, 0] = m11
    cholesky[:, 1] = l11 * l21 / m11
    cholesky[:, 2] = m22
    colors *= ((l11 / m11) * (l22 / m22))[:, None].astype(np.float32)
