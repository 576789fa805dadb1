"""The types that the kernels share: a flattened batch of pictures, and the lists of its entries."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# Pixels a side. Small tiles have more entries, but an entry of 16 x 16 pixels mostly covers pixels
# that its Gaussian does not touch, if there are more than some 20,000 in 768 x 512 pixels;
# docs/experiments/smaller-tiles-by-their-instructions.md counts.
TILE = 8


@dataclass(frozen=True)
class Learned:
    """Numbers from which the kernels compute centers and Cholesky factors, in float32.

    A center is middle + reach · tanh(means), and a factor is shape + offsets.
    """

    means: Tensor  # (N, 2)
    shape: Tensor  # (N, 3)
    middle: Tensor  # (2,), px
    reach: Tensor  # (2,), px
    offsets: Tensor  # (3,), px


@dataclass(frozen=True)
class Batch:
    """B pictures of N Gaussians each, in float32."""

    means: Tensor  # (B N, 2); with `learned`, written when the lists are made
    cholesky: Tensor  # (B N, 3); likewise
    colors: Tensor  # (B N, C)
    pictures: int
    height: int
    width: int
    q_max: float
    learned: Learned | None = None

    @classmethod
    def of_learned(
        cls, learned: Learned, colors: Tensor, size: tuple[int, int], q_max: float
    ) -> "Batch":
        """Return one picture, with memory for its centers and factors."""
        means, cholesky = torch.empty_like(learned.means), torch.empty_like(learned.shape)
        return cls(means, cholesky, colors, 1, *size, q_max, learned)

    @classmethod
    def flatten(
        cls,
        means: Tensor,  # (B, N, 2)
        cholesky: Tensor,  # (B, N, 3)
        colors: Tensor,  # (B, N, C)
        size: tuple[int, int],
        q_max: float,
    ) -> "Batch":
        """Merge the axes of pictures and Gaussians."""
        first, second, third = (
            t.contiguous().view(-1, t.shape[2]) for t in (means, cholesky, colors)
        )
        return cls(first, second, third, len(means), *size, q_max)

    @property
    def count(self) -> int:
        """Gaussians of all pictures."""
        return len(self.means)

    @property
    def per_picture(self) -> int:
        """Gaussians of one picture; 1 if there are none, so that one can divide by it."""
        return max(1, self.count // max(1, self.pictures))

    @property
    def channels(self) -> int:
        """Channels C of a pixel."""
        return self.colors.shape[1]

    @property
    def tiles_x(self) -> int:
        """Tiles in a row."""
        return -(-self.width // TILE)

    @property
    def tiles_y(self) -> int:
        """Tiles in a column."""
        return -(-self.height // TILE)

    @property
    def tiles(self) -> int:
        """Tiles of all pictures."""
        return self.pictures * self.tiles_x * self.tiles_y

    @property
    def reach(self) -> float:
        """Radius of the cut-off in standard deviations."""
        return math.sqrt(2 * self.q_max)


@dataclass(frozen=True)
class TileLists:
    """The entries of consecutive Gaussians, and each tile's list of them.

    Entries have two numbers: by Gaussian, which says where the gradient keeps an entry's sums, and
    by list. Where Gaussians and tiles start is left to the order in which programs run; no result
    depends on it.
    """

    first: int  # index of the first Gaussian
    count: int  # Gaussians
    boxes: Tensor  # (count, 4) int32: left, top, width and height in tiles
    offsets: Tensor  # (count,) int64: where each Gaussian's entries start, row by row of its box
    used: Tensor  # (3,) int64: the number of entries that there are, whether they fit or not, ...
    spans: Tensor  # (tiles, 2) int32: where each tile's list begins and ends
    owners: Tensor  # (E,) int32, by list: each entry's Gaussian, counted from `first`
    entries: Tensor  # (E,) int32, by list: its number by Gaussian; E or more if it did not fit
    forms: Tensor  # (E, 5), by list: z₁ and z₂ on the tile, see `forward.footprints`

    @property
    def capacity(self) -> int:
        """The number E of entries that there is memory for."""
        return len(self.owners)
