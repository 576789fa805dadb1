import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import (
    PAPER_Q_MAX,
    POISONS,
    cutoffs,
    gaussians,
    near_cut,
    needles,
    poison,
    poisoned,
    random_gaussians,
    sizes,
)

from gaussianimage import _native, reference, rendering
from gaussianimage.gaussians import Gaussians

# Where q lies closer than this to q_max, rounding may decide what is drawn. Needed is about 1e-6.
MARGIN = 1e-4
# What a float can't hold counts as zero.
TINY = 1e-25

seeds = st.integers(0, 2**32 - 1)
coding_cutoffs = st.sampled_from([4.5, PAPER_Q_MAX])


@contextmanager
def instruction_set(name):
    assert _native.select_instruction_set(name)
    try:
        yield
    finally:
        _native.select_instruction_set("")


def available_instruction_sets():
    names = [
        name for name in ("baseline", "avx2", "avx512") if _native.select_instruction_set(name)
    ]
    _native.select_instruction_set("")
    return names


INSTRUCTION_SETS = available_instruction_sets()


def replaced(g, **arrays):
    fields = {name: getattr(g, name) for name in ("means", "covariance", "colors")} | arrays
    return Gaussians(**fields, height=g.height, width=g.width, q_max=g.q_max)


def magnitude(g):
    """Return Σ |c| w at every pixel: what a rounding error is relative to."""
    return reference.render(replaced(g, colors=np.abs(g.colors)))


def assert_renders_like_the_reference(g, image):
    away = ~near_cut(g, MARGIN)
    error, scale = np.abs(image - reference.render(g)), magnitude(g)
    assert np.all(error[away] <= 1e-5 * scale.max(initial=0) + TINY)
    return error[away], scale[away]


def residual_away_from_the_cut(g, seed):
    residual = np.random.default_rng(seed).normal(size=(g.height, g.width, g.channels))
    return (residual * ~near_cut(g, MARGIN)[..., None]).astype(np.float32)


def gradient_magnitude(g, residual):
    """Return the gradient's sums with every term positive."""
    scale = [np.zeros(a.shape) for a in (g.means, g.covariance, g.colors)]
    size = np.abs(residual.astype(np.float64))
    for i, q, ex, ey in reference.exponents(g):
        weight = np.where(q <= g.q_max, np.exp(-q), 0.0)
        scale[2][i] = np.einsum("hw,hwc->c", weight, size)
        t = weight * (size @ np.abs(g.colors[i]))
        scale[0][i] = np.sum(t * np.abs(ex)), np.sum(t * np.abs(ey))
        squares = np.sum(t * ex * ex) / 2, np.sum(t * np.abs(ex * ey)), np.sum(t * ey * ey) / 2
        scale[1][i] = squares
    return scale


def assert_gradient_like(gradient, expected, scale):
    for name, got, want, size in zip(gradient._fields, gradient, expected, scale, strict=True):
        assert got.dtype == np.float64
        # Needles whose mean lies on the border of a pixel have come to 1.3e-4. Places are rounded
        # by some 1e-7 px, so a component that is much smaller than others of its Gaussian may be
        # zero.
        least = 1e-5 * size.max(axis=1, keepdims=True, initial=0)
        assert np.all(np.abs(got - want) <= 2e-4 * size + least + TINY), name


# Against the reference -----------------------------------------------------------------------


@settings(max_examples=300)
@given(gaussians())
def test_render_equals_the_reference(g):
    assert_renders_like_the_reference(g, rendering.render(g, threads=1))


@settings(max_examples=300)
@given(needles())
def test_render_of_the_thinnest_gaussians_equals_the_reference(g):
    assert_renders_like_the_reference(g, rendering.render(g, threads=1))


@settings(max_examples=200)
@given(st.one_of(gaussians(), needles()), coding_cutoffs)
def test_render_is_right_at_every_single_pixel(g, q_max):
    # Relative to what is drawn at that pixel, be it ever so faint: 1.2e-5 is the most that
    # 80,000 random scenes gave.
    g = Gaussians(g.means, g.covariance, g.colors, g.height, g.width, q_max)
    error, scale = assert_renders_like_the_reference(g, rendering.render(g, threads=1))
    assert np.all(error <= 2e-5 * scale + TINY)


