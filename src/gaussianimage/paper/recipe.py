"""The recipe of a training run: optimizer, step size, loss and length."""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Self

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor

from gaussianimage._util.arguments import integer
from gaussianimage.torch.adan import Adan
from gaussianimage.torch.losses import get_loss

OPTIMIZERS = ("adan", "adam")


@dataclass(frozen=True)
class Recipe:
    """A training run; the defaults are the paper's.

    Parameters
    ----------
    iterations : int, default 50000
        Steps of the optimizer, from 0.
    learning_rate : float, default 1e-3
        Initial step size of all parameters, above 0.
    halve_every : int, default 20000
        Number of iterations between two halvings of the step size, from 1.
    loss : str, default "l2"
        The name of a loss; see `gaussianimage.torch.get_loss`.
    seed : int, default 1
        Seed of the model's random start. Training itself uses no random numbers.
    optimizer : {"adan", "adam"}, default "adan"
    seconds : float, optional
        Time limit, above 0. Training stops after the iteration that exceeds it.

    Raises
    ------
    TypeError, ValueError
        If a value has a wrong type or is out of range.
    """

    iterations: int = 50000
    learning_rate: float = 1e-3
    halve_every: int = 20000
    loss: str = "l2"
    seed: int = 1
    optimizer: str = "adan"
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, least in (("iterations", 0), ("halve_every", 1), ("seed", 0)):
            if integer(name, getattr(self, name)) < least:
                raise ValueError(f"{name}: expected from {least}, got {getattr(self, name)}")
        _positive("learning_rate", self.learning_rate)
        if self.seconds is not None:
            _positive("seconds", self.seconds)
        get_loss(self.loss)
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(
                f"optimizer: expected one of {', '.join(OPTIMIZERS)}, got {self.optimizer!r}"
            )

    def shortened(self, iterations: int, *, learning_rate: float | None = None) -> Self:
        """Return this recipe for another number of iterations, with its schedule in proportion.

        Parameters
        ----------
        iterations : int
            Steps of the optimizer, from 1.
        learning_rate : float, optional
            Another step size; a larger one helps a short run, which has few steps.
        """
        part = integer("iterations", iterations) / max(self.iterations, 1)
        return dataclasses.replace(
            self,
            iterations=iterations,
            halve_every=max(1, round(self.halve_every * part)),
            learning_rate=self.learning_rate if learning_rate is None else learning_rate,
        )

    def make_optimizer(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        """Return a new optimizer of parameters; a CUDA graph can record it on a GPU."""
        parameters = list(parameters)
        if not any(parameter.is_cuda for parameter in parameters):
            kind = Adan if self.optimizer == "adan" else torch.optim.Adam
            return kind(parameters, lr=self.learning_rate)
        # A CUDA graph would record a Python number as a constant.
        rate = torch.tensor(self.learning_rate, device=parameters[0].device)
        if self.optimizer == "adan":
            return Adan(parameters, lr=rate)
        return torch.optim.Adam(parameters, lr=rate, fused=True, capturable=True)

    def rate(self, iteration: int) -> float:
        """Return the step size for an iteration, counted from 0."""
        return self.learning_rate * 0.5 ** (iteration // self.halve_every)

    def set_rate(self, optimizer: torch.optim.Optimizer, iteration: int) -> None:
        """Set an optimizer's step size for an iteration, counted from 0."""
        rate = self.rate(iteration)
        for group in optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate


def _positive(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    if not 0 < float(value) < math.inf:
        raise ValueError(f"{name}: expected a finite number above 0, got {value}")
