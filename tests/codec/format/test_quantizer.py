import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussianimage.codec.format.quantizer import MOST_STEP, QuantizerParameters, nearest_color_index
from gaussianimage.errors import FormatError

all_parameters = st.builds(
    QuantizerParameters,
    st.integers(0, 255),
    st.integers(64, 192),
    st.lists(st.integers(0, 65535), min_size=1, max_size=4).map(tuple),
)


@given(all_parameters)
def test_parameters_come_back(parameters: QuantizerParameters) -> None:
    data = parameters.to_bytes()
    assert len(data) == 2 + 2 * len(parameters.background)
    assert QuantizerParameters.from_bytes(data, len(parameters.background)) == parameters


def test_bytes_are_pinned() -> None:
    assert (
        QuantizerParameters(40, 128, (1, 0x1234, 65535)).to_bytes().hex(" ")
        == "28 80 01 00 34 12 ff ff"
    )


@given(all_parameters)
def test_steps_are_sixteenths_of_octaves(parameters: QuantizerParameters) -> None:
    assert parameters.color_step == pytest.approx(2 ** (-parameters.color_index / 16), rel=1e-15)
    assert parameters.shape_step == pytest.approx(2 ** (8 - parameters.shape_index / 16), rel=1e-15)


def test_steps_of_whole_octaves_are_exact() -> None:
    assert QuantizerParameters(48, 128, (0,)).color_step == 1 / 8
    assert QuantizerParameters(48, 128, (0,)).shape_step == 1
    assert QuantizerParameters(255, 64, (0,)).shape_step == 16


@given(all_parameters)
def test_all_parameters_make_a_quantizer(parameters: QuantizerParameters) -> None:
    parameters.quantizer(5, 7)


def test_the_background_is_in_the_pictures_range() -> None:
    found = QuantizerParameters(0, 128, (0, 32768, 65535)).background_color
    assert found.dtype == np.float64
    assert found == pytest.approx([0, 0.5000076, 1])


@given(st.floats(1e-6, 2))
def test_the_nearest_step_is_found(step: float) -> None:
    index = nearest_color_index(step)
    found = QuantizerParameters(index, 128, (0,)).color_step
    if 0 < index < 255:
        assert abs(math.log2(found / step)) <= 1 / 32 + 1e-9


def test_steps_out_of_range_become_the_last_ones() -> None:
    assert nearest_color_index(100.0) == 0
    assert QuantizerParameters(0, 128, (0,)).color_step == MOST_STEP
    assert nearest_color_index(1e-12) == 255


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("surplus", [-8, -1, 1, 2])
def test_a_wrong_length_is_refused(channels: int, surplus: int) -> None:
    data = (bytes([40, 128]) + bytes(20))[: max(2 + 2 * channels + surplus, 0)]
    with pytest.raises(FormatError, match=r"expected \d+ bytes.*\(at byte 17\)"):
        QuantizerParameters.from_bytes(data, channels, offset=17)


@pytest.mark.parametrize("index", [0, 63, 193, 255])
def test_a_shape_step_out_of_range_is_refused(index: int) -> None:
    with pytest.raises(FormatError, match="shape step"):
        QuantizerParameters.from_bytes(bytes([40, index, 0, 0]), 1)