@settings(max_examples=200)
@given(st.one_of(gaussians(), needles()), seeds)
def test_gradient_equals_the_reference(g, seed):
    residual = residual_away_from_the_cut(g, seed)
    expected = reference.gradient(g, residual)
    gradient = rendering.gradient(g, residual, threads=1)
    assert_gradient_like(gradient, expected, gradient_magnitude(g, residual))


@settings(max_examples=40)
@given(gaussians(min_count=1, max_count=3, max_side=10), cutoffs, seeds)
def test_gradient_equals_central_differences(g, q_max, seed):
    g = Gaussians(g.means, g.covariance, g.colors, g.height, g.width, q_max)
    # No pixel within the margin, so none crosses the cut in a step of 1e-5 of the Gaussian's size.
    mask = ~near_cut(g, 1e-3)[..., None]
    target = np.random.default_rng(seed).uniform(0, 1, (g.height, g.width, g.channels))
    residual = (mask * (reference.render(g) - target)).astype(np.float32)
    gradient = rendering.gradient(g, residual, threads=1)
    small = g.scale_rotation()[0][:, 1:]
    steps = (small * [1, 1], small**2 * [1, 1, 1], np.ones(g.colors.shape))
    # The loss is known to 1e-15 of itself; a difference divides that by the step.
    rounding = 1e-15 * (1 + np.sum(mask * (np.abs(target) + magnitude(g)) ** 2)) / 1e-5

    def loss(moved):
        return np.sum(mask * (reference.render(moved) - target) ** 2) / 2

    for name, got, step, scale in zip(
        gradient._fields, gradient, steps, gradient_magnitude(g, residual), strict=True
    ):
        for index in np.ndindex(got.shape):
            ends = []
            for sign in (-1, 1):
                values = getattr(g, name).copy()
                values[index] += sign * 1e-5 * step[index]
                ends.append((values[index], loss(replaced(g, **{name: values}))))
            (at, before), (to, after) = ends
            difference = (after - before) / (to - at)
            # A difference of second order sees the third derivative: 1e-10 of the gradient's scale
            # in units of the step, and so does what float32 took from the residual.
            allowed = 1e-4 * scale[index] + 100 * rounding / step[index]
            assert abs(got[index] - difference) <= allowed, (name, index)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 7), (17, 1), (2, 8), (257, 9), (513, 31), (5, 300)]
)
def test_every_picture_size_equals_the_reference(height, width, channels):
    # 8 columns make a strip, 256 rows a band, two rows a step: sizes on, below and above each.
    g = random_gaussians(height + channels, 40, height, width, channels, largest_scale=60)
    assert_renders_like_the_reference(g, rendering.render(g))
    residual = residual_away_from_the_cut(g, 1)
    expected = reference.gradient(g, residual)
    assert_gradient_like(rendering.gradient(g, residual), expected, gradient_magnitude(g, residual))


def test_thousands_of_gaussians_in_one_tile_are_all_drawn():
    rng = np.random.default_rng(5)
    count = 5000
    g = Gaussians.from_scale_rotation(
        rng.uniform(0, 16, (count, 2)),
        np.exp(rng.uniform(-1, 2, (count, 2))),
        rng.uniform(0, np.pi, count),
        rng.uniform(0, 1 / count, (count, 3)),
        16,
        16,
    )
    assert_renders_like_the_reference(g, rendering.render(g))
    residual = residual_away_from_the_cut(g, 1)
    expected = reference.gradient(g, residual)
    assert_gradient_like(rendering.gradient(g, residual), expected, gradient_magnitude(g, residual))


def test_no_gaussians_render_black():
    g = random_gaussians(0, 0, 5, 9, 2)
    assert not rendering.render(g).any()
    assert not rendering.render(g, dtype=np.uint8, size=(2, 30), crop=(1, 2, 1, 3)).any()
    gradient = rendering.gradient(g, np.ones((5, 9, 2)))
    assert [part.shape for part in gradient] == [(0, 2), (0, 3), (0, 2)]


