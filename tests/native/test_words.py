"""Pixels of 8 bits: sums in 16 bits where their range is enough, in floats elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import levels, make_file
from strategies import (
    PAPER_Q_MAX,
    gaussians,
    near_cut,
    needles,
    poisoned,
    random_gaussians,
)

from gaussianimage import _native, decode, reference, rendering
from gaussianimage.gaussians import Gaussians

# A pixel may be drawn or not where q is this close to q_max: weights have 15 bits.
MARGIN = 2e-3


def replaced(g, **changes):
    fields = {name: getattr(g, name) for name in ("means", "covariance", "colors", "q_max")}
    return Gaussians(**(fields | changes), height=g.height, width=g.width)


def bounds(g):
    """How far, in levels, a pixel may be off before it is rounded.

    A product is off by half a step of 1/16 level at most, a color by half one of 1/32, a weight by
    1/16,000 and some 1e-4 of itself.
    """
    drawn = reference.render(replaced(g, colors=np.ones_like(g.colors), q_max=64.0)) > 0
    count = np.zeros((g.height, g.width, 1))
    for _, q, _, _ in reference.exponents(g):
        count += (q <= g.q_max + MARGIN)[..., None]
    size = reference.render(replaced(g, colors=np.abs(g.colors)))
    weightless = count * np.abs(g.colors).max(initial=0) * 255 / 16000
    return np.where(drawn, count * (1 / 32 + 1 / 64) + weightless + 0.05 * size, 0) + 1e-3


def assert_is_the_reference_rounded(g, levels):
    exact = reference.render(g).clip(0, 1) * 255
    away = ~near_cut(g, MARGIN)
    assert levels.dtype == np.uint8
    assert levels.shape == exact.shape
    assert np.all((np.abs(levels - exact) <= 0.5 + bounds(g))[away])


@settings(max_examples=300)
@given(gaussians(max_count=12), st.sampled_from([1, 2]))
def test_bytes_are_the_clamped_sums_rounded_to_nearest(g, threads):
    assert_is_the_reference_rounded(g, rendering.render(g, dtype=np.uint8, threads=threads))


@settings(max_examples=200)
@given(st.one_of(gaussians(), needles()), st.sampled_from([0.5, 3.5, 4.5, PAPER_Q_MAX, 6.2, 6.3]))
def test_bytes_are_right_for_every_cut_and_the_thinnest_gaussians(g, q_max):
    g = replaced(g, q_max=q_max)
    assert_is_the_reference_rounded(g, rendering.render(g, dtype=np.uint8, threads=1))


@given(gaussians(max_count=8), st.floats(0.01, 40))
def test_bytes_are_right_for_colors_of_any_size(g, factor):
    g = replaced(g, colors=g.colors * factor)
    assert_is_the_reference_rounded(g, rendering.render(g, dtype=np.uint8, threads=1))


@given(poisoned())
def test_poisoned_gaussians_change_no_byte_of_the_rest(pair):
    clean = rendering.render(pair.clean, dtype=np.uint8, threads=1)
    assert np.array_equal(rendering.render(pair.poisoned, dtype=np.uint8, threads=1), clean)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (61, 37), (300, 24), (2, 530), (9000, 3)])
def test_bytes_are_the_same_on_every_cpu(height, width, channels):
    g = random_gaussians(height + channels, 400, height, width, channels, q_max=3.5)
    expected = rendering.render(g, dtype=np.uint8, threads=1)
    try:
        for name in ("baseline", "avx2", "avx512"):
            if _native.select_instruction_set(name):
                for threads in (1, 3):
                    pixels = rendering.render(g, dtype=np.uint8, threads=threads)
                    assert np.array_equal(pixels, expected), (name, threads)
    finally:
        _native.select_instruction_set("")


def test_most_bytes_of_a_crowded_picture_are_those_of_the_floats():
    # Some 18 Gaussians to a pixel, of colors as in pictures: errors in steps add up like noise.
    g = random_gaussians(7, 3000, 128, 128, largest_scale=8, q_max=3.5)
    g = replaced(g, colors=g.colors / 2)
    exact = rendering.render(g).clip(0, 1) * 255
    difference = np.abs(rendering.render(g, dtype=np.uint8) - exact)
    assert np.mean(difference > 0.5) < 0.05
    assert np.mean(difference > 0.6) < 0.001


@pytest.mark.parametrize("size", [0.9, 1.7, 3.4, 3.6, 100.0, 1e6])
@pytest.mark.parametrize("order", [[1, 1, -1, -1], [1, -1, 1, -1], [-1, -1, 1, 1]])
def test_large_sums_on_the_way_do_not_show(size, order):
    colors = [[0.6]] + [[size * sign] for sign in order]
    g = Gaussians([(8, 8)] * 5, [(1e8, 0, 1e8)] * 5, colors, 16, 16, 3.5)
    off = np.abs(rendering.render(g, dtype=np.uint8).astype(int) - 153)
    # A float has lost some of the 0.6 beside a million.
    assert off.max() <= (8 if size > 1e5 else 0)


@pytest.mark.parametrize("color", [0.5, 1.5, 3.4, 3.6, 1e3, 1e20])
@pytest.mark.parametrize("count", [1, 3, 4, 5, 40])
def test_sums_beyond_black_and_white_are_black_and_white(color, count):
    for sign, expected in ((1, 255), (-1, 0)):
        colors = [[1.0 if sign > 0 else 0.0]] + [[sign * color]] * count
        n = count + 1
        g = Gaussians([(8, 8)] * n, [(1e8, 0, 1e8)] * n, colors, 16, 16, 3.5)
        assert np.all(rendering.render(g, dtype=np.uint8) == expected)


def test_a_cell_may_need_another_scale_than_its_neighbors():
    # Nothing, then ever more bright Gaussians over dark ones, from one strip to the next.
    rng = np.random.default_rng(3)
    n = 600
    x = rng.uniform(0, 128, n)
    means = np.stack([x, rng.uniform(0, 40, n)], axis=1)
    colors = rng.normal(0, x / 40)[:, None] * [1.0, -0.5, 0.2]
    g = Gaussians(means, [(9, 2, 6)] * n, colors, 40, 128, 3.5)
    assert_is_the_reference_rounded(g, rendering.render(g, dtype=np.uint8))


def test_more_gaussians_than_a_list_holds():
    # They go through the lists in several parts, which sums in 16 bits cannot.
    g = random_gaussians(1, 6000, 20, 8, largest_scale=1, q_max=3.5)
    g = replaced(g, colors=g.colors / 20)
    assert_is_the_reference_rounded(g, rendering.render(g, dtype=np.uint8))


@pytest.mark.parametrize("top", [0, 3, 250, 256, 290])
def test_a_region_of_a_file_is_the_same_bytes(top):
    # What lies above and below in the same cells decides how its sums are scaled.
    data = make_file([levels(5, 700, height=300, width=40)], height=300, width=40)
    whole = decode(data)
    assert np.array_equal(decode(data, crop=(top, 5, 9, 21)), whole[top : top + 9, 5:26])
