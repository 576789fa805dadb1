"""Exponential, tanh, sigmoid and a turn's cosine and sine, with the same bits on every machine.

NumPy's functions differ in the last place between CPUs. These functions use plain IEEE arithmetic
in a fixed order and are exact to about 10⁻¹⁵. docs/format.md specifies them.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TAU = 6.283185307179586
_FACTORIALS = [float(math.factorial(k)) for k in range(18)]

# Above these limits tanh and sigmoid are 1 in double precision. The limits keep exp finite.
_TANH_LIMIT = 20.0
_SIGMOID_LIMIT = 40.0


def exp(x: Floats) -> Floats:
    """Return eˣ for −700 ≤ x ≤ 700, any shape: 2ⁿ times a polynomial of degree 13."""
    n = np.floor(x * 1.4426950408889634 + 0.5)
    r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10
    p = np.full_like(r, 1 / _FACTORIALS[13])
    for k in range(12, -1, -1):
        p = p * r + 1 / _FACTORIALS[k]
    return np.ldexp(p, n.astype(np.int32))


def tanh(x: Floats) -> Floats:
    """Return the hyperbolic tangent, any shape, to an absolute error of 10⁻¹⁵."""
    e = exp(-2 * np.minimum(np.abs(x), _TANH_LIMIT))
    return np.copysign((1 - e) / (1 + e), x)


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + e⁻ˣ), any shape."""
    e = exp(-np.minimum(np.abs(x), _SIGMOID_LIMIT))
    return np.where(x < 0, e, 1.0) / (1 + e)


def cos_sin(turns: Floats) -> tuple[Floats, Floats]:
    """Return cosine and sine of angles in turns, 0 to 1, any shape.

    The nearest quarter turn is subtracted exactly. The remaining angle is at most π/4, for which
    Taylor series of degree 16 and 17 are exact to one or two units in the last place.
    """
    quarter = np.floor(4 * turns + 0.5)
    a = (turns - quarter / 4) * _TAU
    square = a * a
    c, s = np.full_like(a, 1 / _FACTORIALS[16]), np.full_like(a, 1 / _FACTORIALS[17])
    for k in range(14, -1, -2):
        sign = 1.0 if k % 4 == 0 else -1.0
        c = c * square + sign / _FACTORIALS[k]
        s = s * square + sign / _FACTORIALS[k + 1]
    s = s * a
    quarter = quarter.astype(np.int64) % 4
    cosine = np.choose(quarter, (c, -s, -c, s))
    sine = np.choose(quarter, (s, c, -s, -c))
    return cosine, sine
