import numpy as np
from samples import levels

from gaussianimage.codec.format.levels import QuantizedGaussians


def test_parts_are_joined_and_chosen_from() -> None:
    whole = levels(0, 10)
    index = np.arange(10)
    parts = [whole.select(index[:3]), whole.select(index >= 3)]
    joined = QuantizedGaussians.concatenate(parts)
    assert all(np.array_equal(a, b) for a, b in zip(joined, whole, strict=True))
    assert len(whole.select(np.array([7])).color) == 1


def test_nothing_can_be_joined_to_something() -> None:
    some = levels(0, 4, 3)
    joined = QuantizedGaussians.concatenate([QuantizedGaussians.none(3), some])
    assert all(
        np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(joined, some, strict=True)
    )
