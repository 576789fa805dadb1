"""A tile that is to be encoded, with everything that a worker in another process needs for it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaussianimage.codec.decoder.tile_cache import TileFrame
from gaussianimage.codec.encoder.effort import Effort
from gaussianimage.codec.encoder.eye_weights import first_weights
from gaussianimage.codec.tiled.drawn_tiles import Drawn
from gaussianimage.codec.tiled.fit_tile import TileResult, encode_tile
from gaussianimage.codec.tiled.levels import to_pixels
from gaussianimage.codec.tiled.rows import Pixels, Samples
from gaussianimage.errors import GaussianImageError


@dataclass(frozen=True)
class TileOptions:
    """What all tiles of a level have in common.

    Attributes
    ----------
    step : float
        The color step Δ of the picture.
    usual_masking : float or None
        `UsualMasking.value` of the level; None without tuning for the eye.
    repair_step : float or None
        The color step Δ of the quality, which tells how bad a block may be; None without repairs.
    effort : Effort
    bit_depth : int
        Bits of a sample of the picture, 8 or 16.
    progressive : bool
        Whether the tile has layers.
    room : float
        How far the tile may exceed white and black, in the colors of the picture.
    """

    step: float
    usual_masking: float | None
    repair_step: float | None
    effort: Effort
    bit_depth: int
    progressive: bool
    room: float


@dataclass(frozen=True)
class TileJob:
    """A tile that is to be encoded.

    Attributes
    ----------
    frame : TileFrame
        The tile.
    picture : ndarray, (H, W, C)
        The picture in the tile's frame: samples of the source, or pixels of a coarser level.
    drawn : Drawn
        What coarser levels and neighbors draw there.
    options : TileOptions
    seed : int
        Seed of the fit.
    """

    frame: TileFrame
    picture: Samples | Pixels
    drawn: Drawn
    options: TileOptions
    seed: int

    def encode(self, threads: int) -> TileResult:
        """Encode the tile; the bytes do not depend on the number of threads.

        Raises
        ------
        GaussianImageError
            The tile can't be encoded.
        MemoryError, OSError
            The system refuses something.
        """
        try:
            return self._encode(threads)
        except (OSError, MemoryError):
            raise
        except Exception as error:
            text = f"{self.frame.place} can't be encoded: {error}"
            raise GaussianImageError(text) from error

    def _encode(self, threads: int) -> TileResult:
        seen: NDArray[np.float32] = (
            self.picture if self.picture.dtype == np.float32 else to_pixels(self.picture)
        )
        options = self.options
        usual = options.usual_masking
        return encode_tile(
            self.frame,
            seen,
            self.drawn.draw(threads),
            options.step,
            weights=None if usual is None else first_weights(seen, usual, threads=threads),
            repair_step=options.repair_step,
            effort=options.effort,
            bit_depth=options.bit_depth,
            progressive=options.progressive,
            room=options.room,
            seed=self.seed,
            threads=threads,
        )


def encode_jobs(threads: int, jobs: Sequence[TileJob]) -> list[TileResult]:
    """Encode some tiles, on a worker."""
    return [job.encode(threads) for job in jobs]
