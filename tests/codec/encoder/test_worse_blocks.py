import numpy as np
import pytest

from gaussianimage import _native
from gaussianimage.codec.encoder.local_contrast import BLOCK, count_blocks, excess_errors
from gaussianimage.codec.encoder.rd_quantization import RdQuantizer
from gaussianimage.codec.encoder.worse_blocks import (
    find_reaching,
    refine_worse_blocks,
)
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.quantizer import QuantizerParameters

PARAMETERS = QuantizerParameters(26, 128, (0, 0, 0))  # a step of about 0.32
Q_MAX = 3.5
HEIGHT, WIDTH = 40, 56
BOUNDS = np.zeros(3), np.ones(3)


def quantizer_for(weights: np.ndarray) -> RdQuantizer:
    return RdQuantizer(
        PARAMETERS,
        PARAMETERS.color_step,
        height=HEIGHT,
        width=WIDTH,
        q_max=Q_MAX,
        threads=1,
        weights=weights,
    )


def drawn(layers: list[QuantizedGaussians], pixels: np.ndarray) -> np.ndarray:
    """Return what layers draw on black, less a picture."""
    optimizer = _native.Optimizer(pixels, Q_MAX, 1)
    quantizer = quantizer_for(np.ones((HEIGHT, WIDTH), np.float32)).quantizer
    optimizer.add(*quantizer.dequantize(*QuantizedGaussians.concatenate(layers)))
    return optimizer.residual()


def excess(pixels: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Return the mean squared error of each block less that of its mean color."""
    return excess_errors(pixels, residual, np.arange(count_blocks(pixels)), bounds=BOUNDS)


def spots(*at: tuple[float, float], color: float = 0.5) -> list[QuantizedGaussians]:
    """Return a layer of round Gaussians with a σ of 3 px."""
    count = len(at)
    cholesky = np.tile([3.0, 0.0, 3.0], (count, 1))
    colors = np.full((count, 3), color, np.float32)
    weights = np.ones((HEIGHT, WIDTH), np.float32)
    return [quantizer_for(weights).nearest(np.array(at), cholesky, colors)]


def test_gaussians_reach_a_block_that_they_touch() -> None:
    means = np.array([(8.0, 8.0), (21.0, 8.0), (24.5, 8.0), (8.0, 30.0), (40.0, 24.0)])
    cholesky = np.tile([3.0, 0.0, 3.0], (5, 1))  # cut at 7.9 px
    blocks = np.zeros(12, bool)
    blocks[0] = True
    assert list(find_reaching(means, cholesky, blocks, WIDTH, Q_MAX)) == [1, 1, 0, 0, 0]
    blocks[6] = True
    assert list(find_reaching(means, cholesky, blocks, WIDTH, Q_MAX)) == [1, 1, 0, 0, 1]


def test_better_integers_mend_a_block_and_leave_distant_gaussians() -> None:
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    layers = spots((8, 8), (44, 30), color=0.15)
    pixels = np.maximum(drawn(layers, pixels), 0)
    pixels[:16, :16] *= 0.4  # the first one is drawn too bright
    residual = drawn(layers, pixels)
    most = 0.02
    assert list(np.flatnonzero(excess(pixels, residual) > most**2)) == [0]
    found = list(
        refine_worse_blocks(
            layers, pixels, residual, quantizer_for, most=most, bounds=BOUNDS, q_max=Q_MAX
        )
    )
    assert found
    assert excess(pixels, drawn(found[-1], pixels)).max() < most**2
    last = QuantizedGaussians.concatenate(found[-1])
    for before, after in zip(layers[0], last, strict=True):
        assert (after[-1] == before[-1]).all()


def test_a_round_that_makes_blocks_no_better_does_not_count() -> None:
    layers = spots((48, 34), (40, 30), (52, 36), color=0.15)
    pixels = np.maximum(drawn(layers, np.zeros((HEIGHT, WIDTH, 3), np.float32)), 0)
    pixels[:, 48:] *= 0.2  # blocks that the same Gaussians reach want more and less of them
    pixels[:, :48] *= 1.5
    residual = drawn(layers, pixels)
    worst = [excess(pixels, residual).max()]
    rounds = refine_worse_blocks(
        layers, pixels, residual, quantizer_for, most=1e-4, bounds=BOUNDS, q_max=Q_MAX
    )
    worst.extend(excess(pixels, drawn(better, pixels)).max() for better in rounds)
    assert len(worst) > 1
    assert worst == sorted(worst, reverse=True)


@pytest.mark.parametrize("inside", [None, np.arange(12) != 0])
def test_nothing_changes_without_a_worse_block(inside: np.ndarray | None) -> None:
    layers = spots((8, 8))
    pixels = np.maximum(drawn(layers, np.zeros((HEIGHT, WIDTH, 3), np.float32)), 0)
    residual = drawn(layers, pixels)
    if inside is not None:
        residual[:BLOCK, :BLOCK] += 0.5  # in the block that is not checked
    rounds = refine_worse_blocks(
        layers,
        pixels,
        residual,
        quantizer_for,
        most=0.05,
        bounds=BOUNDS,
        q_max=Q_MAX,
        inside=inside,
    )
    assert list(rounds) == []
