"""Pictures of differences."""

from typing import Any

import numpy as np
import pytest

from gaussianimage.picture import Picture, from_array
from gaussianimage.visualize.difference import difference


def flat(*values: float, size: tuple[int, int] = (2, 3)) -> Picture:
    return from_array(np.broadcast_to(np.array(values, dtype=float), (*size, len(values))))


def test_equal_pictures_are_middle_gray() -> None:
    shown = difference(flat(0.1, 0.5, 0.9), flat(0.1, 0.5, 0.9))
    assert shown.shape == (2, 3, 3)
    assert shown.dtype == np.uint8
    assert (shown == 128).all()


def test_where_the_second_is_brighter_so_is_the_difference() -> None:
    shown = difference(flat(0.5, 0.5, 0.5), flat(0.6, 0.5, 0.4), gain=2)
    np.testing.assert_array_equal(shown[0, 0], [179, 128, 77])


def test_large_differences_are_clipped() -> None:
    np.testing.assert_array_equal(difference(flat(0, 0, 1), flat(1, 0, 0))[0, 0], [255, 128, 0])


def test_gray_pictures_give_gray() -> None:
    assert difference(flat(0.5), flat(0.6)).shape == (2, 3)


def test_gray_compares_with_color() -> None:
    shown = difference(flat(0.5), flat(0.5, 0.6, 0.5), gain=1)
    np.testing.assert_array_equal(shown[0, 0], [128, 153, 128])


def test_what_is_transparent_counts_as_black() -> None:
    shown = difference(flat(1.0, 1.0, 1.0, 0.0), flat(0.0, 0.0, 0.0))
    assert (shown == 128).all()


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="3 x 2 and 2 x 3"):
        difference(flat(0.5), flat(0.5, size=(3, 2)))


@pytest.mark.parametrize("gain", [0, -1, float("nan"), float("inf")])
def test_a_gain_is_a_positive_number(gain: Any) -> None:
    with pytest.raises(ValueError, match="gain"):
        difference(flat(0.5), flat(0.5), gain=gain)
