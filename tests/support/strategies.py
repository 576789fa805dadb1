"""Gaussians for the tests to try: random and extreme ones, poisoned ones, and where they are cut.

Every strategy works at the sizes of unit tests (a side of 40 px at most unless asked otherwise), so
that the float64 reference stays fast.
"""

import math
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from gaussianimage import reference
from gaussianimage.gaussians import Gaussians

SMALLEST_SCALE = 0.3
PAPER_Q_MAX = math.log(255)

# Angles at which an axis meets an axis, or a diagonal, exactly or almost.
_SPECIAL_ANGLES = [
    0.0,
    math.pi / 4,
    math.pi / 2,
    3 * math.pi / 4,
    math.pi,
    1e-9,
    math.pi / 2 - 1e-6,
]

angles = st.one_of(st.sampled_from(_SPECIAL_ANGLES), st.floats(-math.pi, math.pi))
cutoffs = st.one_of(st.sampled_from([4.5, PAPER_Q_MAX, 64.0]), st.floats(0.5, 12.0))


def sizes(max_side: int = 40) -> st.SearchStrategy[tuple[int, int]]:
    """Draw (height, width), each from 1 to `max_side`, odd and lopsided ones included."""
    side = st.integers(1, max_side)
    return st.tuples(side, side)


def scales(longest: float) -> st.SearchStrategy[float]:
    """Draw a standard deviation, log-uniform from 0.3 px to 10 times `longest`."""
    low, high = math.log(SMALLEST_SCALE), math.log(10 * max(longest, 1.0))
    return st.floats(low, high).map(math.exp)


@st.composite
def gaussians(
    draw: st.DrawFn,
    *,
    min_count: int = 0,
    max_count: int = 6,
    max_side: int = 40,
    channels: int | None = None,
    q_max: float | None = None,
) -> Gaussians:
    """Draw drawable Gaussians of every kind that a fit may hold.

    Both scales run from 0.3 px to 10 times the longer side, so needles are among them, at every
    angle; centers lie up to one picture outside; colors are positive or negative, in 1 to 4
    channels; sides are odd or even, from 1 px.
    """
    height, width = draw(sizes(max_side))
    count = channels if channels is not None else draw(st.integers(1, 4))
    longest = max(height, width)
    row = st.tuples(
        st.floats(-width, 2 * width),
        st.floats(-height, 2 * height),
        scales(longest),
        scales(longest),
        angles,
        st.lists(st.floats(-2, 2), min_size=count, max_size=count),
    )
    rows = draw(st.lists(row, min_size=min_count, max_size=max_count))
    return _from_rows(rows, height, width, count, q_max if q_max is not None else draw(cutoffs))


@st.composite
def needles(
    draw: st.DrawFn, *, max_count: int = 3, max_side: int = 40, length: float = 8000.0
) -> Gaussians:
    """Draw the thinnest Gaussians that must render right: σ 0.3 px by up to `length` px.

    Their centers lie near the picture, so that most of them cross it.
    """
    height, width = draw(sizes(max_side))
    count = draw(st.integers(1, 4))
    row = st.tuples(
        st.floats(-1, width + 1),
        st.floats(-1, height + 1),
        st.floats(0, math.log(length)).map(math.exp),
        st.floats(SMALLEST_SCALE, 1.0),
        angles,
        st.lists(st.floats(-2, 2), min_size=count, max_size=count),
    )
    rows = draw(st.lists(row, min_size=1, max_size=max_count))
    return _from_rows(rows, height, width, count, draw(cutoffs))


# One Gaussian each as (mean, covariance, color) that must draw nothing in any picture: not a
# number, not a Gaussian, out of bounds, or out of reach.
POISONS: dict[str, tuple[tuple[float, float], tuple[float, float, float], float]] = {
    "NaN mean": ((math.nan, 2.0), (1.0, 0.0, 1.0), 1.0),
    "infinite mean": ((2.0, math.inf), (1.0, 0.0, 1.0), 1.0),
    "minus infinite mean": ((-math.inf, -math.inf), (1.0, 0.5, 1.0), 1.0),
    "NaN variance": ((2.0, 2.0), (math.nan, 0.0, 1.0), 1.0),
    "NaN covariance": ((2.0, 2.0), (1.0, math.nan, 1.0), 1.0),
    "infinite variance": ((2.0, 2.0), (math.inf, 0.0, 1.0), 1.0),
    "all infinite covariance": ((2.0, 2.0), (math.inf, math.inf, math.inf), 1.0),
    "NaN color": ((2.0, 2.0), (1.0, 0.0, 1.0), math.nan),
    "infinite color": ((2.0, 2.0), (1.0, 0.0, 1.0), -math.inf),
    "zero covariance": ((2.5, 2.5), (0.0, 0.0, 0.0), 1.0),
    "zero height": ((2.5, 2.5), (4.0, 0.0, 0.0), 1.0),
    "negative variance": ((2.0, 2.0), (-1.0, 0.0, 1.0), 1.0),
    "negative definite": ((2.0, 2.0), (-1.0, 0.0, -1.0), 1.0),
    "indefinite": ((2.0, 2.0), (1.0, 2.0, 1.0), 1.0),
    "singular": ((2.0, 2.0), (3.0, 3.0, 3.0), 1.0),
    "singular, rounded up": ((2.0, 2.0), (3.0, 3.0, math.nextafter(3.0, 4.0)), 1.0),
    "denormal covariance": ((2.5, 2.5), (5e-324, 0.0, 5e-324), 1.0),
    "tiny covariance": ((2.5, 2.5), (1e-200, 0.0, 1e-200), 1.0),
    "huge covariance": ((2.0, 2.0), (1e30, 0.0, 1e30), 1.0),
    "overflowing covariance": ((2.0, 2.0), (1e300, 1e299, 1e300), 1.0),
    "huge color": ((2.0, 2.0), (1.0, 0.0, 1.0), 1e300),
    "far away": ((1e9, -1e9), (1.0, 0.9, 1.0), 1.0),
    "overflowing mean": ((1e300, -1e300), (1.0, -0.9, 1.0), 1.0),
}


