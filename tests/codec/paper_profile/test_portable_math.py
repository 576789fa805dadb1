"""The functions that must give the same bits everywhere, against NumPy's."""

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain import dequantize

from gaussianimage.codec.paper_profile.portable_math import cos_sin, exp, sigmoid, tanh

EDGES = [0.0, -0.0, 5e-324, 1e-9, 20.0, 40.0, 65504.0, np.inf]
VALUES = np.concatenate((np.linspace(-50, 50, 20011), EDGES, np.negative(EDGES)))


@given(st.floats(-700, 700))
def test_the_exponential_is_that_of_the_document(x: float) -> None:
    found = exp(np.array([x]))[0]
    assert found == dequantize.exp(x)
    assert found == pytest.approx(math.exp(x), rel=1e-14)


def test_tanh_and_sigmoid_are_right_and_odd() -> None:
    assert np.abs(tanh(VALUES) - np.tanh(VALUES)).max() < 1e-15
    assert np.array_equal(tanh(-VALUES), -tanh(VALUES))
    assert np.abs(sigmoid(VALUES) - 1 / (1 + np.exp(-VALUES.clip(-700, 700)))).max() < 1e-15
    assert (tanh(np.array([-np.inf, np.inf])) == (-1, 1)).all()


def test_cosine_and_sine_are_right_over_a_whole_turn() -> None:
    turns = np.concatenate((np.linspace(0, 1, 10007), np.arange(17) / 16))
    cosine, sine = cos_sin(turns)
    assert np.abs(cosine - np.cos(2 * np.pi * turns)).max() < 2e-15
    assert np.abs(sine - np.sin(2 * np.pi * turns)).max() < 2e-15


def test_quarter_turns_are_exact() -> None:
    cosine, sine = cos_sin(np.arange(5) / 4)
    assert cosine.tolist() == [1, 0, -1, 0, 1]
    assert sine.tolist() == [0, 1, 0, -1, 0]


def test_no_machine_gets_other_bits() -> None:
    numbers = np.concatenate((tanh(VALUES), sigmoid(VALUES), *cos_sin(sigmoid(VALUES))))
    digest = hashlib.sha256(numbers.astype("<f8").tobytes()).hexdigest()
    assert digest == "98959d7c71670fc68e562c74719cac56b0571547dfa6316258beb964ce0c6d2b"
