"""Prune and regrow: Gaussians that aren't worth their bits make way for others that are."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.codec.encoder.rounding import normalized_colors
from gaussianimage.fitting.density import blur_twice, detail
from gaussianimage.fitting.memory import begin_newton, measure_overlaps
from gaussianimage.fitting.placement import BLUR_RADIUS, births

# Weight of the penalty on bits. The bits of a Gaussian and the error by rounding it grow with the
# logarithm of its amplitude b; together they weigh about ½ Δ² ln(1 + |b|² / Δ²).
BITS = 0.8

# Weight of the penalty on area, Δ² for each π σ₁ σ₂ px². The rounds would make Gaussians large that
# gain little by it, and a decoder draws every pixel of them. Files keep their size
# (docs/experiments/price-of-area.md).
AREA = 3e-4

# A Gaussian is pruned if its amplitude |b| is below this many color steps Δ: elsewhere its bits
# would reduce the error more.
PRUNE = 1.4

# Variance of a uniform density over a block of the optimizer's, 4 × 4 px, along an axis.
BLOCK_VARIANCE = 16 / 12

GROWN = 0.2  # new Gaussians in a round, as a share of their number
GROWN_UNTIL = 0.9  # share of the rounds that add Gaussians

# Rate of a Gauss-Newton step. It falls over a round to END_FRACTION.
NEWTON_RATE = 2.0
END_FRACTION = 0.7


def prune_and_regrow(
    optimizer: _native.Optimizer,
    pixels: NDArray[np.float32],
    step: float,
    *,
    most: int,
    energy: float,
    rounds: int,
    iterations: int,
    seed: int,
    weigh: Callable[[int], NDArray[np.float32] | None] | None = None,
    threads: int | None = None,
) -> Iterator[tuple[int, float]]:
    """Remove Gaussians that aren't worth their bits, in rounds, and add others where the error is.

    Parameters
    ----------
    optimizer : _native.Optimizer
        A fit of the picture less the background. Gaussians keep their velocities from round to
        round.
    pixels : ndarray, (H, W, C), float32
        The picture.
    step : float
        The color step Δ of the following quantization, or a coarser one for fewer Gaussians.
    most : int
        The largest number of Gaussians at any time.
    energy : float
        Weight of the penalty on energy, as in `fit`.
    rounds, iterations : int
        Number of rounds, and of the optimizer's steps in each.
    seed : int
        Seed of the random places of new Gaussians.
    weigh : callable, optional
        Called with the number of each round before it begins. It may set the weights of the
        optimizer's error, and returns those that pruning and new Gaussians must regard, (H, W, C),
        or None.
    threads : int, optional
        Threads to use; all CPUs of this process by default.

    Yields
    ------
    gaussians : int
        Number of Gaussians after a round.
    loss : float
        ½ Σ (I − T)² before the round's last iteration.
    """
    if len(optimizer) == 0:
        return
    places = detail(pixels, threads=threads)
    blur_twice(places, BLUR_RADIUS, threads=threads)
    rates = (NEWTON_RATE * np.linspace(1, END_FRACTION, iterations)).astype(np.float32)
    weights = None
    begin_newton(optimizer)
    for number in range(rounds):
        if weigh is not None:
            weights = weigh(number)
        prune(optimizer, step, weights)
        count = 0
        if number < int(GROWN_UNTIL * rounds):
            count = min(round(GROWN * len(optimizer)), most - len(optimizer))
        if count > 0:
            generator = np.random.default_rng([seed, rounds, number])
            new = births(
                optimizer,
                places,
                count,
                most,
                generator,
                weights=weights,
                threads=threads,
            )
            optimizer.add(*new)
        if len(optimizer) == 0:
            return
        measure_overlaps(optimizer)
        losses = optimizer.gauss_newton(rates, energy, step, BITS, AREA)
        yield len(optimizer), float(losses[-1])
    prune(optimizer, step, weights)


def prune(
    optimizer: _native.Optimizer, step: float, weights: NDArray[np.float32] | None = None
) -> None:
    """Remove the Gaussians of amplitude below `PRUNE` color steps.

    Parameters
    ----------
    optimizer : _native.Optimizer
    step : float
        The color step Δ.
    weights : ndarray, (H, W, C), float32, optional
        The weights of the optimizer's error. With them, an amplitude is the root of what the error
        grows by without the Gaussian.
    """
    cholesky = optimizer.cholesky
    log_size = 0.5 * np.log(cholesky[:, 0] * cholesky[:, 2])
    amplitude = np.linalg.norm(normalized_colors(log_size, optimizer.colors), axis=1)
    if weights is not None:
        amplitude *= np.sqrt(_error_of_unit_energy(optimizer, weights))
    optimizer.keep((amplitude > PRUNE * step).astype(np.uint8))


def _error_of_unit_energy(
    optimizer: _native.Optimizer, weights: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return about what a Gaussian of unit energy adds to a loss that is weighted, (N,)."""
    height, width, _ = weights.shape
    x, y = np.clip(optimizer.means, 0, (width - 1, height - 1)).astype(np.intp).T
    weight = weights[y, x].mean(axis=1, dtype=np.float64)
    # What means over blocks leave of it. They act like a blur by twice the variance of a block.
    sigma = optimizer.cholesky[:, ::2]
    left = np.prod(sigma / np.sqrt(np.square(sigma) + BLOCK_VARIANCE), axis=1)
    error: NDArray[np.float64] = weight * (1 + optimizer.block_weight * left)
    return error
