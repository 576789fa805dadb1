"""From indices to values."""

from typing import Any

import numpy as np
import pytest

from gaussianimage.codec.paper_profile.quantizers import UniformQuantizer, VectorQuantizer


def test_a_uniform_index_is_a_step_from_beta() -> None:
    quantizer = UniformQuantizer(3, [0.5, 2.0], [-1.0, 10.0])
    values = quantizer.dequantize(np.array([[0, 0], [1, 2], [7, 7]], np.uint16))
    assert values.tolist() == [[-1, 10], [-0.5, 14], [2.5, 24]]
    assert quantizer.widths == (3, 3)
    assert quantizer.to_bytes() == np.array([0.5, 2, -1, 10], "<f4").tobytes()


def test_a_vector_is_the_sum_of_an_entry_of_each_codebook() -> None:
    codebooks = np.arange(16).reshape(2, 4, 2) * [[[1.0]], [[0.25]]]
    quantizer = VectorQuantizer(codebooks)
    values = quantizer.dequantize(np.array([[0, 0], [3, 1], [1, 3]], np.uint16))
    assert values.tolist() == [[2, 3.25], [8.5, 9.75], [5.5, 6.75]]
    assert quantizer.widths == (2, 2)
    assert quantizer.components == 2
    assert quantizer.to_bytes() == codebooks.astype("<f4").tobytes()


@pytest.mark.parametrize("count", [0, 1, 5])
def test_any_number_of_rows_is_dequantized(count: int) -> None:
    uniform = UniformQuantizer(3, [0.5], [1.0])
    assert uniform.dequantize(np.zeros((count, 1), np.uint16)).shape == (count, 1)
    vector = VectorQuantizer(np.ones((3, 2, 4)))
    assert vector.dequantize(np.zeros((count, 3), np.uint16)).shape == (count, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, [1.0], [0.0]), "bits: expected 1 to 12, got 0"),
        ((13, [1.0], [0.0]), "bits: expected 1 to 12, got 13"),
        ((6, [1.0, 2.0], [0.0]), r"scale, beta: expected equal shapes .* \(2,\), \(1,\)"),
        ((6, [[1.0]], [[0.0]]), "scale, beta: expected equal shapes"),
        ((6, [np.nan], [0.0]), "scale: expected finite numbers"),
        ((6, [1.0], [1e39]), "beta: expected finite numbers"),
    ],
    ids=str,
)
def test_impossible_uniform_quantizers_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UniformQuantizer(*arguments)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 8), "codebooks: expected shape"),
        ((2, 8, 0), "codebooks: expected shape"),
        ((0, 8, 3), "stages: expected 1 to 8, got 0"),
        ((9, 8, 3), "stages: expected 1 to 8, got 9"),
        ((2, 7, 3), "entries a stage, got 7"),
        ((2, 1, 3), "entries a stage, got 1"),
        ((2, 512, 3), "entries a stage, got 512"),
    ],
    ids=str,
)
def test_impossible_codebooks_are_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VectorQuantizer(np.zeros(shape))


def test_parameters_are_kept_in_single_precision_and_unchangeable() -> None:
    scale = np.array([0.1, 0.2, 0.3])
    quantizer = UniformQuantizer(6, scale, scale)
    scale[:] = 5
    assert quantizer.scale.dtype == np.float32
    assert quantizer.scale.tolist() == np.float32([0.1, 0.2, 0.3]).tolist()
    with pytest.raises(ValueError, match="read-only"):
        quantizer.scale[0] = 1
