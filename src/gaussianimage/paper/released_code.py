"""What the paper's released code does otherwise, switch by switch, for comparison."""

from dataclasses import dataclass

__all__ = ["RELEASED", "ReleasedCode"]

# Entries that the released kernels draw of a tile.
_ENTRIES = 256


@dataclass(frozen=True)
class ReleasedCode:
    """The differences of the released code's kernels that a training follows; none by default.

    Parameters
    ----------
    doubled_gradient : bool, default False
        Whether the gradient by the covariance's entry xy counts twice on its way to the learned
        shape.
    tile_cut : bool, default False
        Whether a Gaussian is also cut off where the 16 × 16 tiles of its square of 3σ end.
    tile_entries : int, default 0
        The most Gaussians that a tile draws, in the order of their indices, 0 for all; 256 in the
        released code. Only with `tile_cut`.
    integer_pixels : bool, default False
        Whether pixels have integer coordinates, so that a picture's left column is at 0 and not at
        ½ px.

    Raises
    ------
    ValueError
        If `tile_entries` is negative, or given without `tile_cut`.
    """

    doubled_gradient: bool = False
    tile_cut: bool = False
    tile_entries: int = 0
    integer_pixels: bool = False

    def __post_init__(self) -> None:
        if self.tile_entries < 0:
            raise ValueError(f"tile_entries: expected from 0, got {self.tile_entries}")
        if self.tile_entries and not self.tile_cut:
            raise ValueError("tile_entries: only with tile_cut")

    @property
    def changes_iterations(self) -> bool:
        """Whether iterations differ, and not only where pixels are."""
        return self.doubled_gradient or self.tile_cut


# All of them.
RELEASED = ReleasedCode(True, True, _ENTRIES, True)
