"""The progress of the encoder, estimated from the costs of its stages."""

import math
import time

from gaussianimage.codec.encoder.effort import Effort
from gaussianimage.fitting.progress import OnProgress, Progress

# Approximate costs, in iterations of a fit: of an iteration of a probe, of a round of pruning and
# of a stage of the quantization, and of a pass of the coordinate descent over all Gaussians.
PROBE, ROUND, STAGE, PASS = 0.25, 1.3, 0.8, 30.0

LAST_FEW = 0.99  # largest share that is reported: the work may exceed the plan


class Meter:
    """Converts the progress of single stages to that of the whole encoding.

    Parameters
    ----------
    progress : callable or None
        Function that takes a `Progress`.
    effort : Effort
    drafts : int
        Expected number of quantizations; the first takes longer than each of the later ones.
    probes : bool
        Whether the encoder starts with two probes.
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
        cycle = self._costs["quantize"] + self._costs["refine"]
        draft = self._costs["prune"] + effort.cycles * cycle
        further = draft - 2 / 3 * self._costs["prune"]
        self._planned = self._costs["fit"] + draft + further * (drafts - 1)
        self._planned += 2 * self._costs["probe"] * probes
        self._past = 0.0  # cost of the completed stages
        self._stage, self._share = "", 0.0
        self._shown = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the meter was made."""
        return time.perf_counter() - self._began

    def report(
        self, stage: str, iteration: int, iterations: int, gaussians: int, psnr: float
    ) -> None:
        """Report the progress of a stage; `Progress` documents the arguments."""
        share = iteration / max(iterations, 1)
        if stage != self._stage or share < self._share:
            self._past += self._costs.get(self._stage, 0.0)
        self._stage, self._share = stage, share
        done = self._past + share * self._costs[stage]
        # Drafts or fits beyond the plan slow the progress down; it never falls.
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

    def report_fit(self, progress: Progress) -> None:
        """Report the progress of the fit."""
        self.report(
            "fit", progress.iteration, progress.iterations, progress.gaussians, progress.psnr
        )

    def report_probe(self, progress: Progress) -> None:
        """Report the progress of a probe."""
        self.report(
            "probe", progress.iteration, progress.iterations, progress.gaussians, progress.psnr
        )
