"""How far a fit or an encoder is, as their callback is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Progress:
    """How far a fit is, or the encoding of a file.

    Attributes
    ----------
    stage : str
        "fit"; of an encoder also "probe" (short fits that find the number of Gaussians), "prune"
        (Gaussians are removed and others added elsewhere), "quantize" (Gaussians are rounded, a
        part at a time) and "refine" (all Gaussians are rounded once more); "tiles" of
        `encode_tiled`.
    iteration, iterations : int
        Steps of this stage that are done, and in all: iterations, rounds, parts, passes or tiles.
    gaussians : int
        Gaussians that there are now.
    psnr : float
        In dB, of the unclamped float picture; not finite where it has not been measured.
    seconds, seconds_left : float
        Seconds since the start, and an estimate of those until the end of the whole work; infinite
        where nothing is known yet.
    done : float
        Part of the whole work, 0 to 1; it never falls.
    """

    stage: str
    iteration: int
    iterations: int
    gaussians: int
    psnr: float
    seconds: float
    seconds_left: float
    done: float


OnProgress: TypeAlias = Callable[[Progress], None]
