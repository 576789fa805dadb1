"""The time of drawing and training a scene on a GPU, by the GPU's own clock, and its memory."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import torch
from torch import Tensor

from gaussianimage.paper.measurement import PeakMemory, frames_per_second
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.training import train
from gaussianimage.torch import CholeskyModel, RecordedStep

ROUNDS = 5


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

    @property
    def backward(self) -> float:
        """Seconds of the gradient alone, without the picture."""
        return self.forward_backward - self.forward

    @property
    def fps(self) -> float:
        """Frames a second, one after the other."""
        return 1 / self.forward


def measure(target: Tensor, count: int, warmup: int, frames: int, clock: Clock) -> Cost:
    """Fit Gaussians to a picture and time them.

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
    """
    height, width, _ = target.shape
    peak = PeakMemory(target.device)
    model = CholeskyModel.random(count, height, width).to(target.device)
    warm = train(model, target, Recipe().shortened(max(warmup, 1), learning_rate=0.02))
    # With this small rate, the scene hardly changes while it is timed.
    optimizer = Recipe(learning_rate=1e-9).make_optimizer(model.parameters())
    residual = (model().detach() - target) / target.numel()

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
    return Cost(height, width, count, warm.psnr, *seconds, plain, memory)


def _each(
    work: Callable[[], object], optimizer: torch.optim.Optimizer, frames: int, clock: Clock
) -> float:
    """Return the seconds of one call of `work`, the median of some rounds of many calls."""
    step = RecordedStep(work, optimizer)
    step.run(2)  # the first call is ordinary; the second records the graph
    return median(clock.seconds(lambda: step.run(frames)) for _ in range(ROUNDS)) / frames
