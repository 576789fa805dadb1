"""Training by the paper's recipe: any model that draws a picture is fitted to a target."""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor, nn

from gaussianimage.errors import GaussianImageError
from gaussianimage.paper.recipe import Recipe
from gaussianimage.torch.cuda.recorded_step import RecordedStep
from gaussianimage.torch.losses import get_loss, l2
from gaussianimage.torch.models.opacity import BlendedModel, OpacityModel
from gaussianimage.torch.models.splatting import SplattingModel
from gaussianimage.torch.models.sum import CholeskyModel, ScaleRotationModel

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
    history: tuple[TrainingPoint, ...]


def train(
    model: nn.Module,
    target: Tensor,
    recipe: Recipe | None = None,
    *,
    progress: Callable[[TrainingPoint], None] | None = None,
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

    Returns
    -------
    TrainingResult

    Raises
    ------
    TypeError, ValueError
        If the target's type or shape is not that of the model's picture.
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
    measure_loss = get_loss(recipe.loss)
    optimizer = recipe.make_optimizer(model.parameters())

    def step() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        image: Tensor = model().clamp(0, 1)
        measure_loss(image, target).backward()  # type: ignore[no-untyped-call]  # PyTorch has no types here
        optimizer.step()
        return image.detach()

    repeat = RecordedStep(step, optimizer).run if recordable(model) else None
    done = iterate(step, repeat, optimizer, monitor, target)
    with torch.no_grad():
        return monitor.finish(done, model().clamp(0, 1), target)


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
        monitor.look(done - 1, image, target)
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

    def look(self, iteration: int, image: Tensor, target: Tensor) -> None:
        """Record and report the picture's PSNR before an iteration, if either is due."""
        keep = iteration % self._every == 0
        tell = self._progress is not None and time.perf_counter() - self._told >= _TELL_EVERY
        if not (keep or tell):
            return
        point = self._point(iteration, image, target, self.seconds())
        if keep:
            self.history.append(point)
        if tell:
            self._tell(point)

    def finish(self, iteration: int, image: Tensor, target: Tensor) -> TrainingResult:
        """Return the result of the run, given the picture after its last step."""
        if target.is_cuda:
            torch.cuda.synchronize(target.device)
        point = self._point(iteration, image, target, self.seconds())
        self.history.append(point)
        self._tell(point)
        return TrainingResult(point.psnr, point.seconds, iteration, tuple(self.history))

    def _point(
        self, iteration: int, image: Tensor, target: Tensor, seconds: float
    ) -> TrainingPoint:
        error = float(l2(image, target))
        if not math.isfinite(error):
            raise GaussianImageError(f"the training diverged within {iteration} iterations")
        return TrainingPoint(iteration, self.recipe.iterations, psnr_from_error(error), seconds)

    def _tell(self, point: TrainingPoint) -> None:
        self._told = time.perf_counter()
        if self._progress is not None:
            self._progress(point)
