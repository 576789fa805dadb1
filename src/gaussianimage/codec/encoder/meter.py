"""How far an encoder is: its stages, each with its cost."""

import math
import time

from gaussianimage.codec.encoder.effort import Effort
from gaussianimage.fitting.progress import OnProgress, Progress

# Cost of an iteration, in iterations of a fit, about: in a probe, in a round of pruning, in a stage
# of the quantization, and of a pass.
PROBE, ROUND, STAGE, PASS = 0.5, 1.3, 0.8, 30.0

LAST_FEW = 0.99  # shown while more is left than was planned


class Meter:
    """Turns what stages tell into the progress of the whole work.

    Parameters
    ----------
    progress : callable or None
        Whom to tell.
    effort : Effort
    drafts : int
        Quantizations that are likely to be made; the first takes longer than those that go on from
        it.
    probes : bool
        Whether short fits come first.
    """

    def __init__(
        self, progress: OnProgress | None, effort: Effort, *, drafts: int, probes: bool
    ) -> None:
        self._progress = progress
        self._began = time.perf_counter()
        self._costs = {
            "probe": PROBE * 50,
            "fit": float(effort.fit),
            "prune": ROUND * effort.rounds * effort.round_iterations,
            "quantize": STAGE * effort.stages * effort.stage_iterations
            + PASS * effort.stage_passes,
            "refine": PASS * effort.passes,
        }
        draft = self._costs["prune"] + self._costs["quantize"] + self._costs["refine"]
        further = draft - 2 / 3 * self._costs["prune"]
        self._planned = self._costs["fit"] + draft + further * (drafts - 1)
        self._planned += 2 * self._costs["probe"] * probes
        self._past = 0.0  # cost of the stages that are over
        self._stage, self._share = "", 0.0
        self._shown = 0.0

    @property
    def seconds(self) -> float:
        """Since the work began."""
        return time.perf_counter() - self._began

    def tell(
        self, stage: str, iteration: int, iterations: int, gaussians: int, psnr: float
    ) -> None:
        """Say how far a stage is; as `Progress` for the arguments."""
        share = iteration / max(iterations, 1)
        if stage != self._stage or share < self._share:
            self._past += self._costs.get(self._stage, 0.0)
        self._stage, self._share = stage, share
        done = self._past + share * self._costs[stage]
        # More drafts or fits than were planned slow the bar down, and never set it back.
        fraction = min(done / self._planned, LAST_FEW)
        self._shown = max(self._shown, fraction)
        if self._progress is None:
            return
        seconds = self.seconds
        left = seconds / self._shown - seconds if self._shown > 0 else math.inf
        self._progress(
            Progress(
                stage=stage,
                iteration=iteration,
                iterations=iterations,
                gaussians=gaussians,
                psnr=psnr,
                seconds=seconds,
                seconds_left=left,
                done=self._shown,
            )
        )

    def tell_of_fit(self, progress: Progress) -> None:
        """Pass on how far a fit is that is part of the work."""
        self.tell("fit", progress.iteration, progress.iterations, progress.gaussians, progress.psnr)

    def tell_of_probe(self, progress: Progress) -> None:
        """Pass on how far a short fit is."""
        self.tell(
            "probe", progress.iteration, progress.iterations, progress.gaussians, progress.psnr
        )
