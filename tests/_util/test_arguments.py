import numpy as np
import pytest

from gaussianimage._util import arguments


def test_sizes_and_crops_come_back_as_plain_integers():
    assert arguments.size_pair("size", (np.int32(3), np.uint32(65536))) == (3, 65536)
    assert arguments.size_pair("size", [3, 4]) == (3, 4)
    box = arguments.crop_box("crop", np.array([1, 2, 3, 4]), (4, 6))
    assert box == (1, 2, 3, 4)
    assert {type(number) for number in box} == {int}


def test_a_number_of_things_is_an_integer_from_1():
    assert type(arguments.positive("count", np.int64(1))) is int
    with pytest.raises(ValueError, match="count: expected at least 1, got 0"):
        arguments.positive("count", 0)
    with pytest.raises(TypeError, match="count: expected an integer, got 1"):
        arguments.positive("count", 1.5)


@pytest.mark.parametrize("size", [5, None, (1,), (1, 2, 3), "ab3"])
def test_a_size_that_is_no_pair_is_a_type_error(size):
    with pytest.raises(TypeError, match=r"size: expected \(height, width\), got"):
        arguments.size_pair("size", size)


def test_errors_name_the_part_that_is_wrong():
    with pytest.raises(TypeError, match=r"size: width: expected an integer, got 2.0 \(float\)"):
        arguments.size_pair("size", (1, 2.0))
    with pytest.raises(ValueError, match="size: height: expected 1 to 65536 pixels, got -1"):
        arguments.size_pair("size", (-1, 2))
    with pytest.raises(TypeError, match="crop: left: expected an integer, got True"):
        arguments.crop_box("crop", (0, True, 1, 1), (4, 4))
    with pytest.raises(TypeError, match=r"crop: expected \(top, left, height, width\), got"):
        arguments.crop_box("crop", (0, 0, 1), (4, 4))
    with pytest.raises(ValueError, match=r"inside 4 x 5 .* got top 3, left 0, height 2, width 1"):
        arguments.crop_box("crop", (3, 0, 2, 1), (4, 5))


def test_real_arrays_are_converted_without_a_warning():
    array = arguments.real_array("x", np.array([1, 2], dtype=np.float16)[::-1])
    assert array.tolist() == [2, 1]
    assert array.dtype == np.float64
    assert arguments.real_array("x", np.array([2**63], dtype=np.uint64)).tolist() == [2.0**63]
    with pytest.raises(TypeError, match="x: expected real numbers, got dtype bool"):
        arguments.real_array("x", [True, False])
    with pytest.raises(ValueError, match=r"x: .*inhomogeneous"):
        arguments.real_array("x", [[1], [1, 2]])
    with pytest.raises(ValueError, match=r"x: expected shape \(N, 3\), got \(\)"):
        arguments.real_array("x", 5, columns=3)


def test_a_cutoff_is_any_real_number_in_its_range():
    assert arguments.cutoff("q", 64) == 64
    assert arguments.cutoff("q", np.float32(4.5)) == 4.5
    for value in (0, -1, 64.01, float("nan")):
        with pytest.raises(ValueError, match="q: expected above 0 and at most 64"):
            arguments.cutoff("q", value)
    for value in (True, "4.5", None, 4.5j):
        with pytest.raises(TypeError, match="q: expected a number"):
            arguments.cutoff("q", value)


def test_a_side_of_a_size_that_is_left_out_keeps_the_shape():
    assert arguments.full_size("size", None, (3, 5)) == (3, 5)
    assert arguments.full_size("size", (6, None), (3, 5)) == (6, 10)
    assert arguments.full_size("size", (None, 1), (3, 5)) == (1, 1)
    assert arguments.full_size("size", (None, 1), (1, 5)) == (1, 1)
    with pytest.raises(ValueError, match=r"size: expected a height or a width, got \(None, None\)"):
        arguments.full_size("size", (None, None), (3, 5))
    with pytest.raises(ValueError, match="size: height: expected 1 to 65536 pixels, got 65538"):
        arguments.full_size("size", (None, 3), (43692, 2))


def test_a_size_within_a_longest_side_is_never_larger():
    assert arguments.within((30, 40), 100) == (30, 40)
    assert arguments.within((30, 40), 4) == (3, 4)
    assert arguments.within((1, 4000), 10) == (1, 10)
