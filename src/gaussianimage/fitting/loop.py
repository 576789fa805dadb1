"""One run of a fit: the optimizer, what drives it and whom it tells."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage._util.interrupt import Interrupt
from gaussianimage.fitting.density import box_blur, detail
from gaussianimage.fitting.placement import BLUR_RADIUS, births
from gaussianimage.fitting.schedule import REPLACED_FRACTION, Schedule
from gaussianimage.fitting.state import TRAIN_ALL, FitState
from gaussianimage.gaussians import Gaussians
from gaussianimage.picture import Picture

SOLVE_ITERATIONS = 12
SOLVE_RIDGE = 1e-4


@dataclass(frozen=True)
class FitProgress:
    """How far a fit is, or the encoding of a file.

    Attributes
    ----------
    stage : str
        "fit"; of an encoder also "probe" (short fits that find the number of Gaussians), "prune"
        (Gaussians are removed and others added elsewhere), "quantize" (they are rounded, a part at
        a time) and "refine" (all are rounded once more).
    iteration, iterations : int
        Done, and to do, in this stage: iterations, rounds, parts or sweeps.
    gaussians : int
        There are now.
    psnr : float
        In dB, of the unclamped float picture; not finite where it has not been measured.
    seconds, seconds_left : float
        Since the start, and estimated until the end of the whole work; infinite where nothing is
        known yet.
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


@dataclass(frozen=True, eq=False)
class FitResult:
    """What a fit has come to."""

    gaussians: Gaussians
    psnr: float  # dB, of the unclamped float picture; errors count by the picture's weights
    iterations: int  # done in all
    seconds: float  # of this call
    interrupted: bool  # by Ctrl-C, which was to be no error: less was done than asked for
    state: FitState  # to go on from; before the final solve for the colors


