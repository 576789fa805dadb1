"""The time of drawing and training a scene on a GPU, by the GPU's own clock, and its memory."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import torch
from torch import Tensor

from gaussianimage.paper.measurement import PeakMemory, frames_per_second
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.training import train
from gaussianimage.torch import CholeskyModel, RecordedStep
from lib.gpu_rivals import MOST_DIFFERENCE, Draw, Drawing, Rival, difference, time_rival

ROUNDS = 5
# The largest error of a gradient, relative to its root mean square: a Gaussian's edge may end one
# pixel earlier or later.
MOST_GRADIENT = 1e-2


class Clock(Protocol):
    """Measures how long a device works."""

    def seconds(self, work: Callable[[], object]) -> float:
        """Return the seconds from the start of the work on the device to its end."""


class EventClock:
    """A GPU's own clock: two events around the work, and a wait for the second.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def seconds(self, work: Callable[[], object]) -> float:
        """Return the seconds between the events."""
        with torch.cuda.device(self._device):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize(self._device)
            begin.record()
            work()
            end.record()
            torch.cuda.synchronize(self._device)
        return begin.elapsed_time(end) / 1000


@dataclass(frozen=True)
class Cost:
    """The cost of one scene. Seconds are medians of some rounds.

    Attributes
    ----------
    forward, forward_backward, iteration : float
        Seconds of a picture, of a picture and its gradient, and of an iteration of the paper's
        recipe. Each is recorded once as a CUDA graph and replayed; a round is `frames` replays and
        one wait.
    plain_fps : float
        Frames a second of plain calls of the model, with a wait after each.
    memory_mib : float or None
        Peak memory while training in MiB, as PyTorch reserves it.
    psnr : float
        PSNR of the scene in dB at the time of the measurement.
    difference : float
        Root mean square of the difference between its pixels and those of the CPU.
    drawings : tuple of Drawing
        Other ways to draw the same scene.
    """

    height: int
    width: int
    gaussians: int
    psnr: float
    forward: float
    forward_backward: float
    iteration: float
    plain_fps: float
    memory_mib: float | None
    difference: float = 0.0
    drawings: tuple[Drawing, ...] = ()

    @property
    def backward(self) -> float:
        """Seconds of the gradient alone, without the picture."""
        return self.forward_backward - self.forward

    @property
    def fps(self) -> float:
        """Frames a second, one after the other."""
        return 1 / self.forward


def measure(
    target: Tensor,
    count: int,
    warmup: int,
    frames: int,
    clock: Clock,
    rivals: Sequence[Rival] = (),
) -> Cost:
    """Fit Gaussians to a picture, check their pixels and gradient against the CPU, and time them.

    Parameters
    ----------
    target : Tensor, (H, W, 3)
        The picture, on the device to measure.
    count : int
        Number of Gaussians N.
    warmup : int
        Iterations before anything is timed: the random start has smaller Gaussians than a fit.
    frames : int
        Number of frames in a round.
    clock : Clock
    rivals : sequence of Rival
        Other ways to draw the scene, to time too.

    Raises
    ------
    ArithmeticError
        If pixels or gradient are not those of the CPU.
    """
    height, width, _ = target.shape
    peak = PeakMemory(target.device)
    model = CholeskyModel.random(count, height, width).to(target.device)
    warm = train(model, target, Recipe().shortened(max(warmup, 1), learning_rate=0.02))
    # With this small rate, the scene hardly changes while it is timed.
    optimizer = Recipe(learning_rate=1e-9).make_optimizer(model.parameters())
    residual = (model().detach() - target) / target.numel()
    apart = _check(model, _on_cpu(model), residual)

    @torch.no_grad()
    def draw() -> Tensor:
        picture: Tensor = model()
        return picture

    def differentiate() -> None:
        optimizer.zero_grad(set_to_none=True)
        model().backward(residual)

    def iterate() -> None:
        optimizer.zero_grad(set_to_none=True)
        image = model().clamp(0, 1)
        torch.nn.functional.mse_loss(image, target).backward()
        optimizer.step()

    seconds = [_each(work, optimizer, frames, clock) for work in (draw, differentiate, iterate)]
    memory = peak.read().mib
    plain = frames_per_second(draw, target.device, seconds=0.5, frames=frames)

    def seconds_of(call: Draw) -> float:
        return _in_a_row(call, frames, clock)

    drawings = tuple(time_rival(rival, model, _on_cpu(model), seconds_of) for rival in rivals)
    return Cost(height, width, count, warm.psnr, *seconds, plain, memory, apart, drawings)


def _on_cpu(model: CholeskyModel) -> CholeskyModel:
    return copy.deepcopy(model).cpu()


def _check(model: CholeskyModel, on_cpu: CholeskyModel, residual: Tensor) -> float:
    """Return how far the pixels are from the CPU's; raise if they or the gradient are too far."""
    results = []
    for one in (model, on_cpu):
        picture = one()
        gradient = torch.autograd.grad(picture, list(one.raw), residual.to(picture.device))
        results.append((picture, gradient))
    (picture, gradient), (expected, expected_gradient) = results
    apart = difference(picture, expected.detach())
    if apart > MOST_DIFFERENCE:
        raise ArithmeticError(f"the GPU draws other pixels than the CPU: {apart:.2g} RMS")
    for name, found, wanted in zip(model.raw._fields, gradient, expected_gradient, strict=True):
        off = difference(found, wanted) / max(float(wanted.double().square().mean().sqrt()), 1e-30)
        if off > MOST_GRADIENT:
            raise ArithmeticError(f"{name}: the GPU's gradient is not the CPU's: {off:.2g} of it")
    return apart


def _in_a_row(call: Draw, frames: int, clock: Clock) -> float:
    """Return the seconds of a plain call, the median of some rounds of as many as take a second."""
    once = clock.seconds(call)
    count = max(1, min(frames, int(1 / max(once, 1e-9))))

    def repeat() -> None:
        for _ in range(count):
            call()

    return median(clock.seconds(repeat) for _ in range(ROUNDS)) / count


def _each(
    work: Callable[[], object], optimizer: torch.optim.Optimizer, frames: int, clock: Clock
) -> float:
    """Return the seconds of one call of `work`, the median of some rounds of many calls."""
    step = RecordedStep(work, optimizer)
    step.run(2)  # the first call is ordinary; the second records the graph
    return median(clock.seconds(lambda: step.run(frames)) for _ in range(ROUNDS)) / frames