def test_lists_too_long_for_one_pass_are_split_without_a_trace():
    # 1,200 Gaussians over 8,192 strips are more than one group of lists holds; 600 are not.
    rng = np.random.default_rng(2)
    count, width = 1200, 65536
    g = Gaussians.from_scale_rotation(
        np.stack([rng.uniform(0, width, count), np.full(count, 0.5)], axis=1),
        rng.uniform(width / 2, width, (count, 2)),
        np.zeros(count),
        rng.uniform(-1, 1, (count, 1)),
        1,
        width,
    )
    halves = g[: count // 2], g[count // 2 :]
    parts = [rendering.render(half).astype(np.float64) for half in halves]
    assert np.abs(rendering.render(g) - sum(parts)).max() <= 1e-5 * count
    residual = rng.normal(size=(1, width, 1))
    gradients = [rendering.gradient(half, residual) for half in halves]
    for whole, first, second in zip(rendering.gradient(g, residual), *gradients, strict=True):
        assert np.array_equal(whole, np.concatenate([first, second]))


# The same bytes, whoever computes them -------------------------------------------------------


@pytest.fixture(scope="module")
def scene():
    # Enough Gaussians for several chunks of them, enough pixels for several bands of strips.
    return random_gaussians(1, 1500, 300, 203, 3, largest_scale=25)


@pytest.mark.parametrize("threads", [2, 3, 7, None])
def test_the_number_of_threads_changes_no_bit(scene, threads):
    for dtype in (np.float32, np.uint8):
        one = rendering.render(scene, dtype=dtype, threads=1)
        assert np.array_equal(rendering.render(scene, dtype=dtype, threads=threads), one)
    residual = residual_away_from_the_cut(scene[:0], 1)
    one = rendering.gradient(scene, residual, threads=1)
    for got, expected in zip(
        rendering.gradient(scene, residual, threads=threads), one, strict=True
    ):
        assert np.array_equal(got, expected)


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@settings(max_examples=100)
@given(g=st.one_of(gaussians(), needles()))
def test_every_instruction_set_renders_the_same_bits(name, g):
    expected = rendering.render(g, threads=1)
    with instruction_set(name):
        assert np.array_equal(rendering.render(g, threads=1), expected)


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_every_instruction_set_is_right_on_a_whole_scene(name, scene):
    image, levels = rendering.render(scene), rendering.render(scene, dtype=np.uint8)
    residual = residual_away_from_the_cut(scene[:0], 1)
    gradient = rendering.gradient(scene, residual)
    with instruction_set(name):
        assert _native.instruction_set() == name
        assert np.array_equal(rendering.render(scene), image)
        assert np.array_equal(rendering.render(scene, dtype=np.uint8), levels)
        # The gradient may fuse multiplications and additions, so it may round differently.
        for got, expected in zip(rendering.gradient(scene, residual), gradient, strict=True):
            assert got == pytest.approx(expected, rel=1e-4, abs=1e-5 * np.abs(expected).max())


def test_an_unknown_instruction_set_changes_nothing():
    before = _native.instruction_set()
    assert not _native.select_instruction_set("mmx")
    assert _native.instruction_set() == before


def test_calls_from_several_python_threads_at_once_are_right():
    scenes = [random_gaussians(seed, 200, 64, 80) for seed in range(8)]
    expected = [rendering.render(g, threads=1) for g in scenes]
    residuals = [np.ones((64, 80, 3), dtype=np.float32)] * len(scenes)
    gradients = [
        rendering.gradient(g, r, threads=1) for g, r in zip(scenes, residuals, strict=True)
    ]

    def work(index):
        g = scenes[index % 8]
        same = np.array_equal(rendering.render(g, threads=2), expected[index % 8])
        got = rendering.gradient(g, residuals[index % 8], threads=2)
        return same and all(map(np.array_equal, got, gradients[index % 8]))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(80)))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_rendering_works_in_a_forked_child():
    program = """
import os, sys
import numpy as np
from gaussianimage import rendering
from gaussianimage.gaussians import Gaussians
rng = np.random.default_rng(0)
g = Gaussians(rng.uniform(0, 90, (600, 2)), [[4, 1, 3]] * 600, rng.uniform(0, 1, (600, 3)), 90, 90)
expected = rendering.render(g, threads=2)
child = os.fork()
if child == 0:
    same = all(np.array_equal(rendering.render(g, threads=2), expected) for _ in range(20))
    os._exit(0 if same else 1)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status) or not np.array_equal(rendering.render(g), expected))
"""
    # A pool that waits for threads which the child doesn't have would hang: hence the limit.
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], timeout=60)
    assert done.returncode == 0


