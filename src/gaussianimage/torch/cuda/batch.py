"""The types that the kernels share: a flattened batch of pictures, and the lists of its entries."""

import math
from dataclasses import dataclass

from torch import Tensor

TILE = 16


@dataclass(frozen=True)
class Batch:
    """B pictures of N Gaussians each, in float32."""

    means: Tensor  # (B N, 2)
    cholesky: Tensor  # (B N, 3)
    colors: Tensor  # (B N, C)
    pictures: int
    height: int
    width: int
    q_max: float

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
    """The entries of consecutive Gaussians, and each tile's list of them."""

    first: int  # index of the first Gaussian
    count: int  # Gaussians
    offsets: Tensor  # (count + 1,) int64: where each Gaussian's entries start
    owners: Tensor  # (E,) int32: each entry's Gaussian, counted from `first`
    corners: Tensor  # (E, 2): dx and u at the tile's first pixel
    order: Tensor  # (E,) int64: the entries by tile
    starts: Tensor  # (tiles + 1,) int32: each tile's part of `order`
