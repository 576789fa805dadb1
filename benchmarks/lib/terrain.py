"""A map of a country that does not exist, with detail everywhere, made row by row.

The heights are a sum of octaves of value noise. On them lie shades and colors by height, contour
lines, a sea, roads along the level lines of another noise, and houses. Every pixel is a formula of
its place, so a picture of any size needs memory for a few rows only.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.float32]

COARSEST = 2048  # px between lattice points of the first octave
OCTAVES = 10  # the last has a lattice of 4 px
ROUGHNESS = 0.56  # amplitude of an octave over that of the one before
SEA = 0.44  # height of its shore
CONTOURS = 36.0  # contour lines between the heights 0 and 1
STREETS = 96  # px between houses
BLOCK = 64  # rows that are made at a time

# Colors from the shore up.
HEIGHTS = (0.0, 0.1, 0.3, 0.6, 1.0)
COLORS = np.array(
    [[222, 208, 160], [122, 164, 92], [92, 128, 72], [140, 122, 100], [244, 244, 246]], np.float32
)
DEEP, SHALLOW = np.array([[28, 62, 110], [110, 170, 196]], np.float32)
INK = np.array([112, 78, 50], np.float32)
ROAD = np.array([250, 214, 120], np.float32)
ROOF = np.array([158, 60, 48], np.float32)


class Terrain:
    """The map; an array by rows.

    Parameters
    ----------
    height, width : int
        Size in pixels.
    seed : int
        Another seed is another country.
    """

    def __init__(self, height: int, width: int, seed: int = 0) -> None:
        self.shape = height, width, 3
        self.dtype = np.dtype(np.uint8)
        self._seed = seed
        self._lattice: dict[tuple[int, int], Grid] = {}

    def __getitem__(self, rows: slice) -> NDArray[np.uint8]:
        """Return some rows, (n, width, 3)."""
        begin, end, _ = rows.indices(self.shape[0])
        blocks = []
        for top in range(begin // BLOCK * BLOCK, end, BLOCK):
            block = self._block(top)
            blocks.append(block[max(begin - top, 0) : end - top])
        self._lattice.clear()
        return np.concatenate(blocks)

    def _block(self, top: int) -> NDArray[np.uint8]:
        """Return the rows of one block, BLOCK of them."""
        # One row and one column more, for slopes.
        height = self._noise(top, BLOCK + 1, range(OCTAVES))
        slope_y = height[1:, :-1] - height[:-1, :-1]
        slope_x = height[:-1, 1:] - height[:-1, :-1]
        height = height[:-1, :-1]
        land = np.clip((height - SEA) / (1 - SEA), 0, 1)
        light = np.clip(0.95 - 26 * (slope_x + slope_y), 0.45, 1.25)[..., None]
        pixels = _ramp(land) * light
        slope = np.hypot(slope_x, slope_y) + np.float32(1e-5)
        lines = height * np.float32(CONTOURS)
        apart = np.abs(lines - np.rint(lines)) / (slope * np.float32(CONTOURS))
        _paint(pixels, np.clip(1.1 - apart, 0, 1) * 0.6, INK)
        self._build(pixels, top, land, slope)
        depth = np.clip((SEA - height) * 12, 0, 1)[..., None]
        sea = SHALLOW + depth * (DEEP - SHALLOW)
        sea = sea * (0.97 + 8 * slope_y[..., None].clip(-0.02, 0.02))
        shore = np.clip(0.5 + (SEA - height) / slope, 0, 1)[..., None]
        pixels += shore * (sea - pixels)
        return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)

    def _build(self, pixels: Grid, top: int, land: Grid, slope: Grid) -> None:
        """Paint roads and houses on the land."""
        other = self._noise(top, BLOCK + 1, range(3, 6), salt=100)
        change = np.hypot(
            other[1:, :-1] - other[:-1, :-1], other[:-1, 1:] - other[:-1, :-1]
        ) + np.float32(1e-5)
        other = other[:-1, :-1]
        bands = other * np.float32(5)
        apart = np.abs(bands - np.rint(bands)) / (change * np.float32(5))
        _paint(pixels, np.clip(3.6 - apart, 0, 1) * 0.75, INK)
        _paint(pixels, np.clip(2.6 - apart, 0, 1), ROAD)
        y = np.arange(top, top + BLOCK)[:, None]
        x = np.arange(pixels.shape[1])
        row, column = y // STREETS, x // STREETS
        chance = self._cells(row, column)
        half_height, half_width = 6 + 14 * chance[1], 6 + 14 * chance[2]
        down = np.abs(y % STREETS - STREETS / 2 - 8 * chance[3])
        across = np.abs(x % STREETS - STREETS / 2)
        inside = (down < half_height) & (across < half_width)
        built = inside & (chance[0] < 0.6) & (land < 0.35) & (slope < 0.01) & (apart > 5)
        sides = np.where(down < across, np.float32(1.2), np.float32(0.7))
        pixels[built] = sides[built][:, None] * ROOF

    def _cells(self, row: NDArray[Any], column: NDArray[Any]) -> NDArray[np.float32]:
        """Return four random numbers of 0 to 1 for each cell, spread over its pixels."""
        first, last = int(row[0, 0]), int(row[-1, 0])
        table = np.stack(
            [
                np.random.default_rng([self._seed, 1000, number]).random(
                    (4, int(column[-1]) + 1), np.float32
                )
                for number in range(first, last + 1)
            ]
        )
        return table[row - first, :, column].transpose(2, 0, 1)

    def _noise(self, top: int, rows: int, octaves: range, salt: int = 0) -> Grid:
        """Return noise of 0 to 1 about in some rows, with a column more than the picture."""
        width = self.shape[1] + 1
        total = np.zeros((rows, width), np.float32)
        weight, weights = 1.0, 0.0
        for octave in octaves:
            side = COARSEST >> octave
            first, last = top // side, (top + rows - 1) // side + 1
            points = np.stack([self._points(octave + salt, row) for row in range(first, last + 1)])
            y, v = _place(np.arange(top, top + rows), side)
            lines = points[y - first] + v[:, None] * (points[y - first + 1] - points[y - first])
            x, u = _place(np.arange(width), side)
            left = lines[:, x]
            total += np.float32(weight) * (left + u * (lines[:, x + 1] - left))
            weights += weight
            weight *= ROUGHNESS
        # Sums of octaves gather around 1/2; they are spread out again.
        total /= np.float32(weights)
        return (total - np.float32(0.5)) * np.float32(2.2) + np.float32(0.5)

    def _points(self, octave: int, row: int) -> Grid:
        """Return a row of the lattice of an octave."""
        if (octave, row) not in self._lattice:
            count = self.shape[1] // (COARSEST >> octave % 100) + 3
            generator = np.random.default_rng([self._seed, octave, row])
            self._lattice[octave, row] = generator.random(count, np.float32)
        return self._lattice[octave, row]


def _place(places: NDArray[Any], side: int) -> tuple[NDArray[Any], Grid]:
    """Return the lattice point before each place, and the weight of the next, a smooth step."""
    t = ((places % side) / side).astype(np.float32)
    return places // side, t * t * (3 - 2 * t)


def _ramp(values: Grid) -> Grid:
    """Return the colors of heights above the shore, (H, W, 3)."""
    return np.stack(
        [np.interp(values, HEIGHTS, COLORS[:, channel]) for channel in range(3)], axis=-1
    ).astype(np.float32)


def _paint(pixels: Grid, cover: Grid, color: Grid) -> None:
    """Lay a color on pixels, with a cover of 0 to 1 at each."""
    pixels += cover[..., None] * (color - pixels)
