"""I-NGP: a picture as a small network over a pyramid of grids; the fine levels are hash tables.

T. Müller, A. Evans, C. Schied, A. Keller: Instant neural graphics primitives with a multiresolution
hash encoding. ACM Transactions on Graphics 41(4), 2022, arXiv 2201.05989.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

FEATURES = 2  # at every grid point
COARSEST = 16  # cells a side
NEURONS = 64
SPREAD = 1e-4  # of the features at the start

_PRIME = 2654435761


class HashGrid(nn.Module):
    """A network from coordinates (P, 2) in -1..1 to colors (P, 3).

    Parameters
    ----------
    finest : int
        Cells a side of the finest level, about half the picture's longer side in pixels.
    table : int
        Largest number of entries of a level. The points of a larger grid share them by a hash.
    levels : int
    """

    def __init__(
        self, finest: int, table: int, generator: torch.Generator, levels: int = 16
    ) -> None:
        super().__init__()
        growth = (max(finest, COARSEST) / COARSEST) ** (1 / (levels - 1))
        self.cells = [round(COARSEST * growth**level) for level in range(levels)]
        sizes = [min((cells + 1) ** 2, table) for cells in self.cells]
        self.tables = nn.ParameterList(
            torch.empty(size, FEATURES).uniform_(-SPREAD, SPREAD, generator=generator)
            for size in sizes
        )
        sizes = [FEATURES * levels, NEURONS, NEURONS, 3]
        self.layers = nn.ParameterList()
        for fan_in, fan_out in pairwise(sizes):
            bound = (6 / (fan_in + fan_out)) ** 0.5
            weight = torch.empty(fan_out, fan_in).uniform_(-bound, bound, generator=generator)
            self.layers.append(weight)

    def forward(self, coordinates: Tensor) -> Tensor:
        """Return the colors, unclamped."""
        unit = 0.5 + 0.5 * coordinates
        pairs = zip(self.tables, self.cells, strict=True)
        values = torch.cat([_interpolated(table, cells, unit) for table, cells in pairs], dim=1)
        for weight in self.layers[:-1]:
            values = torch.relu(values @ weight.T)
        return 0.5 + values @ self.layers[-1].T


def _interpolated(table: Tensor, cells: int, unit: Tensor) -> Tensor:
    """Interpolate a level's features linearly between the four points around each coordinate."""
    place = unit * cells
    low = place.floor().clamp(0, cells - 1)
    right, down = (place - low).unbind(1)
    x, y = low.long().unbind(1)
    result = torch.zeros(())
    for dx, weight_x in ((0, 1 - right), (1, right)):
        for dy, weight_y in ((0, 1 - down), (1, down)):
            if (cells + 1) ** 2 <= len(table):
                index = (y + dy) * (cells + 1) + x + dx
            else:
                index = ((x + dx) ^ ((y + dy) * _PRIME)) % len(table)
            features = nn.functional.embedding(index, table)
            result = result + (weight_x * weight_y)[:, None] * features
    return result
