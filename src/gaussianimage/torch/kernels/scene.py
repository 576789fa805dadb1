"""Gaussians of a batch of pictures as the kernels take them: flat, contiguous, with the frame."""

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
