"""What the kernels hand on: a batch of pictures, laid out flat, and the lists of its entries."""

import math
from dataclasses import dataclass

from torch import Tensor

TILE = 16


@dataclass(frozen=True)
class Scene:
    """B pictures of N Gaussians each, in float32."""

    means: Tensor  # (B N, 2)
    cholesky: Tensor  # (B N, 3)
    colors: Tensor  # (B N, C)
    batch: int
    height: int
    width: int
    q_max: float

    @classmethod
    def of(
        cls,
        means: Tensor,  # (B, N, 2)
        cholesky: Tensor,  # (B, N, 3)
        colors: Tensor,  # (B, N, C)
        size: tuple[int, int],
        q_max: float,
    ) -> "Scene":
        """Lay a batch out flat."""
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
        """Gaussians of one picture, at least 1 for divisions by it."""
        return max(1, self.count // max(1, self.batch))

    @property
    def channels(self) -> int:
        """Numbers per pixel."""
        return self.colors.shape[1]

    @property
    def tiles_x(self) -> int:
        """Tiles next to each other."""
        return -(-self.width // TILE)

    @property
    def tiles_y(self) -> int:
        """Tiles below each other."""
        return -(-self.height // TILE)

    @property
    def tiles(self) -> int:
        """Tiles of all pictures."""
        return self.batch * self.tiles_x * self.tiles_y

    @property
    def reach(self) -> float:
        """Where the cut is, in standard deviations."""
        return math.sqrt(2 * self.q_max)


@dataclass(frozen=True)
class Lists:
    """The entries of some Gaussians, and where each tile finds its own."""

    first: int  # of the Gaussians
    count: int  # of the Gaussians
    offsets: Tensor  # (count + 1,) int64: each Gaussian's entries, from the first one's on
    owners: Tensor  # (E,) int32: each entry's Gaussian, from `first` on
    corners: Tensor  # (E, 2): dx and u at the tile's first pixel
    order: Tensor  # (E,) int64: the entries by tile
    starts: Tensor  # (tiles + 1,) int32: each tile's part of `order`
