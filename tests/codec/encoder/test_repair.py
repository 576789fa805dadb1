import numpy as np
import pytest

from gaussianimage import _native
from gaussianimage.codec.encoder.local_contrast import BLOCK
from gaussianimage.codec.encoder.rd_quantization import RdQuantizer
from gaussianimage.codec.encoder.repair import find_lost_blocks, repair
from gaussianimage.codec.format.quantizer import QuantizerParameters

STEP_INDEX = 26  # a step of about 0.32
PARAMETERS = QuantizerParameters(STEP_INDEX, 128, (0, 0, 0))
STEP = PARAMETERS.color_step


def plain(height: int = 40, width: int = 56) -> np.ndarray:
    return np.full((height, width, 3), 0.8, np.float32)


def found(pixels: np.ndarray, residual: np.ndarray) -> list[int]:
    count = -(-pixels.shape[0] // BLOCK) * -(-pixels.shape[1] // BLOCK)
    return [int(block) for block in find_lost_blocks(pixels, residual, STEP, np.arange(count))[0]]


def test_what_is_drawn_well_is_left_alone() -> None:
    pixels = plain()
    pixels[10:30, 10:30] = 0.2
    assert found(pixels, np.zeros_like(pixels)) == []


@pytest.mark.parametrize("at", [(5, 5), (20, 30), (39, 55)])
def test_a_dot_that_is_missing_is_found(at: tuple[int, int]) -> None:
    pixels = plain()
    pixels[at] = 0
    residual = np.zeros_like(pixels)
    residual[at] = 0.8
    y, x = at
    blocks, spots = find_lost_blocks(pixels, residual, STEP, np.arange(12))
    assert list(blocks) == [y // BLOCK * 4 + x // BLOCK]
    strongest = np.abs(spots.colors).sum(axis=1).argmax()
    assert spots.means[strongest] == pytest.approx((x + 0.5, y + 0.5))
    assert (spots.colors[strongest] < 0).all()


def test_a_block_worse_than_its_mean_is_found() -> None:
    pixels = plain()
    residual = np.zeros_like(pixels)
    residual[16:32, 16:32] = 0.02
    assert found(pixels, residual) == [5]


def test_what_texture_lacks_is_not_a_thing() -> None:
    rng = np.random.default_rng(0)
    pixels = plain() + rng.normal(0, 0.05, (40, 56, 1)).astype(np.float32)
    assert found(pixels, 0.9 * (0.8 - pixels)) == []


def test_edges_of_the_picture_count_like_all_else() -> None:
    pixels = plain(17, 33)
    residual = np.zeros_like(pixels)
    residual[16, 32] = 0.5
    pixels[16, 32] = 0.3
    assert found(pixels, residual) == [5]


def test_a_repair_puts_a_dot_and_a_stroke_back() -> None:
    pixels = plain() - np.float32(0.8)
    pixels[4:7, 4:7] = -0.6
    pixels[20:30, 40:42] = -0.5
    optimizer = _native.Optimizer(pixels, 3.5, 1)
    rounding = RdQuantizer(PARAMETERS, STEP, height=40, width=56, q_max=3.5, threads=1)
    before = np.square(pixels).sum()
    added = list(
        repair(optimizer, rounding, pixels, STEP, least=0.0, model_set=3, costs=rounding.costs([]))
    )
    assert sum(len(levels.precision) for levels in added) >= 2
    assert len(optimizer) == 0
    residual = optimizer.residual()
    assert found(pixels, pixels * -1) == [0, 6]
    assert not {0, 6} & set(found(pixels, residual))
    assert np.square(residual).sum() < 0.3 * before


def test_a_repair_of_nothing_adds_nothing() -> None:
    pixels = plain() - np.float32(0.8)
    optimizer = _native.Optimizer(pixels, 3.5, 1)
    rounding = RdQuantizer(PARAMETERS, STEP, height=40, width=56, q_max=3.5, threads=1)
    costs = rounding.costs([])
    assert (
        list(repair(optimizer, rounding, pixels, STEP, least=0.0, model_set=3, costs=costs)) == []
    )