def test_denormal_numbers_still_work_after_a_call(scene):
    rendering.render(scene, threads=2)
    rendering.gradient(scene, np.ones((300, 203, 3)), threads=2)
    denormal = np.full(64, 1e-40, dtype=np.float32)
    assert np.all(denormal * np.float32(0.5) > 0)
    assert 5e-324 * 1.0 > 0


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_flat_gaussians_are_their_color_and_may_come_anywhere(name):
    some = random_gaussians(3, 20, 9, 21)
    color = np.array([[0.25, -0.5, 3.0]], np.float32)
    flat = Gaussians(
        np.array([[4.0, 5.0]]), np.array([[1e12, 0.0, 1e12]]), color, 9, 21, some.q_max
    )
    with instruction_set(name):
        assert np.array_equal(rendering.render(flat), np.broadcast_to(color, (9, 21, 3)))
        assert np.array_equal(
            rendering.render(Gaussians.concatenate(flat, flat)),
            np.broadcast_to(2 * color, (9, 21, 3)),
        )
        first = rendering.render(Gaussians.concatenate(flat, some))
        assert np.allclose(
            first, rendering.render(Gaussians.concatenate(some, flat)), rtol=0, atol=2e-6
        )
        assert np.allclose(first, rendering.render(some) + color, rtol=0, atol=2e-6)


# What must not be drawn ----------------------------------------------------------------------


@settings(max_examples=200)
@given(poisoned())
def test_poisoned_gaussians_change_no_bit_of_the_rest(pair):
    for size in (None, (3, 50), (7, 5)):
        clean = rendering.render(pair.clean, size=size, threads=1)
        assert np.array_equal(rendering.render(pair.poisoned, size=size, threads=1), clean)
    residual = residual_away_from_the_cut(pair.clean, 1)
    clean = rendering.gradient(pair.clean, residual, threads=1)
    dirty = rendering.gradient(pair.poisoned, residual, threads=1)
    for expected, got in zip(clean, dirty, strict=True):
        assert np.array_equal(got[pair.healthy], expected)
        assert not got[~pair.healthy].any()


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize("kind", sorted(POISONS))
def test_every_poison_draws_nothing_at_any_size(kind, name):
    g = poison(kind, like=random_gaussians(0, 1, 6, 6))
    with instruction_set(name):
        for size in (None, (3, 3), (60, 2), (1, 1)):
            assert not rendering.render(g, size=size).any()
        assert not any(part.any() for part in rendering.gradient(g, np.ones((6, 6, 3))))


numbers = st.one_of(
    st.floats(width=64), st.sampled_from([0.0, -0.0, 1e-320, 1e-40, 1e12, 1e30, 1e38, 1e308])
)


@settings(max_examples=300)
@given(st.lists(st.tuples(*[numbers] * 7), min_size=1, max_size=5), sizes(20), cutoffs)
def test_no_numbers_whatever_crash_or_give_a_nan(rows, size, q_max):
    table = np.array(rows)
    g = Gaussians(table[:, :2], table[:, 2:5], table[:, 5:], *size, q_max)
    image = rendering.render(g, threads=1)
    assert np.isfinite(image).all()
    assert not np.isnan(rendering.render(g, size=(9, 9), threads=1)).any()
    gradient = rendering.gradient(g, np.ones(image.shape), threads=1)
    for part in gradient:
        assert not part[~g.drawable()].any()


# Bytes, sizes, crops -------------------------------------------------------------------------


