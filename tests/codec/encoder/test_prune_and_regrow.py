from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.codec.encoder.prune_and_regrow import PRUNE, prune_and_regrow
from gaussianimage.codec.encoder.quantize_fit import ENERGY
from gaussianimage.codec.encoder.rounding import normalized_colors
from gaussianimage.fitting.fit import fit
from gaussianimage.picture import as_picture

PARROT = as_picture(Path(__file__).parents[2] / "data" / "parrot.png")
STEP = 0.2


def fitted(count: int, threads: int = 1) -> _native.Optimizer:
    state = fit(PARROT, count, iterations=80, energy=ENERGY).state
    optimizer = _native.Optimizer(PARROT.pixels, 4.5, threads)
    state.restore(optimizer)
    background = np.zeros(len(optimizer), np.uint8)
    background[0] = 1
    optimizer.bake(background)
    return optimizer


def amplitudes(optimizer: _native.Optimizer) -> NDArray[np.float64]:
    cholesky = optimizer.cholesky
    log_size = 0.5 * np.log(cholesky[:, 0] * cholesky[:, 2])
    norms: NDArray[np.float64] = np.linalg.norm(
        normalized_colors(log_size, optimizer.colors), axis=1
    )
    return norms


def pruned(
    rounds: int, *, step: float = STEP, threads: int = 1, seed: int = 0
) -> _native.Optimizer:
    optimizer = fitted(150, threads)
    parts = prune_and_regrow(
        optimizer,
        PARROT.pixels,
        step,
        most=149,
        energy=ENERGY,
        rounds=rounds,
        iterations=20,
        seed=seed,
    )
    for _ in parts:
        assert len(optimizer) <= 149
    return optimizer


def loss(optimizer: _native.Optimizer) -> float:
    return float(np.square(optimizer.residual()).sum())


def value(optimizer: _native.Optimizer) -> float:
    """Return the error plus the cost of each Gaussian, 28 bits and the noise of its rounding."""
    return loss(optimizer) + 4 * STEP**2 * len(optimizer)


def test_what_is_left_earns_its_bits() -> None:
    optimizer = pruned(4, step=2 * STEP)
    assert amplitudes(optimizer).min() > PRUNE * 2 * STEP
    assert len(optimizer) < len(fitted(150))


def test_more_rounds_find_better_ones() -> None:
    many, one = (value(pruned(rounds)) for rounds in (12, 1))
    assert many < one < value(fitted(150))


def test_a_coarser_step_leaves_fewer() -> None:
    assert len(pruned(4, step=0.4)) < len(pruned(4, step=0.1))


def test_a_step_that_is_too_coarse_for_all_leaves_none() -> None:
    assert len(pruned(4, step=1e3)) == 0


def test_no_gaussians_stay_none() -> None:
    optimizer = _native.Optimizer(PARROT.pixels, 4.5, 1)
    rounds = prune_and_regrow(
        optimizer,
        PARROT.pixels,
        STEP,
        most=9,
        energy=0.01,
        rounds=3,
        iterations=5,
        seed=0,
    )
    assert list(rounds) == []


@pytest.mark.parametrize(("threads", "seed", "same"), [(2, 0, True), (1, 1, False)])
def test_seeds_change_the_result_and_threads_do_not(threads: int, seed: int, same: bool) -> None:
    one, other = pruned(6), pruned(6, threads=threads, seed=seed)
    assert np.array_equal(one.means, other.means) is same
