"""Fitting: from a picture to the Gaussians whose sum is closest to it."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.arguments import MAX_SIDE, cutoff, integer
from gaussianimage.devices import gpu_module
from gaussianimage.engine import thread_count
from gaussianimage.errors import PictureError
from gaussianimage.fitting.density import box_blur, detail
from gaussianimage.fitting.placement import BLUR_RADIUS, births, initial
from gaussianimage.fitting.schedule import REPLACED_FRACTION, Schedule
from gaussianimage.fitting.state import MAX_GAUSSIANS, MAX_ITERATIONS, FitState
from gaussianimage.gaussians import Gaussians
from gaussianimage.picture import Picture, PictureSource, as_picture

DEFAULT_ITERATIONS = 1000
SOLVE_ITERATIONS = 12
SOLVE_RIDGE = 1e-4
TRAIN_ALL = 7

# Iterations in one call of the engine: Ctrl-C and progress wait for no more than these.
CHUNK = 10
# A GPU does them faster, and every look at it costs.
GPU_CHUNK = 50


@dataclass(frozen=True)
class FitProgress:
    """How far a fit is."""

    stage: str
    iteration: int
    iterations: int
    gaussians: int
    psnr: float  # dB
    seconds: float  # since the start
    seconds_left: float  # estimated


@dataclass(frozen=True, eq=False)
class FitResult:
    """What a fit has come to."""

    gaussians: Gaussians
    psnr: float  # dB, of the unclamped float picture
    iterations: int  # done in all
    seconds: float  # of this call
    interrupted: bool  # by Ctrl-C: fewer iterations, and maybe Gaussians, than asked for
    state: FitState  # to go on from; before the final solve for the colors


def fit(
    picture: PictureSource,
    gaussians: int = 9000,
    *,
    iterations: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    device: str = "cpu",
    q_max: float = 4.5,
    energy: float = 0.0,
    progress: Callable[[FitProgress], None] | None = None,
    on_step: Callable[[FitState], None] | None = None,
    resume: FitState | None = None,
) -> FitResult:
    """Fit Gaussians to a picture.

    Parameters
    ----------
    picture : Picture, array, PIL image, path or bytes
        What `gaussianimage.as_picture` takes. Alpha is a fourth channel, colors premultiplied.
    gaussians : int, default 9000
        How many, 1 to 2²⁴; at most one per pixel is used.
    iterations : int, optional
        Steps of the optimizer, 1000 by default. 0 places Gaussians and solves for their colors.
    seed : int, default 0
        The same picture, options and seed give the same Gaussians, whatever the threads.
    threads : int, optional
        Threads to use, 1 to 256; all CPUs that this process may run on by default.
    device : str, default "cpu"
        "cuda" or "cuda:1" to fit on a GPU; needs `pip install gaussianimage[torch]`. Its rounding
        is another, so the Gaussians differ from those of a CPU.
    q_max : float, default 4.5
        Cut-off of the model, see `Gaussians`.
    energy : float, default 0
        Weight κ of the penalty ½ κ Σ |c|² π σ₁ σ₂, added to the loss ½ Σ (I − T)². A small one,
        such as 0.01, keeps Gaussians from cancelling each other, which makes them cheaper to code.
    progress : callable, optional
        Called with a `FitProgress` about ten times a second.
    on_step : callable, optional
        Called with a `FitState` every time that Gaussians have been added and once at the end.
    resume : FitState, optional
        Go on from there. It brings its own number of Gaussians, iterations, seed, q_max and energy,
        and those arguments are ignored.

    Returns
    -------
    FitResult
        Ctrl-C (KeyboardInterrupt) ends the fit early, with `interrupted` set and the best so far.

    Raises
    ------
    PictureError
        If the picture can't be read, holds NaN or infinite pixels, or has a side of more than
        65536 pixels.
    TypeError, ValueError
        If an argument is of a wrong type or out of range, or `resume` belongs to another picture.
    ImportError
        If a GPU is asked for and PyTorch or Triton is not installed.
    GaussianImageError
        If there is no such GPU.

    Notes
    -----
    Adam on positions, log-Cholesky factors and colors, each relative to the Gaussian's own size and
    shape; a tenth of the Gaussians to start with, the others where the error is largest; there go
    the weakest too, a few at a time; a cosine schedule; and at the end the exact least-squares
    colors.
    """
    if not isinstance(resume, FitState | None):
        raise TypeError(f"resume: expected a FitState, got {type(resume).__name__}")
    gpu = gpu_module(device, "optimizer")
    source = as_picture(picture)
    if max(source.height, source.width) > MAX_SIDE:
        raise PictureError(
            f"a picture of {source.height} x {source.width} pixels (height x width) is too large: "
            f"{MAX_SIDE} a side at most"
        )
    count = thread_count(threads)
    state = resume or _start(source, gaussians, iterations, seed, q_max, energy)

    def new_optimizer() -> _native.Optimizer:
        if gpu is None:
            return _native.Optimizer(source.pixels, state.q_max, count)
        optimizer: _native.Optimizer = gpu.Optimizer(source.pixels, state.q_max, device)
        return optimizer

    chunk = CHUNK if gpu is None else GPU_CHUNK
    return _Run(source, state, new_optimizer, chunk, progress, on_step).to_the_end()


def _start(
    picture: Picture,
    gaussians: int,
    iterations: int | None,
    seed: int,
    q_max: float,
    energy: float,
) -> FitState:
    """Check the arguments and make a state before the first iteration."""
    count = integer("gaussians", gaussians)
    if not 1 <= count <= MAX_GAUSSIANS:
        raise ValueError(f"gaussians: expected 1 to {MAX_GAUSSIANS}, got {count}")
    count = min(count, picture.height * picture.width)
    steps = DEFAULT_ITERATIONS if iterations is None else integer("iterations", iterations)
    if not 0 <= steps <= MAX_ITERATIONS:
        raise ValueError(f"iterations: expected 0 to {MAX_ITERATIONS}, got {steps}")
    if not 0 <= integer("seed", seed) < 2**63:
        raise ValueError(f"seed: expected 0 to 2^63 - 1, got {seed}")
    new = initial(picture.pixels, Schedule(steps, count).first, np.random.default_rng([seed, 0]))
    width = 5 + picture.channels
    trainable = np.full(len(new.means), TRAIN_ALL, np.uint8)
    trainable[0] = 0  # the mean color: a step of it would move the whole picture
    return FitState(
        means=new.means,
        cholesky=new.cholesky,
        colors=new.colors,
        first=np.zeros((len(new.means), width), np.float32),
        second=np.zeros((len(new.means), width), np.float32),
        age=np.zeros(len(new.means), np.uint32),
        trainable=trainable,
        iteration=0,
        iterations=steps,
        target=count,
        seed=seed,
        height=picture.height,
        width=picture.width,
        q_max=cutoff("q_max", q_max),
        energy=_weight(energy),
    )


def _weight(energy: object) -> float:
    if isinstance(energy, bool) or not isinstance(energy, Real):
        raise TypeError(f"energy: expected a number, got {type(energy).__name__}")
    if not 0 <= float(energy) < math.inf:
        raise ValueError(f"energy: expected a finite number from 0, got {energy}")
    return float(energy)


class _Run:
    """One call of `fit`: the optimizer, what drives it and whom it tells."""

    def __init__(
        self,
        picture: Picture,
        state: FitState,
        new_optimizer: Callable[[], _native.Optimizer],
        chunk: int,
        progress: Callable[[FitProgress], None] | None,
        on_step: Callable[[FitState], None] | None,
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
        self._chunk = chunk
        self._optimizer = new_optimizer()
        state.restore(self._optimizer)
        self._detail: NDArray[np.float32] | None = None
        self._psnr = -math.inf
        self._began = time.perf_counter()
        self._told = self._began

    def to_the_end(self) -> FitResult:
        interrupted = False
        try:
            self._iterate()
        except KeyboardInterrupt:
            interrupted = True
        state = self._state()
        try:
            self._psnr = self._decibels(self._solve_colors())
            if self._on_step is not None:
                self._on_step(state)
            self._tell(force=True)
        except KeyboardInterrupt:
            interrupted = True
        return FitResult(
            gaussians=self._state().gaussians,
            psnr=self._psnr,
            iterations=self._iteration,
            seconds=time.perf_counter() - self._began,
            interrupted=interrupted,
            state=state,
        )

    def _iterate(self) -> None:
        renewals = set(self._schedule.renewal_steps())
        total = self._start.iterations
        while self._iteration < total:
            if self._iteration in renewals:
                self._renew()
            end = min(self._iteration + self._chunk, total)
            end = min([end, *(step for step in renewals if self._iteration < step < end)])
            losses = self._optimizer.run(
                self._schedule.rates(self._iteration, end), self._start.energy
            )
            self._iteration = end
            self._psnr = self._decibels(float(losses[-1]))
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
            self._on_step(self._state())

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
            )
        )
