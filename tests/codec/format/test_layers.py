import numpy as np
import pytest
from samples import levels

from gaussianimage.codec.format.layers import (
    LEAST_FOR_LAYERS,
    divide_into_layers,
    layer_ends,
    model_set,
)
from gaussianimage.codec.format.levels import QuantizedGaussians

NONE = levels(0, 0)


def rows(parts: list[QuantizedGaussians]) -> list[tuple[int, ...]]:
    whole = QuantizedGaussians.concatenate(parts)
    return sorted(map(tuple, np.column_stack([whole.precision, *whole[1:]]).tolist()))


def test_few_gaussians_are_one_layer() -> None:
    parts = [levels(seed, LEAST_FOR_LAYERS[0] // 10 - 1) for seed in range(10)]
    (layer,) = divide_into_layers(parts)
    assert rows([layer]) == rows(parts)


@pytest.mark.parametrize("stages", [1, 7, 20])
@pytest.mark.parametrize("layers", [2, 3])
def test_many_gaussians_are_layers_of_falling_importance(stages: int, layers: int) -> None:
    parts = [levels(seed, -(-LEAST_FOR_LAYERS[layers - 2] // stages)) for seed in range(stages)]
    found = divide_into_layers(parts)
    assert len(found) == layers
    for field, expected in zip(
        QuantizedGaussians.concatenate(found), QuantizedGaussians.concatenate(parts), strict=True
    ):
        assert np.array_equal(field, expected)
    # A twentieth, three tenths, all: whatever the stages.
    total = sum(len(part.precision) for part in parts)
    ends = np.cumsum([len(layer.precision) for layer in found])[:-1] / total
    assert ends == pytest.approx([0.05, 0.3][: layers - 1], abs=1e-3)


def test_empty_stages_make_no_layer() -> None:
    assert divide_into_layers([]) == []
    assert divide_into_layers([NONE, NONE]) == []
    assert [len(x.precision) for x in divide_into_layers([NONE, levels(0, 3), NONE])] == [3]


def test_ends_rise_to_the_count() -> None:
    assert [layer_ends(count) for count in (0, 999, 1000, 3999, 4000)] == [
        [0],
        [999],
        [50, 1000],
        [200, 3999],
        [200, 1200, 4000],
    ]


def test_a_single_layer_has_models_of_its_own() -> None:
    assert model_set(0, 1) == 3
    assert [model_set(layer, 5) for layer in range(5)] == [0, 1, 2, 2, 2]


def test_a_file_that_is_not_progressive_has_one_layer() -> None:
    assert layer_ends(5000, progressive=False) == [5000]
    parts = [levels(0, 900), levels(1, 600)]
    assert len(divide_into_layers(parts)) == 2
    (layer,) = divide_into_layers(parts, progressive=False)
    assert len(layer.precision) == 1500
