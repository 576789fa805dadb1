"""Fitting: from a picture to the Gaussians whose sum is closest to it."""

import math
from collections.abc import Callable
from dataclasses import replace
from numbers import Real

import numpy as np

from gaussianimage._util.arguments import MAX_PICTURE_SIDE, cutoff, integer, number, thread_count
from gaussianimage._util.interrupt import Interrupt
from gaussianimage.backends import select_backend
from gaussianimage.errors import PictureError
from gaussianimage.fitting.clamped_ends import with_ends
from gaussianimage.fitting.loop import FitResult, Run
from gaussianimage.fitting.placement import initial
from gaussianimage.fitting.progress import OnProgress
from gaussianimage.fitting.schedule import Schedule
from gaussianimage.fitting.state import MAX_FITTED_GAUSSIANS, MAX_ITERATIONS, TRAIN_ALL, FitState
from gaussianimage.picture import Picture, PictureSource, as_picture

DEFAULT_ITERATIONS = 1000
MOST_BEYOND = 100.0


def fit(
    picture: PictureSource,
    gaussians: int = 9000,
    *,
    white: float | None = None,
    iterations: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    device: str = "cpu",
    q_max: float = 4.5,
    energy: float = 0.0,
    beyond: float = 0.0,
    progress: OnProgress | None = None,
    on_step: Callable[[FitState], None] | None = None,
    resume: FitState | None = None,
    on_interrupt: str | Interrupt = "raise",
) -> FitResult:
    """Fit Gaussians to a picture.

    Parameters
    ----------
    picture : Picture, array, PIL image, path or bytes
        What `gaussianimage.as_picture` takes. Alpha is a fourth channel, colors premultiplied.
    gaussians : int, default 9000
        How many, 1 to 2²⁴; at most one per pixel is used.
    white : float, optional
        The value in the source that becomes 1.0; see `gaussianimage.as_picture`.
    iterations : int, optional
        Steps of the optimizer, 1000 by default. 0 places Gaussians and solves for their colors.
    seed : int, default 0
        The same picture, options and seed give the same Gaussians, whatever the threads.
    threads : int, optional
        Threads to use, 1 to 256; all CPUs that this process may run on by default.
    device : str, default "cpu"
        "cuda" or "cuda:1" to fit on a GPU; needs `pip install gaussianimage[torch]`. A GPU rounds
        differently, so its Gaussians differ from those of a CPU.
    q_max : float, default 4.5
        Cut-off of the model, see `Gaussians`.
    energy : float, default 0
        Weight κ of the penalty ½ κ Σ ‖c‖² π σ₁ σ₂, added to the loss ½ Σ (I − T)². A small one,
        such as 0.01, keeps Gaussians from cancelling each other, which makes them cheaper to code.
    beyond : float, default 0
        How far the drawing may exceed white and fall below black without an error, 0 to 100. With
        0.1, lettering and line art have several dB more where the drawing is clamped to 0..1, and
        fewer where it is not. With more than 0.2, smaller sizes have fewer too.
    progress : callable, optional
        Called with a `Progress` about ten times a second.
    on_step : callable, optional
        Called with a `FitState` every time that Gaussians have been added and once at the end.
    resume : FitState, optional
        The state to continue from. It has its own number of Gaussians, iterations, seed, q_max and
        energy; those arguments are ignored.
    on_interrupt : {"raise", "keep"}, default "raise"
        What Ctrl-C does. "keep" ends the fit early and returns the Gaussians so far, with
        `interrupted` set; their colors are not solved for. Only a second Ctrl-C raises
        KeyboardInterrupt.

    Returns
    -------
    FitResult

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, within some 50 ms.
    PictureError
        If the picture can't be read, holds NaN or infinite pixels, or has a side of more than
        65536 pixels.
    TypeError, ValueError
        If an argument is of a wrong type or out of range, or `resume` belongs to another picture.
    ImportError
        If a GPU is asked for and PyTorch or Triton is not installed.
    GaussianImageError
        If there is no such GPU.

    Warns
    -----
    PictureWarning
        If the picture may not be what is meant; see `gaussianimage.as_picture`.

    Notes
    -----
    Adam moves positions, log-Cholesky factors and colors, each relative to the Gaussian's own size
    and shape, by step sizes that fall along a cosine. After two fifths of the iterations
    Gauss–Newton steps with momentum follow, divided by how much Gaussians overlap. The fit starts
    with a tenth of the Gaussians and adds the rest where the error is largest; every few iterations
    it also moves the weakest Gaussians there. At the end it solves for the colors by least squares.
    """
    if not isinstance(resume, FitState | None):
        raise TypeError(f"resume: expected a FitState, got {type(resume).__name__}")
    select_backend(device, thread_count(threads))  # a missing device is named first
    room = number("beyond", beyond, 0, MOST_BEYOND)
    source = as_picture(picture, white=white)
    if room > 0:
        source = with_ends(source, room)
    return fit_picture(
        source,
        gaussians,
        newton=True,
        solve=True,
        iterations=iterations,
        seed=seed,
        threads=threads,
        device=device,
        q_max=q_max,
        energy=energy,
        progress=progress,
        on_step=on_step,
        resume=resume,
        on_interrupt=on_interrupt,
    )


