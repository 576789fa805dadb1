from collections.abc import Iterator

import numpy as np
import pytest

from gaussianimage import _native
from gaussianimage.codec.encoder.local_contrast import BLOCK, count_blocks, excess_errors
from gaussianimage.codec.encoder.rd_quantization import RdQuantizer
from gaussianimage.codec.encoder.worse_blocks import (
    Refined,
    find_reached,
    find_reaching,
    refine_worse_blocks,
)
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.quantizer import QuantizerParameters

PARAMETERS = QuantizerParameters(26, 128, (0, 0, 0))  # a step of about 0.32
Q_MAX = 3.5
HEIGHT, WIDTH = 40, 56
BOUNDS = np.zeros(3), np.ones(3)


QUANTIZER = RdQuantizer(
    PARAMETERS, PARAMETERS.color_step, height=HEIGHT, width=WIDTH, q_max=Q_MAX, threads=1
)


def drawn(layers: list[QuantizedGaussians], pixels: np.ndarray) -> np.ndarray:
    """Return what layers draw on black, less a picture."""
    optimizer = _native.Optimizer(pixels, Q_MAX, 1)
    optimizer.add(*QUANTIZER.quantizer.dequantize(*QuantizedGaussians.concatenate(layers)))
    return optimizer.residual()


def excess(pixels: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Return the mean squared error of each block less that of its mean color."""
    shown = np.clip(pixels + residual, *BOUNDS).astype(np.float32)
    return excess_errors(pixels, shown - pixels, np.arange(count_blocks(pixels)))


def refined(
    layers: list[QuantizedGaussians],
    pixels: np.ndarray,
    residual: np.ndarray,
    *,
    most: float,
    inside: np.ndarray | None = None,
) -> Iterator[Refined]:
    return refine_worse_blocks(
        layers,
        pixels,
        QUANTIZER.coordinate_descent(residual),
        QUANTIZER,
        most=most,
        bounds=BOUNDS,
        q_max=Q_MAX,
        inside=inside,
    )


def spots(*at: tuple[float, float], color: float = 0.5) -> list[QuantizedGaussians]:
    """Return a layer of round Gaussians with a σ of 3 px."""
    count = len(at)
    cholesky = np.tile([3.0, 0.0, 3.0], (count, 1))
    colors = np.full((count, 3), color, np.float32)
    return [QUANTIZER.nearest(np.array(at), cholesky, colors)]


def test_gaussians_reach_a_block_that_they_touch() -> None:
    means = np.array([(8.0, 8.0), (21.0, 8.0), (24.5, 8.0), (8.0, 30.0), (40.0, 24.0)])
    cholesky = np.tile([3.0, 0.0, 3.0], (5, 1))  # cut at 7.9 px
    reaching = find_reaching(means, cholesky, np.array([0]), WIDTH, Q_MAX)
    assert list(reaching) == [1, 1, 0, 0, 0]
    reaching = find_reaching(means, cholesky, np.array([0, 6]), WIDTH, Q_MAX)
    assert list(reaching) == [1, 1, 0, 0, 1]


def test_blocks_that_gaussians_reach_are_found() -> None:
    cholesky = np.tile([3.0, 0.0, 3.0], (1, 1))  # cut at 7.9 px, and a pixel more is looked at

    def reached(x: float, y: float) -> list[int]:
        found = find_reached(np.array([(x, y)]), cholesky, HEIGHT, WIDTH, Q_MAX)
        return [int(block) for block in np.flatnonzero(found)]

    assert reached(8, 8) == [0, 1, 4, 5]
    assert reached(24, 24) == [*range(3), *range(4, 7), *range(8, 11)]
    assert reached(54, 38) == [6, 7, 10, 11]
    assert reached(-5, 20) == [0, 4]
    assert reached(-20, 20) == []
    assert reached(8, 60) == []
    none = find_reached(np.zeros((0, 2)), np.zeros((0, 3)), HEIGHT, WIDTH, Q_MAX)
    assert not none.any()


def test_better_integers_mend_a_block_and_leave_distant_gaussians() -> None:
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    layers = spots((8, 8), (44, 30), color=0.15)
    pixels = np.maximum(drawn(layers, pixels), 0)
    pixels[:16, :16] *= 0.4  # the first one is drawn too bright
    residual = drawn(layers, pixels)
    most = 0.02
    assert list(np.flatnonzero(excess(pixels, residual) > most**2)) == [0]
    first, *found = refined(layers, pixels, residual, most=most)
    assert first.layers is layers
    assert found
    assert excess(pixels, drawn(found[-1].layers, pixels)).max() < most**2
    last = QuantizedGaussians.concatenate(found[-1].layers)
    for before, after in zip(layers[0], last, strict=True):
        assert (after[-1] == before[-1]).all()


def test_a_round_that_makes_blocks_no_better_does_not_count() -> None:
    layers = spots((48, 34), (40, 30), (52, 36), color=0.15)
    pixels = np.maximum(drawn(layers, np.zeros((HEIGHT, WIDTH, 3), np.float32)), 0)
    pixels[:, 48:] *= 0.2  # blocks that the same Gaussians reach want more and less of them
    pixels[:, :48] *= 1.5
    residual = drawn(layers, pixels)
    rounds = list(refined(layers, pixels, residual, most=1e-4))
    worst = [np.sqrt(excess(pixels, drawn(better.layers, pixels)).max()) for better in rounds]
    assert len(worst) > 1
    assert worst == sorted(worst, reverse=True)
    assert [better.excess for better in rounds] == pytest.approx(worst, rel=1e-3)


@pytest.mark.parametrize("inside", [None, np.arange(12) != 0])
def test_nothing_changes_without_a_worse_block(inside: np.ndarray | None) -> None:
    layers = spots((8, 8))
    pixels = np.maximum(drawn(layers, np.zeros((HEIGHT, WIDTH, 3), np.float32)), 0)
    residual = drawn(layers, pixels)
    if inside is not None:
        residual[:BLOCK, :BLOCK] += 0.5  # in the block that is not checked
    assert list(refined(layers, pixels, residual, most=0.05, inside=inside)) == [(layers, 0.0)]
