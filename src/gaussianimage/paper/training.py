"""Training by the paper's recipe: any model that draws a picture is fitted to a target."""

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor, nn

from gaussianimage.errors import GaussianImageError
from gaussianimage.paper.native_loop import NativeLoop, check_target, runs_natively
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.released_code import ReleasedCode
from gaussianimage.paper.saved_training import SavedTraining
from gaussianimage.torch import operator
from gaussianimage.torch.cuda.recorded_step import RecordedStep
from gaussianimage.torch.losses import get_loss, l2
from gaussianimage.torch.models.opacity import BlendedModel, OpacityModel
from gaussianimage.torch.models.splatting import SplattingModel
from gaussianimage.torch.models.sum import CholeskyModel, ScaleRotationModel

LOOPS = ("auto", "native", "torch")

# Number of points of the history before its last, evenly spread over the iterations.
HISTORY_POINTS = 200

# Seconds between two calls of `progress`.
_TELL_EVERY = 0.1

# Largest number of recorded iterations between two checks of the time limit.
_STRETCH = 500

# Models that never wait for the device. Blending waits, to sort the Gaussians.
_RECORDABLE = (CholeskyModel, ScaleRotationModel, OpacityModel)
_BLENDING = (BlendedModel, SplattingModel)


class PerformanceWarning(UserWarning):
    """Something works, but more slowly than it could."""


