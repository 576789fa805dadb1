"""A training loop with hooks, on which a method of fitting Gaussians is a small strategy."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from gaussianimage._util.arguments import integer
from gaussianimage.torch.losses import Loss, get_loss, l2
from gaussianimage.torch.population import Population


class Strategy:
    """What a method does around the steps of a `Training`; every hook may be left out."""

    def on_start(self, training: "Training") -> None:
        """Act before the first iteration."""

    def on_gradients(self, training: "Training") -> None:
        """Act between `backward` and the optimizer's step: change or measure gradients."""

    def on_step(self, training: "Training") -> None:
        """Act after a step: add, prune or split Gaussians, or change the step size."""


class HalveRate(Strategy):
    """Halves all step sizes every so many iterations.

    Parameters
    ----------
    every : int
        Number of iterations, from 1.
    factor : float, default 0.5
        What the step sizes are multiplied by.
    """

    def __init__(self, every: int, factor: float = 0.5) -> None:
        self._every = max(1, integer("every", every))
        self._factor = factor

    def on_step(self, training: "Training") -> None:
        """Change the step sizes if it is time."""
        if training.iteration % self._every == 0:
            for group in training.optimizer.param_groups:
                group["lr"] = group["lr"] * self._factor


class Training:
    """The training of a model that draws a picture; it can be continued.

    Parameters
    ----------
    model : nn.Module
        A call without arguments returns its picture, (H, W, C).
    target : Tensor, (H, W, C)
        The picture, from 0 to 1, of the model's type and on its device.
    optimizer : torch.optim.Optimizer
        The optimizer of the model's parameters.
    strategies : iterable of Strategy
        Their hooks are called in this order.
    loss : str or callable, default "l2"
        The name of a loss (see `get_loss`), or a function of picture and target.
    clamp : bool, default False
        Whether the picture is clamped to 0..1 before the loss, as in the paper; saturated pixels
        then have no gradient.
    names : sequence of str, optional
        The parameters with a row per Gaussian; see `Population`.

    Attributes
    ----------
    population : Population
        The model's Gaussians, which strategies add, prune and split.
    iteration : int
        Steps done so far.
    iterations : int
        Steps of all runs, of which the last one knows.
    image : Tensor, (H, W, C)
        The picture before the last step, not clamped; its `grad` is the loss's derivative by it.
    error : Tensor, (H, W, C)
        `target` − `image`, without gradient.

    Notes
    -----
    `gaussianimage.paper.training.train` is the paper's own loop, which records CUDA graphs. This
    loop asks nothing of a model or a strategy, and records nothing.
    """

    def __init__(
        self,
        model: nn.Module,
        target: Tensor,
        optimizer: torch.optim.Optimizer,
        strategies: Iterable[Strategy] = (),
        *,
        loss: str | Loss = "l2",
        clamp: bool = False,
        names: Iterable[str] | None = None,
    ) -> None:
        self.model = model
        self.target = target
        self.optimizer = optimizer
        self.strategies = tuple(strategies)
        self.population = Population(model, optimizer, None if names is None else tuple(names))
        self.iteration = self.iterations = 0
        self.image = torch.zeros_like(target)
        self._loss = get_loss(loss) if isinstance(loss, str) else loss
        self._clamp = clamp
        self._stopped = False

    @property
    def error(self) -> Tensor:
        """What the picture of the last step lacked, (H, W, C)."""
        return self.target - self.image.detach()

    def run(self, iterations: int) -> float:
        """Do some iterations, fewer if a strategy calls `stop`.

        Parameters
        ----------
        iterations : int
            From 0.

        Returns
        -------
        float
            The PSNR in dB of the picture after them, clamped to 0..1.
        """
        last = self.iteration + integer("iterations", iterations)
        self.iterations, self._stopped = last, False
        if self.iteration == 0:
            for strategy in self.strategies:
                strategy.on_start(self)
        while self.iteration < last and not self._stopped:
            self._step()
        return self.psnr()

    def stop(self) -> None:
        """End the run after this iteration."""
        self._stopped = True

    @torch.no_grad()
    def psnr(self) -> float:
        """Return the PSNR in dB of the model's picture, clamped to 0..1."""
        error = float(l2(self.model().clamp(0, 1), self.target))
        return math.inf if error == 0 else -10 * math.log10(error)

    def _step(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        image = self.model()
        if image.requires_grad:
            image.retain_grad()
        self.image = image
        shown = image.clamp(0, 1) if self._clamp else image
        self._loss(shown, self.target).backward()  # type: ignore[no-untyped-call]
        for strategy in self.strategies:
            strategy.on_gradients(self)
        self.optimizer.step()
        self.iteration += 1
        for strategy in self.strategies:
            strategy.on_step(self)