def test_every_byte_comes_out_as_it_went_in():
    # One wide Gaussian per pixel column would overlap: 256 narrow ones, one per pixel, do not.
    values = np.arange(256)
    means = np.stack([values % 16 + 0.5, values // 16 + 0.5], axis=1)
    g = Gaussians(means, [[0.01, 0, 0.01]] * 256, values[:, None] / 255, 16, 16)
    assert np.array_equal(rendering.render(g, dtype=np.uint8).ravel(), values)


@given(gaussians(), st.data())
def test_rendering_a_crop_equals_cropping_a_render(g, data):
    top = data.draw(st.integers(0, g.height - 1))
    left = data.draw(st.integers(0, g.width - 1))
    height = data.draw(st.integers(1, g.height - top))
    width = data.draw(st.integers(1, g.width - left))
    # Not to the bit: strips begin at the crop's edge, so sums are restarted at other places.
    window = np.s_[top : top + height, left : left + width]
    away = ~near_cut(g, MARGIN)[window]
    cropped = rendering.render(g, crop=(top, left, height, width), threads=1)
    difference = np.abs(cropped - rendering.render(g, threads=1)[window])
    assert cropped.shape == (height, width, g.channels)
    assert np.all(difference[away] <= 2e-5 * magnitude(g).max() + TINY)


def test_crops_of_a_scaled_picture_tile_it():
    g = random_gaussians(4, 60, 90, 70, 3, q_max=12.0)
    whole = rendering.render(g, size=(300, 55))
    tiles = [
        [rendering.render(g, size=(300, 55), crop=(y, x, 60, 11)) for x in range(0, 55, 11)]
        for y in range(0, 300, 60)
    ]
    # The cut is at e^-12, so it needs no exception.
    assert np.block([[[tile] for tile in row] for row in tiles]) == pytest.approx(whole, abs=3e-5)


@given(gaussians(max_side=12), st.integers(0, 30), st.integers(0, 30))
def test_enlarging_equals_the_reference_of_scaled_gaussians(g, taller, wider):
    size = (g.height + taller, g.width + wider)
    assert_renders_like_the_reference(g.scaled(size), rendering.render(g, size=size, threads=1))


def stripes(period, *, height=24, width=240):
    """Return vertical stripes of σ = period / 6, cut at 4.2 σ, that sum up to waves around 1."""
    x = np.arange(period / 2 - 10 * period, width + 10 * period, period)
    count, sigma = len(x), period / 6
    return Gaussians.from_scale_rotation(
        np.stack([x, np.full(count, height / 2)], axis=1),
        np.stack([np.full(count, sigma), np.full(count, 1e5)], axis=1),
        np.zeros(count),
        np.full((count, 1), period / (sigma * np.sqrt(2 * np.pi))),
        height,
        width,
        9.0,
    )


@pytest.mark.parametrize("width", [15, 20, 37, 40, 58])
def test_stripes_too_fine_to_show_become_their_mean(width):
    # Two pixels wide in the source, at most half a pixel in the output.
    g = stripes(2.0)
    sampled = rendering.render(g.scaled((24, width)))
    assert np.abs(sampled - 1).max() > 0.5
    averaged = rendering.render(g, size=(24, width))
    assert np.abs(averaged - 1).max() < 0.02


@pytest.mark.parametrize("width", [110, 116, 118, 120])
def test_stripes_of_one_pixel_are_nearly_their_mean(width):
    averaged = rendering.render(stripes(2.0), size=(24, width))
    assert np.abs(averaged - 1).max() < 0.12


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_a_smaller_render_is_the_box_average_of_the_full_one(factor):
    # Of what the smaller picture holds with ease: Gaussians of at least 3 of its pixels.
    rng = np.random.default_rng(factor)
    g = Gaussians.from_scale_rotation(
        rng.uniform(0, 192, (300, 2)),
        rng.uniform(3, 6, (300, 2)) * factor,
        rng.uniform(0, np.pi, 300),
        rng.uniform(-0.3, 0.5, (300, 3)),
        192,
        192,
        9.0,
    )
    side = 192 // factor
    boxes = rendering.render(g).reshape(side, factor, side, factor, 3).mean(axis=(1, 3))
    assert rendering.render(g, size=(side, side)) == pytest.approx(boxes, abs=0.03)


@pytest.mark.parametrize("size", [(100, 100), (64, 50), (25, 90), (12, 200), (300, 9), (11, 11)])
def test_a_smaller_render_keeps_the_mean(size):
    # All of it inside the picture, and as thin as can be.
    g = random_gaussians(8, 3000, 200, 200, 1, largest_scale=6, q_max=12.0)
    inside = (np.abs(g.means - 100) < 60).all(axis=1)
    g = replaced(g, colors=np.abs(g.colors))[inside]
    means = 2 * np.pi * np.prod(g.scale_rotation()[0], axis=1)[:, None] * g.colors
    expected = means.sum() / 200**2
    assert rendering.render(g, size=size).mean() == pytest.approx(expected, rel=0.03)


def test_rendering_is_continuous_where_shrinking_begins():
    g = random_gaussians(6, 800, 500, 500, 3, q_max=12.0)
    assert np.array_equal(rendering.render(g, size=(500, 500)), rendering.render(g))
    largest = []
    for size in ((499, 499), (495, 495), (480, 480)):
        difference = np.abs(rendering.render(g, size=size) - rendering.render(g.scaled(size)))
        largest.append(difference.max())
    assert largest[0] < 0.02
    assert largest[0] < largest[1] < largest[2]


# Misuse --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dtype": np.float64}, TypeError, "dtype: expected float32 or uint8, got float64"),
        ({"dtype": np.int8}, TypeError, "dtype: expected float32 or uint8, got int8"),
        ({"dtype": "nonsense"}, TypeError, "nonsense"),
        ({"threads": 0}, ValueError, "threads: expected 1 to 256, got 0"),
        ({"threads": 257}, ValueError, "threads: expected 1 to 256, got 257"),
        ({"threads": 1.5}, TypeError, "threads: expected an integer"),
        ({"threads": True}, TypeError, "threads: expected an integer"),
        ({"size": 5}, TypeError, r"size: expected \(height, width\)"),
        ({"size": (5,)}, TypeError, r"size: expected \(height, width\)"),
        ({"size": (5, 0)}, ValueError, "size: width: expected 1 to 65536 pixels, got 0"),
        ({"size": (70000, 5)}, ValueError, "size: height: expected 1 to 65536 pixels"),
        ({"size": (5.5, 5)}, TypeError, "size: height: expected an integer"),
        ({"crop": (0, 0, 0, 5)}, ValueError, "crop: expected a rectangle inside 6 x 7"),
        ({"crop": (-1, 0, 5, 5)}, ValueError, "crop: expected a rectangle inside 6 x 7"),
        ({"crop": (0, 3, 5, 5)}, ValueError, "crop: expected a rectangle inside 6 x 7"),
        ({"crop": (0, 0, 5, 5), "size": (4, 9)}, ValueError, "inside 4 x 9"),
        ({"crop": (0, 0, 5)}, TypeError, "crop: expected"),
    ],
)
def test_render_refuses_wrong_options(options, error, message):
    with pytest.raises(error, match=message):
        rendering.render(random_gaussians(0, 2, 6, 7), **options)


