import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from gaussianimage import _native
from gaussianimage._util import row_blocks as blocks
from gaussianimage.fitting.density import (
    LEAST_SIGMA,
    SPACING_TO_SIGMA,
    blur_twice,
    detail,
    draw_positions,
    sigma_for_density,
)

maps = npst.arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    elements=st.floats(0, 1, width=32),
)


def blurred_plainly(values: np.ndarray, radius: int) -> np.ndarray:
    padded = np.pad(values.astype(np.float64), radius, mode="edge")
    height, width = values.shape
    side = 2 * radius + 1
    return np.array(
        [[padded[y : y + side, x : x + side].mean() for x in range(width)] for y in range(height)]
    )


def blurred(values: np.ndarray, radius: int, threads: int = 2) -> np.ndarray:
    copy = values.copy()
    blur_twice(copy, radius, threads=threads)
    return copy


@given(maps, st.integers(1, 2))
def test_a_blur_is_twice_the_mean_over_a_box_with_edges_repeated(
    values: np.ndarray, radius: int
) -> None:
    twice = blurred_plainly(blurred_plainly(values, radius), radius)
    assert blurred(values, radius) == pytest.approx(twice, abs=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("radius", [1, 2])
@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (33, 129), (97, 260), (64, 128), (65, 1)])
def test_tiles_show_no_seams(shape: tuple[int, int], radius: int, threads: int) -> None:
    values = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    twice = blurred_plainly(blurred_plainly(values, radius), radius)
    assert blurred(values, radius, threads) == pytest.approx(twice, abs=1e-6)


def test_a_blur_is_in_place_or_refused() -> None:
    values = np.ones((8, 8), np.float32)
    for other in (values.astype(np.float64), values[:, ::2], values[None]):
        with pytest.raises(TypeError):
            _native.blur_twice(other, 1, 1)
    for radius in (0, 3):
        with pytest.raises(ValueError, match="1 or 2"):
            _native.blur_twice(values, radius, 1)
    _native.blur_twice(values[:0], 1, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38, 1e-45])
def test_a_blur_spreads_a_poisoned_value_no_further_than_its_box(value: float) -> None:
    values = np.ones((40, 150), np.float32)
    values[20, 75] = value
    found = blurred(values, 1)
    near = np.zeros(values.shape, bool)
    near[18:23, 73:78] = True
    assert (found[~near] == found[0, 0]).all()
    assert value < 1 or not (found[near] == found[0, 0]).any()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (70, 131)])
def test_the_gradient_is_that_of_numpy(shape: tuple[int, int], channels: int) -> None:
    pixels = np.random.default_rng(0).uniform(size=(*shape, channels)).astype(np.float32)
    mean = pixels.mean(axis=2, dtype=np.float64)
    slopes = [
        np.gradient(mean, axis=axis) if shape[axis] > 1 else np.zeros(shape) for axis in (0, 1)
    ]
    found = _native.gradient_magnitudes(pixels, 2)
    assert found == pytest.approx(np.hypot(*slopes), abs=1e-6)


def test_threads_change_no_bit() -> None:
    pixels = np.random.default_rng(0).uniform(size=(137, 153, 3)).astype(np.float32)
    found = [blurred(detail(pixels, threads=count), 2, count) for count in (1, 2, 7)]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


@pytest.mark.parametrize("shape", [(1500, 1200), (1200, 1500)])
def test_the_memory_beside_the_result_does_not_grow(shape: tuple[int, int]) -> None:
    pixels = np.ones((*shape, 3), np.float32)
    most = 4 * shape[0] * shape[1] + 60 * blocks.BLOCK_PIXELS
    tracemalloc.start()
    try:
        found = detail(pixels)
        assert tracemalloc.get_traced_memory()[1] < most
        assert found.shape == shape
    finally:
        tracemalloc.stop()


def test_detail_is_where_the_picture_changes() -> None:
    pixels = np.zeros((20, 30, 3), np.float32)
    pixels[:, 15:] = 0.8
    found = detail(pixels)
    assert found.shape == (20, 30)
    assert found.dtype == np.float32
    assert found.mean() == pytest.approx(1, rel=1e-5)
    edge = found[:, 14:16]
    flat = np.delete(found, [14, 15], axis=1)
    assert edge.min() > 10
    assert flat == pytest.approx(0.1)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 1), (9, 1, 2), (5, 6, 4)])
def test_detail_of_a_constant_picture_is_uniform(shape: tuple[int, int, int]) -> None:
    assert np.array_equal(detail(np.full(shape, 0.4, np.float32)), np.ones(shape[:2]))


def test_detail_is_found_in_single_rows_and_columns() -> None:
    row = np.linspace(0, 1, 20, dtype=np.float32) ** 3
    assert detail(row[None, :, None])[0, -1] > 2
    assert detail(row[:, None, None])[-1, 0] > 2


@given(maps.filter(lambda values: values.any()), st.integers(0, 40), st.integers(0, 2**32))
def test_positions_lie_in_pixels_of_positive_density(
    density: np.ndarray, count: int, seed: int
) -> None:
    means, pixels = draw_positions(density, count, np.random.default_rng(seed))
    assert means.shape == (count, 2)
    assert means.dtype == np.float64
    x, y = np.floor(means).astype(int).T
    assert np.array_equal(y * density.shape[1] + x, pixels)
    assert (density.ravel()[pixels] > 0).all()


def test_positions_follow_the_density_evenly() -> None:
    density = np.ones((16, 16), np.float32)
    density[8:] = 3
    _, pixels = draw_positions(density, 400, np.random.default_rng(1))
    counts = np.bincount(pixels, minlength=256)
    # Systematic sampling: no part of the map is off by more than one at each of its ends.
    assert abs(counts[:128].sum() - 100) <= 1
    assert abs(counts[128:192].sum() - 150) <= 2
    assert counts.max() <= 5


def test_positions_follow_from_the_generator() -> None:
    density = np.random.default_rng(0).uniform(size=(8, 9)).astype(np.float32)
    first, same, other = (
        draw_positions(density, 20, np.random.default_rng(seed))[0] for seed in (5, 5, 6)
    )
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_sizes_follow_the_spacing_within_bounds() -> None:
    density = np.array([1e9, 0.01, 0.0004, 0.0])
    expected = [LEAST_SIGMA, SPACING_TO_SIGMA * 10, SPACING_TO_SIGMA * 50, 20]
    assert sigma_for_density(density, 20) == pytest.approx(expected)
    assert sigma_for_density(density, 0.1) == pytest.approx([LEAST_SIGMA] * 4)


@given(maps, st.integers(1, 50))
def test_pixels_are_drawn_where_the_cumulative_sum_passes(values: np.ndarray, count: int) -> None:
    values[-1, -1] += 0.25
    shares = (np.arange(count) + 0.37) / count
    sums = np.cumsum(values, dtype=np.float64)
    found = _native.draw_pixels(values, shares)
    assert (values.ravel()[found] > 0).all()
    # Rounding may move a share across the border of two pixels.
    slack = 1e-12 * sums[-1]
    assert (sums[found] >= shares * sums[-1] - slack).all()
    assert (sums[found] - values.ravel()[found] <= shares * sums[-1] + slack).all()


def test_an_empty_map_has_no_pixels_to_draw() -> None:
    with pytest.raises(ValueError, match="empty"):
        _native.draw_pixels(np.zeros((0, 4), np.float32), np.array([0.5]))
