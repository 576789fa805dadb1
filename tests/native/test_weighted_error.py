"""The weights of squared errors, and those of the means over blocks."""

import numpy as np
import pytest
from optimizer_scenes import (
    assert_same_state,
    compact_scene,
    design_matrix,
    fractions,
    newton,
    optimizer,
    picture,
    rates,
    scene,
)

from gaussianimage import reference


def make_weights(g, *, seed=2):
    """Return weights of 0 to 1, a third of them 0."""
    values = np.random.default_rng(seed).uniform(-0.5, 1, (g.height, g.width, g.channels))
    return np.maximum(values, 0).astype(np.float32)


def weighed(g, target, weights, *, threads=1):
    result = optimizer(g, target, threads=threads)
    result.weigh(weights)
    return result


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_weights_multiply_squared_errors(channels):
    g = scene(channels=channels)
    target, weights = picture(g), make_weights(g)
    error = reference.render(g) - target
    o = weighed(g, target, weights)
    np.testing.assert_allclose(o.residual(), weights * error, atol=2e-4)
    loss = o.adam(rates(1), 0.0)[0]
    assert loss == pytest.approx(np.sum(weights * error**2) / 2, rel=1e-4)


def test_weights_of_one_change_no_bit():
    g = scene()
    target = picture(g)
    a, b = optimizer(g, target), weighed(g, target, np.ones_like(target))
    assert np.array_equal(a.adam(rates(5), 0.01), b.adam(rates(5), 0.01))
    assert_same_state(a, b)


@pytest.mark.parametrize("layout", ["repeated", "upside down", "by channel"])
def test_weights_may_lie_in_memory_in_any_way(layout):
    g = scene()
    target, packed = picture(g), make_weights(g)
    if layout == "repeated":
        weights = np.broadcast_to(packed[..., :1].copy(), packed.shape)
        packed = weights.copy()
    elif layout == "upside down":
        weights = packed[::-1].copy()[::-1]
    else:
        weights = packed.transpose(2, 0, 1).copy().transpose(1, 2, 0)
    assert np.array_equal(weights, packed)
    assert not weights.flags.c_contiguous
    a, b = weighed(g, target, weights), weighed(g, target, packed)
    assert np.array_equal(a.residual(), b.residual())
    assert np.array_equal(a.adam(rates(5), 0.01), b.adam(rates(5), 0.01))
    assert_same_state(a, b)


def test_what_has_no_weight_has_no_say():
    g = scene()
    target, weights = picture(g), np.ones((g.height, g.width, g.channels), np.float32)
    weights[10:20, 5:30] = 0
    other = target.copy()
    other[10:20, 5:30] = 0.25
    a, b = weighed(g, target, weights), weighed(g, other, weights)
    assert np.array_equal(a.adam(rates(5), 0.01), b.adam(rates(5), 0.01))
    assert np.array_equal(
        newton(a, fractions(5), 0.01, 0.1, 1), newton(b, fractions(5), 0.01, 0.1, 1)
    )
    assert_same_state(a, b)


def test_solved_colors_are_the_weighted_least_squares_solution():
    g = compact_scene()
    target, weights = picture(g), make_weights(g)
    o = weighed(g, target, weights)
    o.solve_colors(500, 0.0)
    design = design_matrix(g)
    for channel in range(3):
        root = np.sqrt(weights[..., channel].ravel().astype(np.float64))[:, None]
        values = root[:, 0] * target[..., channel].ravel()
        expected = np.linalg.lstsq(root * design, values, rcond=None)[0]
        np.testing.assert_allclose(o.colors[:, channel], expected, atol=2e-3)


def test_weights_of_another_shape_are_refused():
    g = scene()
    with pytest.raises(ValueError, match="wrong shape"):
        optimizer(g, picture(g)).weigh(np.ones((3, 4, 3), np.float32))


def block_energy(values):
    """Return Σ mean² over blocks of 4 × 4, each pixel with the mean; beyond the edge are zeros."""
    height, width, channels = values.shape
    padded = np.pad(values, ((0, -height % 4), (0, -width % 4), (0, 0)))
    blocks = padded.reshape(padded.shape[0] // 4, 4, padded.shape[1] // 4, 4, channels)
    return 16 * np.sum(blocks.mean(axis=(1, 3)) ** 2)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_block_means_count_by_their_weight(channels):
    g = scene(channels=channels)
    target, weights = picture(g), make_weights(g)
    o = weighed(g, target, weights)
    o.block_weight = 3.0
    rooted = np.sqrt(weights) * (reference.render(g) - target)
    loss = o.adam(rates(1), 0.0)[0]
    expected = (np.sum(rooted**2) + 3 * block_energy(rooted)) / 2
    assert loss == pytest.approx(expected, rel=1e-4)


def test_the_first_step_follows_the_gradient_of_block_means_too():
    g = scene(8)
    target, weights = picture(g), make_weights(g)

    def loss(colors):
        o = weighed(g, target, weights)
        o.colors = colors.astype(np.float32)
        o.block_weight = 2.0
        return o.adam(rates(1), 0.0)[0]

    o = weighed(g, target, weights)
    o.block_weight = 2.0
    o.adam(rates(1, color=1e-3), 0.0)
    moved = o.colors - g.colors.astype(np.float32)
    colors = g.colors.astype(np.float64)
    for i, k in ((0, 0), (3, 1), (7, 2)):
        up, down = colors.copy(), colors.copy()
        up[i, k] += 1e-2
        down[i, k] -= 1e-2
        slope = loss(up) - loss(down)
        if abs(slope) > 1e-3:
            assert np.sign(moved[i, k]) == -np.sign(slope)


def test_threads_change_no_bit_of_block_means():
    g = scene(height=70, width=90)
    found = []
    for threads in (1, 3):
        o = optimizer(g, picture(g), threads=threads)
        o.block_weight = 2.0
        newton(o, fractions(3), 0.01, 0.1, 0.5)
        found.append(o)
    assert_same_state(*found)


def test_weights_that_are_the_same_in_all_channels_are_no_special_case():
    g = scene(height=45, width=38)
    target = picture(g)
    same = np.repeat(make_weights(g)[..., :1], 3, axis=2)
    other = same.copy()
    other[0, 0, 2] += np.float32(1e-6)  # too little to matter
    a, b = weighed(g, target, same), weighed(g, target, other)
    for o in (a, b):
        o.block_weight = 2.0
    np.testing.assert_allclose(a.residual(), b.residual(), atol=1e-5)
    np.testing.assert_allclose(a.adam(rates(5), 0.01), b.adam(rates(5), 0.01), rtol=1e-5)
