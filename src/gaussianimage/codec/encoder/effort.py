"""The numbers of iterations of the encoder at effort 1 to 10."""

from dataclasses import dataclass

from gaussianimage._util.arguments import integer

DEFAULT_EFFORT = 5


@dataclass(frozen=True)
class Effort:
    """Numbers of iterations of the encoder's stages.

    Attributes
    ----------
    fit : int
        Iterations of the fit.
    rounds, round_iterations : int
        Number of rounds of pruning and regrowing, and of iterations in each.
    stages, stage_iterations : int
        Number of stages of the quantization, and of iterations after each.
    stage_passes, passes : int
        Number of passes of the coordinate descent over the Gaussians of each stage, and over all
        Gaussians at the end.
    cycles : int
        How often the quantization in stages and the passes at the end are made; each one after the
        first begins with the Gaussians of the one before.
    drafts : int
        Largest number of quantizations in the search for a size, PSNR or SSIM.
    """

    fit: int
    rounds: int
    round_iterations: int
    stages: int
    stage_iterations: int
    stage_passes: int
    passes: int
    cycles: int
    drafts: int


_EFFORTS = tuple(
    Effort(*row)
    for row in (
        # fit, rounds, of each, stages, of each, stage_passes, passes, cycles, drafts
        (70, 8, 11, 3, 6, 1, 1, 1, 3),
        (100, 12, 14, 5, 8, 1, 1, 1, 3),
        (100, 18, 19, 5, 14, 1, 2, 1, 4),
        (100, 26, 20, 7, 25, 2, 3, 1, 4),
        (100, 56, 20, 8, 40, 2, 4, 1, 5),
        (100, 64, 24, 8, 40, 2, 4, 2, 5),
        (100, 90, 24, 8, 40, 2, 4, 3, 6),
        (100, 120, 26, 8, 40, 2, 4, 4, 6),
        (100, 150, 28, 8, 40, 2, 4, 6, 7),
        (100, 240, 30, 8, 40, 2, 4, 10, 8),
    )
)


def effort_level(level: int) -> Effort:
    """Return the numbers of an effort from 1 to 10.

    Raises
    ------
    TypeError, ValueError
        `level` is not an integer from 1 to 10.
    """
    number = integer("effort", level)
    if not 1 <= number <= len(_EFFORTS):
        raise ValueError(f"effort: expected 1 to {len(_EFFORTS)}, got {number}")
    return _EFFORTS[number - 1]