class Run:
    """One call of `fit`: the optimizer, what drives it and whom it tells."""

    def __init__(
        self,
        picture: Picture,
        state: FitState,
        new_optimizer: Callable[[], _native.Optimizer],
        chunk: int,
        progress: Callable[[FitProgress], None] | None,
        on_step: Callable[[FitState], None] | None,
        interrupt: Interrupt,
    ) -> None:
        have = (picture.height, picture.width, picture.channels)
        want = (state.height, state.width, state.channels)
        if have != want:
            raise ValueError(f"resume: expected a picture of shape {want}, got {have}")
        self._picture = picture
        self._start = state
        self._iteration = state.iteration
        self._schedule = Schedule(state.iterations, state.target)
        self._progress = progress
        self._on_step = on_step
        self._interrupt = interrupt
        self._chunk = chunk
        self._optimizer = new_optimizer()
        state.restore(self._optimizer)
        self._detail: NDArray[np.float32] | None = None
        self._psnr = -math.inf
        self._began = time.perf_counter()
        self._told = self._began

    def to_the_end(self) -> FitResult:
        """Do what is left of the iterations and solve for the colors, unless cut short."""
        self._interrupt.begin()
        self._iterate()
        state = self._state()
        if not self._interrupt.is_pressed():
            with self._interrupt.cut_short():
                self._psnr = self._decibels(self._solve_colors())
        if self._interrupt.is_pressed():
            self._psnr = self._decibels(self._optimizer.solve_colors(0, SOLVE_RIDGE))
        self._step(state)
        if not self._interrupt.is_pressed():
            with self._interrupt.cut_short():
                self._tell(force=True)
        return FitResult(
            gaussians=self._state().gaussians,
            psnr=self._psnr,
            iterations=self._iteration,
            seconds=time.perf_counter() - self._began,
            interrupted=self._interrupt.is_pressed(),
            state=state,
        )

    def _iterate(self) -> None:
        renewals = set(self._schedule.renewal_steps())
        total = self._start.iterations
        while self._iteration < total:
            if self._iteration in renewals:
                self._renew()
            if self._interrupt.is_pressed():
                return
            end = min(self._iteration + self._chunk, total)
            end = min([end, *(step for step in renewals if self._iteration < step < end)])
            begin, before = self._iteration, self._optimizer.steps
            with self._interrupt.cut_short():
                losses = self._optimizer.run(self._schedule.rates(begin, end), self._start.energy)
                self._psnr = self._decibels(float(losses[-1]))
            self._iteration = begin + self._optimizer.steps - before
            if self._interrupt.is_pressed():
                return
            with self._interrupt.cut_short():
                self._tell()

    def _renew(self) -> None:
        """Replace the weakest and grow to the schedule's target, by a generator of its own."""
        if self._iteration == self._start.iteration and self._optimizer.age[-1] == 0:
            return  # a state from after this renewal: its last Gaussians are new
        self._remove_weakest()
        count = self._schedule.target(self._iteration) - len(self._optimizer)
        if count <= 0:
            return
        if self._detail is None:
            self._detail = box_blur(detail(self._picture.pixels), BLUR_RADIUS)
        generator = np.random.default_rng([self._start.seed, self._iteration])
        new = births(self._optimizer.residual(), self._detail, count, self._start.target, generator)
        self._optimizer.add(*new)
        if self._on_step is not None:
            self._step(self._state())

    def _step(self, state: FitState) -> None:
        if self._on_step is not None:
            with self._interrupt.cut_short():
                self._on_step(state)

    def _remove_weakest(self) -> None:
        """Remove those whose energy is least, but for what is held."""
        optimizer = self._optimizer
        count = int(REPLACED_FRACTION * len(optimizer))
        candidates = np.flatnonzero(optimizer.trainable == TRAIN_ALL)
        if count == 0:
            return
        cholesky, colors = optimizer.cholesky[candidates], optimizer.colors[candidates]
        energy = np.square(colors).sum(axis=1) * cholesky[:, 0] * cholesky[:, 2]
        keep = np.ones(len(optimizer), np.uint8)
        keep[candidates[np.argsort(energy, kind="stable")[:count]]] = 0
        optimizer.keep(keep)

    def _solve_colors(self) -> float:
        """Solve for the colors and return ½ Σ (I − T)², which does not get larger."""
        optimizer = self._optimizer
        colors = optimizer.colors.copy()
        before = optimizer.solve_colors(0, SOLVE_RIDGE)
        after = optimizer.solve_colors(SOLVE_ITERATIONS, SOLVE_RIDGE)
        if after <= before:
            return after
        # The ridge is relative to a Gaussian's energy on the whole plane: it takes the color away
        # from one that has grown far beyond the picture.
        optimizer.colors = colors
        return before

    def _state(self) -> FitState:
        optimizer, start = self._optimizer, self._start
        return FitState(
            means=optimizer.means,
            cholesky=optimizer.cholesky,
            colors=optimizer.colors,
            first=optimizer.first,
            second=optimizer.second,
            age=optimizer.age,
            trainable=optimizer.trainable,
            iteration=self._iteration,
            iterations=start.iterations,
            target=start.target,
            seed=start.seed,
            height=start.height,
            width=start.width,
            q_max=start.q_max,
            energy=start.energy,
        )

    def _decibels(self, loss: float) -> float:
        """Turn ½ Σ (I − T)² into dB of PSNR, for values of 0 to 1."""
        mean = 2 * loss / self._picture.pixels.size
        return math.inf if mean <= 0 else -10 * math.log10(mean)

    def _tell(self, *, force: bool = False) -> None:
        now = time.perf_counter()
        if self._progress is None or not (force or now - self._told >= 0.1):
            return
        self._told = now
        done = self._iteration - self._start.iteration
        left = self._start.iterations - self._iteration
        seconds = now - self._began
        seconds_left = 0.0
        if left:
            seconds_left = seconds / done * left if done else math.inf
        self._progress(
            FitProgress(
                stage="fit",
                iteration=self._iteration,
                iterations=self._start.iterations,
                gaussians=len(self._optimizer),
                psnr=self._psnr,
                seconds=seconds,
                seconds_left=seconds_left,
                done=done / max(done + left, 1),
            )
        )
