"""The coarse grids of the native optimizer: their drawing, its gradient, and what stays exact.

Loss and gradient are compared with an optimizer that draws every Gaussian at every pixel with the
same cut, 5.5. Adam's first moment after one iteration with rates of zero is 0.15 of the gradient.
"""

import numpy as np
import pytest
from optimizer_scenes import newton
from strategies import POISONS, poison

from gaussianimage import _native
from gaussianimage.gaussians import Gaussians

CUT = 5.5  # of large Gaussians on coarse grids
DECAY = 0.15

SIZES = [(64, 96), (61, 83), (300, 45), (33, 8), (5, 7), (1, 1), (2, 300), (530, 9)]


def large_gaussians(height, width, *, seed=0, count=40, least=4.0, channels=3):
    """Return Gaussians of `least` to 40 px in and around a picture, some of them slanted."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(-10, [width + 10, height + 10], (count, 2))
    scales = np.exp(rng.uniform(np.log(least), np.log(40), (count, 2)))
    angles = rng.uniform(0, np.pi, count)
    colors = rng.normal(0, 0.3, (count, channels))
    return Gaussians.from_scale_rotation(means, scales, angles, colors, height, width, CUT)


def target(g, seed=1):
    values = np.random.default_rng(seed).uniform(0, 1, (g.height, g.width, g.channels))
    return values.astype(np.float32)


def optimizer(g, picture, *, coarse, threads=1, q_max=CUT):
    result = _native.Optimizer(picture, q_max, threads)
    result.coarse = coarse
    result.add(g.means, g.cholesky(), g.colors.astype(np.float32))
    return result


def loss_and_gradient(o):
    (loss,) = o.adam(np.zeros((1, 3), np.float32), 0.0)
    return loss, o.first / DECAY


def draw(g):
    return _native.render_floats(
        g.means, g.cholesky(), g.colors.astype(np.float32), CUT, g.height, g.width, None, 1
    )


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_drawing_is_within_a_fraction_of_a_level(size, channels):
    g = large_gaussians(*size, channels=channels)
    loss, _ = loss_and_gradient(optimizer(g, draw(g), coarse=True))
    rms = np.sqrt(2 * loss / (size[0] * size[1] * channels))
    # Many more Gaussians overlap here than in a photo; most of the difference is at their cuts.
    assert rms < 0.5 / 255


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_gradient_is_about_that_of_drawing_at_every_pixel(size):
    g = large_gaussians(*size)
    picture = target(g)
    found, coarse = loss_and_gradient(optimizer(g, picture, coarse=True))
    loss, exact = loss_and_gradient(optimizer(g, picture, coarse=False))
    assert found == pytest.approx(loss, rel=1e-3)
    assert np.abs(coarse - exact).max() < 0.02 * np.abs(exact).max()


def test_the_gradient_is_that_of_the_drawing():
    g = large_gaussians(61, 83, least=5.0, count=20, seed=3)
    picture = target(g)
    means, cholesky, colors = g.means, g.cholesky(), g.colors.astype(np.float32)

    def loss(means, cholesky, colors):
        o = _native.Optimizer(picture, 9.0, 1)
        o.coarse = True
        o.add(means, cholesky, colors)
        return loss_and_gradient(o)[0]

    o = _native.Optimizer(picture, 9.0, 1)
    o.coarse = True
    o.add(means, cholesky, colors)
    _, gradient = loss_and_gradient(o)
    step = 2e-3
    for i in range(0, 20, 3):
        factor = np.array([[cholesky[i, 0], 0], [cholesky[i, 1], cholesky[i, 2]]])
        differences = []
        for j in range(8):
            losses = []
            for move in (step, -step):
                m, l, c = means.copy(), cholesky.copy(), colors.copy()
                if j < 2:
                    m[i] += factor[:, j] * move
                elif j < 5:
                    change = np.eye(2)
                    change[[0, 1, 1][j - 2], [0, 0, 1][j - 2]] += move
                    moved = factor @ change
                    l[i] = moved[0, 0], moved[1, 0], moved[1, 1]
                else:
                    c[i, j - 5] += move
                losses.append(loss(m, l, c))
            differences.append((losses[0] - losses[1]) / (2 * step))
        assert np.abs(gradient[i] - differences).max() < 0.02 * np.abs(gradient[i]).max()


def test_small_gaussians_are_drawn_at_every_pixel():
    g = large_gaussians(50, 60)
    scales, angles = g.scale_rotation()
    scales[:, 1] = np.linspace(0.5, 3.9, len(scales))  # the smaller ones
    g = Gaussians.from_scale_rotation(g.means, scales, angles, g.colors, 50, 60, CUT)
    picture = target(g)
    found, coarse = loss_and_gradient(optimizer(g, picture, coarse=True, q_max=3.5))
    loss, exact = loss_and_gradient(optimizer(g, picture, coarse=False, q_max=3.5))
    assert found == loss
    assert np.array_equal(coarse, exact)


def test_threads_change_no_bit():
    g = large_gaussians(300, 217, count=80, least=1.0)
    picture = target(g)
    one, many = (optimizer(g, picture, coarse=True, threads=threads) for threads in (1, 5))
    rates = np.full((4, 3), 0.02, np.float32)
    assert np.array_equal(one.adam(rates, 0.01), many.adam(rates, 0.01))
    for name in ("means", "cholesky", "colors", "first", "second"):
        assert np.array_equal(getattr(one, name), getattr(many, name)), name


def test_every_instruction_set_draws_the_same():
    g = large_gaussians(70, 90)
    picture = target(g)
    before = _native.instruction_set()
    try:
        losses = {
            loss_and_gradient(optimizer(g, picture, coarse=True))[0]
            for name in ("baseline", "avx2", "avx512")
            if _native.select_instruction_set(name)
        }
    finally:
        _native.select_instruction_set(before)
    assert len(losses) == 1


@pytest.mark.parametrize("name", POISONS)
def test_poisoned_gaussians_draw_nothing_and_stay(name):
    g = large_gaussians(40, 50, count=12)
    picture = target(g)
    bad = poison(name, like=g)
    clean, dirty = optimizer(g, picture, coarse=True), optimizer(g[:5], picture, coarse=True)
    with np.errstate(over="ignore"):
        dirty.add(bad.means, bad.cholesky(), bad.colors.astype(np.float32))
    dirty.add(g[5:].means, g[5:].cholesky(), g[5:].colors.astype(np.float32))
    others = np.arange(13) != 5
    rates = np.full((3, 3), 0.01, np.float32)
    assert np.array_equal(dirty.adam(rates, 0.05), clean.adam(rates, 0.05))
    assert np.array_equal(
        newton(dirty, rates[:, 0], 0.05, 0.2, 0.8),
        newton(clean, rates[:, 0], 0.05, 0.2, 0.8),
    )
    for field in ("means", "cholesky", "colors", "first", "second"):
        assert np.array_equal(getattr(dirty, field)[others], getattr(clean, field)), field


def test_weights_count_on_coarse_grids_too():
    g = large_gaussians(50, 60)
    picture = target(g)
    weights = np.random.default_rng(5).uniform(0, 1, picture.shape).astype(np.float32)
    coarse, exact = (optimizer(g, picture, coarse=value) for value in (True, False))
    coarse.weigh(weights)
    exact.weigh(weights)
    (found, one), (loss, other) = loss_and_gradient(coarse), loss_and_gradient(exact)
    assert found == pytest.approx(loss, rel=1e-3)
    assert np.abs(one - other).max() < 0.02 * np.abs(other).max()


def test_gauss_newton_steps_are_about_the_same():
    g = large_gaussians(80, 70, count=25)
    picture = target(g)
    coarse, exact = (optimizer(g, picture, coarse=value) for value in (True, False))
    rates = np.full(6, 1.0, np.float32)
    losses = newton(coarse, rates, 0.01, 0.1)
    assert losses == pytest.approx(newton(exact, rates, 0.01, 0.1), rel=5e-3)
    assert losses[-1] < losses[0]


def test_all_but_iterations_is_exact():
    g = large_gaussians(50, 60)
    picture = target(g)
    coarse, exact = (optimizer(g, picture, coarse=value) for value in (True, False))
    assert np.array_equal(coarse.residual(), exact.residual())
    assert coarse.solve_colors(5, 1e-4) == exact.solve_colors(5, 1e-4)
    assert np.array_equal(coarse.colors, exact.colors)
    bake = np.arange(len(g)) % 2 == 0
    coarse.bake(bake.astype(np.uint8))
    exact.bake(bake.astype(np.uint8))
    assert np.array_equal(coarse.residual(), exact.residual())
    coarse.coarse = False
    assert not coarse.coarse
    found, expected = loss_and_gradient(coarse), loss_and_gradient(exact)
    assert found[0] == expected[0]


def test_gaussians_may_come_and_go():
    g = large_gaussians(50, 60)
    o = optimizer(g, target(g), coarse=True)
    rates = np.full((2, 3), 0.01, np.float32)
    o.adam(rates, 0.0)
    o.keep(np.zeros(len(o), np.uint8))
    assert len(o) == 0
    (empty,) = o.adam(rates[:1], 0.0)
    assert empty == pytest.approx(0.5 * np.square(target(g)).sum(dtype=np.float64))
    o.add(g.means, g.cholesky(), g.colors.astype(np.float32))
    assert o.adam(rates[:1], 0.0)[0] == loss_and_gradient(optimizer(g, target(g), coarse=True))[0]
