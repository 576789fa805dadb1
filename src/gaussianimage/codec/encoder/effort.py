"""How much time an encoder takes: the numbers behind effort 1 to 10."""

from dataclasses import dataclass

from gaussianimage._util.arguments import integer

DEFAULT_EFFORT = 5


@dataclass(frozen=True)
class Effort:
    """Iterations of an encoder's parts.

    Attributes
    ----------
    fit : int
        Iterations of the fit.
    rounds, round_iterations : int
        Rounds of pruning and regrowing, and iterations of each.
    newton : bool
        Whether these are Gauss-Newton's, which needs fewer, or Adam's, which ends up better.
    stages, stage_iterations : int
        Stages of the quantization, and iterations after each.
    stage_passes, passes : int
        Passes over each stage's Gaussians, and over all together in the end.
    drafts : int
        Quantizations at most in the search for a size or a PSNR.
    """

    fit: int
    rounds: int
    round_iterations: int
    newton: bool
    stages: int
    stage_iterations: int
    stage_passes: int
    passes: int
    drafts: int


_EFFORTS = tuple(
    Effort(*row)
    for row in (
        # fit, rounds, of each, newton, stages, of each, stage_passes, passes, drafts
        (70, 4, 18, True, 5, 6, 1, 1, 3),
        (110, 6, 20, True, 8, 8, 1, 1, 3),
        (150, 10, 24, True, 10, 12, 1, 2, 4),
        (200, 15, 28, True, 15, 15, 2, 2, 4),
        (250, 24, 30, True, 20, 20, 2, 3, 5),
        (250, 30, 30, True, 25, 30, 2, 4, 5),
        (500, 30, 60, False, 25, 40, 2, 4, 6),
        (500, 42, 60, False, 30, 50, 2, 5, 6),
        (600, 64, 60, False, 35, 60, 2, 6, 7),
        (800, 96, 70, False, 40, 80, 2, 8, 8),
    )
)


def effort_level(level: int) -> Effort:
    """Return the numbers of an effort from 1 to 10.

    Raises
    ------
    TypeError, ValueError
        If it is no such integer.
    """
    number = integer("effort", level)
    if not 1 <= number <= len(_EFFORTS):
        raise ValueError(f"effort: expected 1 to {len(_EFFORTS)}, got {number}")
    return _EFFORTS[number - 1]