@dataclass(frozen=True)
class TrainingPoint:
    """The state of a training run at one time, before the next step of the optimizer."""

    iteration: int  # steps done
    iterations: int  # in all
    psnr: float  # dB, of the picture clamped to 0..1
    seconds: float  # since the start


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training run."""

    psnr: float  # dB, of the picture clamped to 0..1, after the last step
    seconds: float
    iterations: int  # steps done
    loop: str  # "native" or "torch"
    history: tuple[TrainingPoint, ...]


def train(
    model: nn.Module,
    target: Tensor,
    recipe: Recipe | None = None,
    *,
    progress: Callable[[TrainingPoint], None] | None = None,
    loop: str = "auto",
    saved: SavedTraining | None = None,
    released: ReleasedCode | None = None,
) -> TrainingResult:
    """Fit a model to a picture by the paper's recipe.

    Parameters
    ----------
    model : nn.Module
        A call without arguments returns its picture, (H, W, C). Its parameters are changed in
        place. After Ctrl-C they stay as they are, and KeyboardInterrupt passes to the caller.
    target : Tensor, (H, W, C)
        The picture, from 0 to 1, of the model's type and on its device.
    recipe : Recipe, optional
        The paper's recipe by default.
    progress : callable, optional
        Called with a `TrainingPoint` about ten times a second.
    loop : {"auto", "native", "torch"}, default "auto"
        Whether the compiled module does the iterations or PyTorch, ten times as slowly. "auto"
        takes the compiled module for what it can do, see `runs_natively`. Their numbers are the
        same to rounding.
    saved : SavedTraining, optional
        Where an interrupted training is continued; only the compiled module saves its state.
    released : ReleasedCode, optional
        What is done as in the released code; only the compiled module can.

    Returns
    -------
    TrainingResult

    Raises
    ------
    TypeError, ValueError
        If the target's type or shape is not that of the model's picture, or `loop` is "native" and
        the compiled module can't train the model by the recipe.
    GaussianImageError
        If the training diverges: the picture is no longer finite.

    Notes
    -----
    As in the released code, the picture is clamped to 0..1 *before* the loss, so that saturated
    pixels have no gradient. On a CPU, the same start gives the same result, bit for bit. On a GPU,
    the iteration is recorded as a CUDA graph, except for models that blend; see `recordable` for
    models of your own.
    """
    recipe = Recipe() if recipe is None else recipe
    monitor = TrainingMonitor(recipe, progress)
    if chooses_native(loop, model, target, recipe, released):
        native = NativeLoop(model, target, released=released)
        done = iterate_natively(native, monitor, saved)
        native.store()
        return monitor.finish(done, native.measure(), loop="native")
    optimizer = recipe.make_optimizer(model.parameters())
    step = make_step(model, target, recipe, optimizer)
    repeat = RecordedStep(step, optimizer).run if recordable(model) else None
    done = iterate(step, repeat, optimizer, monitor, target)
    with torch.no_grad():
        return monitor.finish(done, mean_squared_error(model().clamp(0, 1), target))


def chooses_native(
    loop: str,
    model: nn.Module,
    target: Tensor,
    recipe: Recipe,
    released: ReleasedCode | None = None,
) -> bool:
    """Whether the compiled module does the iterations.

    Raises
    ------
    ValueError
        If `loop` is unknown, or "native" and the compiled module can't, or "torch" and the released
        code is followed; or the target's shape or type isn't the model's.
    """
    if loop not in LOOPS:
        raise ValueError(f"loop: expected one of {', '.join(LOOPS)}, got {loop!r}")
    needed = released is not None and released.changes_iterations
    if loop == "torch":
        if needed:
            raise ValueError("released: only the compiled module follows the released code")
        return False
    if not runs_natively(model, recipe):
        if loop == "native" or needed:
            raise ValueError(
                "loop: the compiled module trains a CholeskyModel or ScaleRotationModel of 1 to 4 "
                "channels in float32 on a CPU, with adan and l2"
            )
        return False
    check_target(model, target)
    return True


def iterate_natively(
    loop: NativeLoop, monitor: "TrainingMonitor", saved: SavedTraining | None
) -> int:
    """Run the iterations of a recipe in the compiled module, and return how many there were.

    Parameters
    ----------
    loop : NativeLoop
    monitor : TrainingMonitor
        The monitor, which holds the recipe.
    saved : SavedTraining, optional
        Where the training is continued, and where its state is saved.
    """
    if saved is not None:
        saved.begin(loop, monitor.state(), monitor.recipe)
        monitor.restore(saved.monitor)
    try:
        _run_stretches(loop, monitor, saved)
    except KeyboardInterrupt as error:
        loop.store()
        if saved is not None:
            saved.save(loop, monitor.state())
            error.add_note(f"iteration {loop.steps} of its training is kept")
        raise
    return loop.steps


def _run_stretches(
    loop: NativeLoop, monitor: "TrainingMonitor", saved: SavedTraining | None
) -> None:
    """Run the iterations that are left."""
    recipe = monitor.recipe
    count = 1
    while loop.steps < recipe.iterations and not (loop.steps and monitor.over()):
        done = loop.steps
        count = min(count, monitor.stretch(done))
        began = time.perf_counter()
        errors = loop.run(recipe.rate(done + i) for i in range(count))
        monitor.look(done + count - 1, errors[-1])
        # So many that the next call takes as long as there is between two reports.
        each = max(time.perf_counter() - began, 1e-6) / count
        count = max(1, int(monitor.until_report() / each))
        if saved is not None and saved.is_due():
            saved.save(loop, monitor.state())


def mean_squared_error(image: Tensor, target: Tensor) -> float:
    """Return the mean squared error of a picture."""
    return float(l2(image, target))


def make_step(
    model: nn.Module, target: Tensor, recipe: Recipe, optimizer: torch.optim.Optimizer
) -> Callable[[], Tensor]:
    """Return an iteration, which returns the picture before the step, clamped to 0..1.

    On a GPU, one kernel clamps the picture and differentiates the recipe's default loss.
    """
    measure_loss = get_loss(recipe.loss)
    fused = recipe.loss == "l2" and target.dtype == torch.float32 and operator.uses_kernels(target)

    def step() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        image: Tensor = model()
        if fused and image.shape == target.shape and image.dtype == target.dtype:
            from gaussianimage.torch.cuda.clamped_l2 import clamped_l2

            shown, gradient = clamped_l2(image, target)
            image.backward(gradient)  # type: ignore[no-untyped-call]  # PyTorch has no types here
        else:
            shown = image.clamp(0, 1)
            measure_loss(shown, target).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return shown.detach()

    return step


def psnr_from_error(error: float) -> float:
    """Return the PSNR in dB of a mean squared error."""
    return math.inf if error == 0 else -10 * math.log10(error)


def recordable(model: nn.Module) -> bool:
    """Whether a model's step can be recorded as a CUDA graph: it never waits for the GPU.

    A model of another class is recorded if its class has an attribute `recordable` that is true. If
    the class says nothing, a `PerformanceWarning` tells that the model is not recorded.
    """
    parameter = next(model.parameters())
    if not parameter.is_cuda or parameter.dtype != torch.float32:
        return False
    return type(model) in _RECORDABLE or _says_recordable(type(model))


def _says_recordable(kind: type[nn.Module]) -> bool:
    # A subclass may do what its base doesn't, so only its own attribute counts.
    said = vars(kind).get("recordable")
    if said is None and kind not in _BLENDING:
        warnings.warn(
            f"{kind.__name__} is not recorded as a CUDA graph, which costs time; set the class's "
            "attribute `recordable` to True if its picture never waits for the GPU, or to False",
            PerformanceWarning,
            stacklevel=3,
        )
    return bool(said)


def iterate(
    step: Callable[[], Tensor],
    repeat: Callable[[int], Tensor | None] | None,
    optimizer: torch.optim.Optimizer,
    monitor: "TrainingMonitor",
    target: Tensor,
) -> int:
    """Run the iterations of a recipe, and return how many there were.

    Parameters
    ----------
    step : callable
        Does one iteration and returns the picture before the step, clamped to 0..1.
    repeat : callable, optional
        Does a number of iterations and returns the last picture: the `run` of a `RecordedStep`.
    optimizer : torch.optim.Optimizer
        The optimizer, whose step size is set before each iteration.
    monitor : TrainingMonitor
        The monitor, which holds the recipe and measures the pictures.
    target : Tensor, (H, W, C)
    """
    recipe, done = monitor.recipe, 0
    while done < recipe.iterations and not (done and monitor.over()):
        recipe.set_rate(optimizer, done)
        count = 1 if repeat is None else monitor.stretch(done)
        image = step() if repeat is None else repeat(count)
        assert image is not None
        done += count
        if monitor.is_due(done - 1):
            monitor.look(done - 1, mean_squared_error(image, target))
    optimizer.zero_grad(set_to_none=True)
    return done


class TrainingMonitor:
    """Times a training run, records its history and reports its progress.

    Parameters
    ----------
    recipe : Recipe
        The recipe, which sets the length of the run.
    progress : callable or None
        Called with a `TrainingPoint` about ten times a second.
    """

    def __init__(self, recipe: Recipe, progress: Callable[[TrainingPoint], None] | None) -> None:
        self.history: list[TrainingPoint] = []
        self.recipe = recipe
        self._progress = progress
        self._every = max(1, recipe.iterations // HISTORY_POINTS)
        self._began = time.perf_counter()
        self._told = self._began

    def seconds(self) -> float:
        """Return the time since the start."""
        return time.perf_counter() - self._began

    def over(self) -> bool:
        """Whether the recipe's time is over."""
        return self.recipe.seconds is not None and self.seconds() >= self.recipe.seconds

    def stretch(self, iteration: int) -> int:
        """Return the number of iterations to the next look, halving or end, at most `_STRETCH`."""
        look = -iteration % self._every + 1
        halving = self.recipe.halve_every - iteration % self.recipe.halve_every
        return min(look, halving, self.recipe.iterations - iteration, _STRETCH)

    def until_report(self) -> float:
        """Return the seconds until the next report, or until the recipe's time is over."""
        left = _TELL_EVERY
        if self.recipe.seconds is not None:
            left = min(left, self.recipe.seconds - self.seconds())
        return left

    def is_due(self, iteration: int) -> bool:
        """Whether the picture before an iteration is to be recorded or reported."""
        return self._keeps(iteration) or self._tells()

    def look(self, iteration: int, error: float) -> None:
        """Record and report the mean squared error before an iteration, if either is due."""
        point = self._point(iteration, error)
        if self._keeps(iteration):
            self.history.append(point)
        if self._tells():
            self._tell(point)

    def finish(self, iteration: int, error: float, *, loop: str = "torch") -> TrainingResult:
        """Return the result of the run, given the mean squared error after its last step."""
        point = self._point(iteration, error)
        self.history.append(point)
        self._tell(point)
        return TrainingResult(point.psnr, point.seconds, iteration, loop, tuple(self.history))

    def state(self) -> list[list[float]]:
        """Return time and history for `restore`."""
        points = [[point.iteration, point.psnr, point.seconds] for point in self.history]
        return [*points, [self.recipe.iterations, 0.0, self.seconds()]]

    def restore(self, state: Sequence[Sequence[float]]) -> None:
        """Go on from the time and history of a run that was interrupted."""
        *points, (_, _, seconds) = state
        self._began = time.perf_counter() - seconds
        total = self.recipe.iterations
        self.history = [
            TrainingPoint(int(iteration), total, psnr, at) for iteration, psnr, at in points
        ]

    def _keeps(self, iteration: int) -> bool:
        return iteration % self._every == 0

    def _tells(self) -> bool:
        return self._progress is not None and time.perf_counter() - self._told >= _TELL_EVERY

    def _point(self, iteration: int, error: float) -> TrainingPoint:
        if not math.isfinite(error):
            raise GaussianImageError(f"the training diverged within {iteration} iterations")
        psnr = psnr_from_error(error)
        return TrainingPoint(iteration, self.recipe.iterations, psnr, self.seconds())

    def _tell(self, point: TrainingPoint) -> None:
        self._told = time.perf_counter()
        if self._progress is not None:
            self._progress(point)
