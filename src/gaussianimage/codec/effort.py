"""How much time an encoder takes: the numbers behind effort 1 to 10."""

from dataclasses import dataclass

from gaussianimage.arguments import integer

DEFAULT_EFFORT = 5


@dataclass(frozen=True)
class Effort:
    """Iterations of an encoder's parts.

    Attributes
    ----------
    fit : int
        Of the fit.
    rounds, settle : int
        Rounds in which weak Gaussians are removed and others put elsewhere, and iterations of each.
    newton : bool
        Whether these are Gauss-Newton steps, which need fewer, or Adam's, which end up better.
    stages, stage : int
        Stages of the freezing, and iterations after each.
    stage_sweeps, sweeps : int
        Refinements of each stage's Gaussians, and of all together in the end.
    drafts : int
        Quantizations at most in the search for a size or a PSNR.
    """

    fit: int
    rounds: int
    settle: int
    newton: bool
    stages: int
    stage: int
    stage_sweeps: int
    sweeps: int
    drafts: int


_EFFORTS = (
    Effort(
        fit=70,
        rounds=4,
        settle=18,
        newton=True,
        stages=5,
        stage=6,
        stage_sweeps=1,
        sweeps=1,
        drafts=3,
    ),
    Effort(
        fit=110,
        rounds=6,
        settle=20,
        newton=True,
        stages=8,
        stage=8,
        stage_sweeps=1,
        sweeps=1,
        drafts=3,
    ),
    Effort(
        fit=150,
        rounds=10,
        settle=24,
        newton=True,
        stages=10,
        stage=12,
        stage_sweeps=1,
        sweeps=2,
        drafts=4,
    ),
    Effort(
        fit=200,
        rounds=15,
        settle=28,
        newton=True,
        stages=15,
        stage=15,
        stage_sweeps=2,
        sweeps=2,
        drafts=4,
    ),
    Effort(
        fit=250,
        rounds=24,
        settle=30,
        newton=True,
        stages=20,
        stage=20,
        stage_sweeps=2,
        sweeps=3,
        drafts=5,
    ),
    Effort(
        fit=500,
        rounds=20,
        settle=60,
        newton=False,
        stages=20,
        stage=30,
        stage_sweeps=2,
        sweeps=3,
        drafts=5,
    ),
    Effort(
        fit=500,
        rounds=30,
        settle=60,
        newton=False,
        stages=25,
        stage=40,
        stage_sweeps=2,
        sweeps=4,
        drafts=6,
    ),
    Effort(
        fit=500,
        rounds=42,
        settle=60,
        newton=False,
        stages=30,
        stage=50,
        stage_sweeps=2,
        sweeps=5,
        drafts=6,
    ),
    Effort(
        fit=600,
        rounds=64,
        settle=60,
        newton=False,
        stages=35,
        stage=60,
        stage_sweeps=2,
        sweeps=6,
        drafts=7,
    ),
    Effort(
        fit=800,
        rounds=96,
        settle=70,
        newton=False,
        stages=40,
        stage=80,
        stage_sweeps=2,
        sweeps=8,
        drafts=8,
    ),
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