@pytest.mark.parametrize("thing", [None, "picture.gimg", np.zeros((4, 4, 3))])
def test_what_is_not_gaussians_is_refused(thing):
    with pytest.raises(TypeError, match="gaussians: expected Gaussians, got"):
        rendering.render(thing)
    with pytest.raises(TypeError, match="gaussians: expected Gaussians, got"):
        rendering.gradient(thing, np.zeros((4, 4, 3)))


@pytest.mark.parametrize(
    ("residual", "error", "message"),
    [
        (np.zeros((7, 6, 3)), ValueError, r"residual: expected shape \(6, 7, 3\), got \(7, 6, 3\)"),
        (np.zeros((6, 7)), ValueError, r"residual: expected shape \(6, 7, 3\), got \(6, 7\)"),
        (np.zeros((6, 7, 3), dtype=complex), TypeError, "residual: expected real numbers"),
        ("residual", TypeError, "residual: expected real numbers"),
        (None, TypeError, "residual: expected real numbers"),
    ],
)
def test_gradient_refuses_a_wrong_residual(residual, error, message):
    with pytest.raises(error, match=message):
        rendering.gradient(random_gaussians(0, 2, 6, 7), residual)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, np.uint8])
def test_a_residual_may_have_any_real_type_and_layout(dtype):
    g = random_gaussians(0, 5, 6, 7)
    residual = np.asfortranarray(np.arange(126).reshape(6, 7, 3) % 5).astype(dtype)
    expected = rendering.gradient(g, np.ascontiguousarray(residual, dtype=np.float32))
    assert all(map(np.array_equal, rendering.gradient(g, residual), expected))


def test_one_side_of_a_size_keeps_the_shape():
    g = random_gaussians(6, 50, 30, 20, 3)
    assert np.array_equal(rendering.render(g, size=(None, 40)), rendering.render(g, size=(60, 40)))
    assert g.scaled((15, None)) == g.scaled((15, 10))
    with pytest.raises(TypeError, match="size"):
        g.scaled(None)


def test_the_repr_of_a_gradient_is_short():
    g = random_gaussians(6, 5000, 30, 20, 3)
    found = rendering.gradient(g, np.zeros((30, 20, 3)))
    assert repr(found) == "Gradient(5000 Gaussians of 3 channels)"


def test_a_color_that_is_a_signaling_nan_draws_nothing_and_warns_of_nothing():
    colors = np.array([[0x7FF0000000000001]], np.uint64).view(np.float64)
    scene = Gaussians([[4.0, 4.0]], [[4.0, 0.0, 4.0]], colors, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not rendering.render(scene).any()
        assert not rendering.gradient(scene, np.ones((8, 8, 1))).colors.any()