def fit_picture(
    source: Picture,
    gaussians: int,
    *,
    newton: bool,
    solve: bool,
    least: float = 0.0,
    iterations: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    device: str = "cpu",
    q_max: float = 4.5,
    energy: float = 0.0,
    progress: OnProgress | None = None,
    on_step: Callable[[FitState], None] | None = None,
    resume: FitState | None = None,
    on_interrupt: str | Interrupt = "raise",
) -> FitResult:
    """Fit Gaussians to a picture as `fit` does, or as an encoder needs them.

    Parameters
    ----------
    newton : bool
        If false, all iterations are Adam's. The error is larger and the file smaller, because
        Gaussians overlap less.
    solve : bool
        If false, the colors are not solved for. `FitResult.state`, from which a file is made, is
        the same; `FitResult.psnr` is that before the last iteration.
    least : float, default 0
        The least amplitude |c| √(π l₁₁ l₂₂) of a Gaussian that is worth its bits. A fit of many
        Gaussians stops growing, and ends early, where the error is small beside it.

    `fit` documents the other arguments.
    """
    backend = select_backend(device, thread_count(threads))
    if max(source.height, source.width) > MAX_PICTURE_SIDE:
        raise PictureError(
            f"a picture of {source.height} x {source.width} pixels (height x width) is too large: "
            f"{MAX_PICTURE_SIDE} a side at most"
        )
    state = resume or _start(source, gaussians, iterations, seed, q_max, energy, threads, newton)
    with Interrupt.make(on_interrupt) as interrupt:
        run = Run(
            source,
            state,
            backend,
            progress,
            on_step,
            interrupt,
            threads,
            newton=newton,
            least=least,
        )
        result = run.to_the_end(solve=solve)
    return replace(result, interrupted=interrupt.is_pressed())


def _start(
    picture: Picture,
    gaussians: int,
    iterations: int | None,
    seed: int,
    q_max: float,
    energy: float,
    threads: int | None,
    newton: bool,
) -> FitState:
    """Check the arguments and return the state before the first iteration."""
    count = integer("gaussians", gaussians)
    if not 1 <= count <= MAX_FITTED_GAUSSIANS:
        raise ValueError(f"gaussians: expected 1 to {MAX_FITTED_GAUSSIANS}, got {count}")
    count = min(count, picture.height * picture.width)
    steps = DEFAULT_ITERATIONS if iterations is None else integer("iterations", iterations)
    if not 0 <= steps <= MAX_ITERATIONS:
        raise ValueError(f"iterations: expected 0 to {MAX_ITERATIONS}, got {steps}")
    if not 0 <= integer("seed", seed) < 2**63:
        raise ValueError(f"seed: expected 0 to 2^63 - 1, got {seed}")
    first, generator = Schedule(steps, count, newton).first, np.random.default_rng([seed, 0])
    new = initial(picture.pixels, first, generator, threads=threads)
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
