"""The coder of alpha maps against the plain decoder, and maps at other sizes."""

import random

import numpy as np
import pytest
from alpha_samples import disk, hard
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from plain.alpha import decode_map
from plain.varint import InvalidError

from gaussianimage import _native

sides = st.integers(1, 40)


def classify(alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.where(alpha == 0, 0, np.where(alpha == 255, 1, 2)).astype(np.uint8)


@given(sides, sides, st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_maps_come_back_from_both_decoders(height: int, width: int, grain: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 3, (-(-height // grain), -(-width // grain)), np.uint8)
    classes = np.ascontiguousarray(coarse.repeat(grain, 0).repeat(grain, 1)[:height, :width])
    data = _native.encode_alpha_map(classes)
    found = _native.decode_alpha_map(data, height, width)
    assert found is not None
    np.testing.assert_array_equal(found, classes)
    assert decode_map(data, height, width) == classes.tolist()


@pytest.mark.parametrize("one", [0, 1, 2])
def test_a_map_of_one_class_is_one_byte(one: int) -> None:
    assert _native.encode_alpha_map(np.full((300, 200), one, np.uint8)) == bytes([one])


def test_sizes_are_pinned() -> None:
    sizes = {side: len(_native.encode_alpha_map(classify(disk(side)))) for side in (16, 64, 512)}
    assert sizes == {16: 20, 64: 64, 512: 454}
    assert len(_native.encode_alpha_map(classify(hard(disk(512))))) == 398
    square = np.zeros((512, 512), np.uint8)
    square[50:400, 100:300] = 1
    assert len(_native.encode_alpha_map(square)) == 38


def test_what_is_no_class_is_refused() -> None:
    for classes in (np.full((4, 4), 3, np.uint8), np.eye(20, dtype=np.uint8) * 5):
        with pytest.raises(IndexError):
            _native.encode_alpha_map(classes)


def test_both_decoders_refuse_the_same_bytes() -> None:
    rng = random.Random(3)
    whole = _native.encode_alpha_map(classify(disk(24)))
    refused = 0
    samples = [whole[:end] for end in range(len(whole))] + [whole + bytes([0]), bytes([3])]
    for _ in range(300):
        changed = bytearray(whole)
        changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        samples.append(bytes(changed))
    for data in samples:
        native = _native.decode_alpha_map(data, 24, 24)
        if native is None:
            refused += 1
            with pytest.raises(InvalidError):
                decode_map(data, 24, 24)
        else:
            assert decode_map(data, 24, 24) == native.tolist()
    assert refused > 200
