"""What drawing and training one scene costs on a GPU: seconds by its own clock, and memory."""

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
    """Tells how long a device works."""

    def seconds(self, work: Callable[[], object]) -> float:
        """Return the seconds from when the device begins with the work until it has done it."""


class EventClock:
    """A GPU's own: two events around the work, and a wait for the second.

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
    """Of one scene: seconds, the median of some rounds; frames a second; MiB.

    Attributes
    ----------
    forward, forward_backward, iteration : float
        Of one picture, of it and its gradient, and of a whole iteration of the paper's recipe. Each
        is recorded once as a CUDA graph and repeated; a round is `frames` of them and one wait.
    plain_fps : float
        Plain calls of the model, every frame waited for.
    memory_mib : float or None
        Peak while training, reserved by PyTorch.
    psnr : float
        In dB, when the times were taken.
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
        """Seconds of the gradient alone: what it adds to the picture."""
        return self.forward_backward - self.forward

    @property
    def fps(self) -> float:
        """Pictures a second, one right after the other."""
        return 1 / self.forward


def measure(target: Tensor, count: int, warmup: int, frames: int, clock: Clock) -> Cost:
    """Fit Gaussians to a picture and time them.

    Parameters
    ----------
    target : Tensor, (H, W, 3)
        On the device to measure.
    count : int
        N.
    warmup : int
        Iterations before anything is timed: the random start has smaller Gaussians than a fit.
    frames : int
        How many make a round.
    clock : Clock
    """
    height, width, _ = target.shape
    peak = PeakMemory(target.device)
    model = CholeskyModel.random(count, height, width).to(target.device)
    warm = train(model, target, Recipe().shortened(max(warmup, 1), learning_rate=0.02))
    # So small a step changes nothing that counts while it is timed.
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
    """Return the seconds of one piece of work, the median of some rounds of many."""
    step = RecordedStep(work, optimizer)
    step.run(2)  # the first is an ordinary one; for the second it is recorded
    return median(clock.seconds(lambda: step.run(frames)) for _ in range(ROUNDS)) / frames