class Poisoned(NamedTuple):
    """The same Gaussians without and with some that must not be seen."""

    clean: Gaussians
    poisoned: Gaussians
    healthy: NDArray[np.bool_]  # (N,), which rows of `poisoned` are those of `clean`, in order


@st.composite
def poisoned(
    draw: st.DrawFn, *, max_count: int = 4, max_side: int = 24, max_poisons: int = 4
) -> Poisoned:
    """Draw Gaussians, and the same with rows from `POISONS` strewn in at random places."""
    clean = draw(gaussians(max_count=max_count, max_side=max_side))
    names = draw(st.lists(st.sampled_from(sorted(POISONS)), min_size=1, max_size=max_poisons))
    everything = Gaussians.concatenate(clean, *(poison(name, like=clean) for name in names))
    order = np.array(draw(st.permutations(range(len(everything)))), dtype=np.intp)
    # The healthy ones keep their order, so that sums agree to the last bit.
    healthy = order < len(clean)
    order[healthy] = np.arange(len(clean))
    return Poisoned(clean, everything[order], healthy)


def poison(name: str, *, like: Gaussians) -> Gaussians:
    """Return the one Gaussian called `name` in `POISONS`, for the picture of `like`."""
    mean, covariance, color = POISONS[name]
    colors = [[color] * like.channels]
    return Gaussians([mean], [covariance], colors, like.height, like.width, like.q_max)


def random_gaussians(
    seed: int,
    count: int,
    height: int,
    width: int,
    channels: int = 3,
    *,
    largest_scale: float | None = None,
    q_max: float = 4.5,
) -> Gaussians:
    """Return many Gaussians at once, the same for the same seed.

    Centers are uniform over the picture and a tenth of it around, scales log-uniform from 0.3 px
    to `largest_scale` (default: a tenth of the longer side, at least 1 px), angles uniform, colors
    normal with standard deviation ½.
    """
    rng = np.random.default_rng(seed)
    largest = max(max(height, width) / 10, 1.0) if largest_scale is None else largest_scale
    return Gaussians.from_scale_rotation(
        rng.uniform(-0.1, 1.1, (count, 2)) * (width, height),
        np.exp(rng.uniform(math.log(SMALLEST_SCALE), math.log(largest), (count, 2))),
        rng.uniform(-np.pi, np.pi, count),
        rng.normal(0, 0.5, (count, channels)),
        height,
        width,
        q_max,
    )


def near_cut(gaussians: Gaussians, margin: float) -> NDArray[np.bool_]:
    """Tell at which pixels rounding may decide what is drawn.

    The equation jumps where q passes q_max, so two correct implementations may differ there by
    |c| exp(−q_max). Compare them elsewhere, and set the residual to zero here to compare gradients.

    Returns
    -------
    ndarray, (height, width), bool
        True where |q − q_max| ≤ `margin` for some drawable Gaussian.
    """
    mask = np.zeros((gaussians.height, gaussians.width), dtype=np.bool_)
    for _, q, _, _ in reference.exponents(gaussians):
        mask |= np.abs(q - gaussians.q_max) <= margin
    return mask


def _from_rows(
    rows: list[tuple[float, float, float, float, float, list[float]]],
    height: int,
    width: int,
    channels: int,
    q_max: float,
) -> Gaussians:
    return Gaussians.from_scale_rotation(
        np.reshape([row[0:2] for row in rows], (-1, 2)).astype(np.float64),
        np.reshape([row[2:4] for row in rows], (-1, 2)).astype(np.float64),
        np.array([row[4] for row in rows], dtype=np.float64),
        np.reshape([row[5] for row in rows], (-1, channels)).astype(np.float64),
        height,
        width,
        q_max,
    )
