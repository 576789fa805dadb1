"""The loop of a fit: iterations of the optimizer, and between them the renewal of Gaussians."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gaussianimage._util.interrupt import Interrupt
from gaussianimage.backends import Backend
from gaussianimage.fitting.density import blur_twice, detail
from gaussianimage.fitting.memory import begin_newton, measure_overlaps
from gaussianimage.fitting.placement import BLUR_RADIUS, births
from gaussianimage.fitting.progress import OnProgress, Progress
from gaussianimage.fitting.schedule import Schedule
from gaussianimage.fitting.state import TRAIN_ALL, FitState
from gaussianimage.gaussians import Gaussians
from gaussianimage.picture import Picture

# The amplitude |c| √(π l₁₁ l₂₂) of a Gaussian that is so faint that it hardly moves.
FAINT = 0.01
SOLVE_ITERATIONS = 12
SOLVE_RIDGE = 1e-4

# A fit for a file with more than DENSE Gaussians a pixel, as of lettering, has enough of them once
# its squared error is below ENOUGH_GAUSSIANS · N · least², and enough iterations once it is below
# ENOUGH_ITERATIONS · N · least² (docs/experiments/dense-drawings.md).
DENSE = 0.04
ENOUGH_GAUSSIANS, ENOUGH_ITERATIONS = 1.0, 0.3


@dataclass(frozen=True, eq=False)
class FitResult:
    """What `fit` returns."""

    psnr: float  # dB, of the float picture; the picture's weights and ends apply
    iterations: int  # done in all
    seconds: float  # of this call
    interrupted: bool  # whether Ctrl-C ended the fit early, with on_interrupt="keep"
    state: FitState  # where a later fit continues; before the final solve for the colors
    colors: NDArray[np.float32]  # (N, C): those of the Gaussians, after the final solve

    @cached_property
    def gaussians(self) -> Gaussians:
        """The fitted Gaussians. They are made when they are asked for first."""
        return replace(self.state, colors=self.colors).gaussians


class Run:
    """One call of `fit`: it drives the optimizer and calls the callbacks.

    `fit_picture` documents `newton` and `least`.
    """

    def __init__(
        self,
        picture: Picture,
        state: FitState,
        backend: Backend,
        progress: OnProgress | None,
        on_step: Callable[[FitState], None] | None,
        interrupt: Interrupt,
        threads: int | None,
        *,
        newton: bool = True,
        least: float = 0.0,
    ) -> None:
        have = (picture.height, picture.width, picture.channels)
        want = (state.height, state.width, state.channels)
        if have != want:
            raise ValueError(f"resume: expected a picture of shape {want}, got {have}")
        self._picture = picture
        self._start = state
        self._iteration = state.iteration
        self._schedule = Schedule(state.iterations, state.target, newton)
        self._progress = progress
        self._on_step = on_step
        self._interrupt = interrupt
        self._threads = threads
        self._iterations_per_call = backend.iterations_per_call
        self._optimizer = backend.optimizer(picture.pixels, state.q_max)
        if picture.weights is not None:
            self._optimizer.weigh(picture.weights)
        if picture.ends is not None:
            self._optimizer.allow_beyond(*picture.ends)
        self._optimizer.reserve(state.target)
        state.restore(self._optimizer)
        self._detail: NDArray[np.float32] | None = None
        self._least = least
        self._loss = math.inf  # before the last iteration
        self._grows = True
        self._began = time.perf_counter()
        self._told = self._began

    def to_the_end(self, *, solve: bool = True) -> FitResult:
        """Do the iterations that are left and solve for the colors, unless Ctrl-C comes.

        Parameters
        ----------
        solve : bool, default True
            If false, the colors are not solved for, and the PSNR is that before the last iteration.
        """
        self._interrupt.begin()
        self._iterate()
        state = self._state()
        if solve and not self._interrupt.is_pressed():
            with self._interrupt.cut_short():
                self._loss = self._solve_colors()
        if self._interrupt.is_pressed():
            self._loss = self._optimizer.solve_colors(0, SOLVE_RIDGE)
        self._step(state)
        if not self._interrupt.is_pressed():
            with self._interrupt.cut_short():
                self._tell(force=True)
        return FitResult(
            psnr=self._decibels(self._loss),
            iterations=self._iteration,
            seconds=time.perf_counter() - self._began,
            interrupted=self._interrupt.is_pressed(),
            state=state,
            colors=self._optimizer.colors,
        )

    def _iterate(self) -> None:
        renewals = set(self._schedule.renewal_steps())
        measured = self._schedule.overlap_steps()
        total = self._start.iterations
        while self._iteration < total:
            if self._iteration in renewals:
                error = self._error_beside_least()
                if error < ENOUGH_ITERATIONS:
                    return
                self._grows = self._grows and error >= ENOUGH_GAUSSIANS
                self._renew()
            if self._iteration in measured:
                if self._iteration == self._schedule.newton_from:
                    begin_newton(self._optimizer)
                measure_overlaps(self._optimizer)
            if self._interrupt.is_pressed():
                return
            end = min(self._iteration + self._iterations_per_call, total)
            stops = renewals | measured
            end = min([end, *(step for step in stops if self._iteration < step < end)])
            begin, before = self._iteration, self._optimizer.steps
            with self._interrupt.cut_short():
                losses = self._advance(begin, end)
                self._loss = float(losses[-1])
            self._iteration = begin + self._optimizer.steps - before
            if self._interrupt.is_pressed():
                return
            with self._interrupt.cut_short():
                self._tell()

    def _error_beside_least(self) -> float:
        """Return the squared error, 1 for that of all Gaussians if they had the least amplitude.

        It is infinite where the fit goes on in any case.
        """
        count = len(self._optimizer)
        if self._least <= 0 or count <= DENSE * self._start.height * self._start.width:
            return math.inf
        return 2 * self._loss / (count * self._least**2)

    def _advance(self, begin: int, end: int) -> NDArray[np.float64]:
        """Do the iterations from `begin` to `end`, all of one kind; return the loss before each."""
        optimizer, schedule, energy = self._optimizer, self._schedule, self._start.energy
        if begin < schedule.newton_from:
            return optimizer.adam(schedule.rates(begin, end), energy)
        return optimizer.gauss_newton(schedule.newton_rates(begin, end), energy, FAINT)

    def _renew(self) -> None:
        """Replace the weakest Gaussians and add new ones up to the schedule's target.

        The random generator depends only on the seed and the iteration, so that a resumed fit
        places the same Gaussians.
        """
        if self._iteration == self._start.iteration and self._optimizer.age[-1] == 0:
            return  # the resumed state has had this renewal: its last Gaussians are new
        target = self._schedule.target(self._iteration) if self._grows else len(self._optimizer)
        self._remove_weakest()
        count = target - len(self._optimizer)
        if count <= 0:
            return
        if self._detail is None:
            self._detail = detail(self._picture.pixels, threads=self._threads)
            blur_twice(self._detail, BLUR_RADIUS, threads=self._threads)
        generator = np.random.default_rng([self._start.seed, self._iteration])
        new = births(
            self._optimizer,
            self._detail,
            count,
            self._start.target,
            generator,
            weights=self._picture.weights,
            threads=self._threads,
        )
        self._optimizer.add(*new)
        if self._on_step is not None:
            self._step(self._state())

    def _step(self, state: FitState) -> None:
        if self._on_step is not None:
            with self._interrupt.cut_short():
                self._on_step(state)

    def _remove_weakest(self) -> None:
        """Remove the Gaussians of the least energy among those that are wholly trainable.

        Once overlaps are known, energy is divided by them: the neighbors make up for a Gaussian
        that overlaps them.
        """
        optimizer = self._optimizer
        count = int(self._schedule.replaced(self._iteration) * len(optimizer))
        candidates = np.flatnonzero(optimizer.trainable == TRAIN_ALL)
        if count == 0:
            return
        cholesky, colors = optimizer.cholesky[candidates], optimizer.colors[candidates]
        energy = np.square(colors).sum(axis=1) * cholesky[:, 0] * cholesky[:, 2]
        if self._iteration > self._schedule.newton_from:
            energy /= optimizer.second[candidates, 0]
        keep = np.ones(len(optimizer), np.uint8)
        keep[candidates[np.argsort(energy, kind="stable")[:count]]] = 0
        optimizer.keep(keep)

    def _solve_colors(self) -> float:
        """Solve for the colors unless that raises the loss; return the loss, ½ Σ w (I − T)²."""
        optimizer = self._optimizer
        colors = optimizer.colors.copy()
        before = optimizer.solve_colors(0, SOLVE_RIDGE)
        after = optimizer.solve_colors(SOLVE_ITERATIONS, SOLVE_RIDGE)
        if after <= before:
            return after
        # The ridge is relative to a Gaussian's energy on the whole plane, so it takes too
        # much color away from a Gaussian that has grown far beyond the picture.
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
        """Convert the loss ½ Σ w (I − T)² to dB of PSNR, for values of 0 to 1."""
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
            Progress(
                stage="fit",
                iteration=self._iteration,
                iterations=self._start.iterations,
                gaussians=len(self._optimizer),
                psnr=self._decibels(self._loss),
                seconds=seconds,
                seconds_left=seconds_left,
                done=done / max(done + left, 1),
            )
        )
