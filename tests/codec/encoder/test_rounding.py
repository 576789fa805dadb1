import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussianimage import _native, geometry
from gaussianimage.codec.encoder.rounding import (
    FINEST_CELL,
    color_basis,
    normalized_colors,
    round_to_nearest,
)
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.gaussians import Gaussians

HEIGHT, WIDTH = 40, 60


def quantizer(color_step: float, shape_step: float, channels: int = 3) -> _native.Quantizer:
    return _native.Quantizer(HEIGHT, WIDTH, channels, color_step, shape_step)


def random_gaussians(seed: int, count: int, channels: int = 3) -> Gaussians:
    rng = np.random.default_rng(seed)
    return Gaussians.from_scale_rotation(
        rng.uniform(0, 1, (count, 2)) * (WIDTH, HEIGHT),
        np.exp(rng.uniform(np.log(0.5), np.log(15), (count, 2))),
        rng.uniform(-np.pi, np.pi, count),
        rng.normal(0, 0.3, (count, channels)),
        HEIGHT,
        WIDTH,
        4.5,
    )


def quantized(
    g: Gaussians, color_step: float, shape_step: float = 1.0, **options: float
) -> QuantizedGaussians:
    return round_to_nearest(
        g.means,
        g.cholesky(),
        g.colors.astype(np.float32),
        height=g.height,
        width=g.width,
        color_step=color_step,
        shape_step=shape_step,
        **options,
    )


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_color_basis_is_orthonormal(channels: int) -> None:
    basis = color_basis(channels)
    assert basis @ basis.T == pytest.approx(np.eye(channels))
    if channels >= 3:
        assert basis[0, :3] == pytest.approx(1 / np.sqrt(3))


def test_normalized_colors_are_the_gaussians_energy() -> None:
    g = random_gaussians(0, 20)
    shape = geometry.log_euclidean_from_covariance(g.covariance)
    b = normalized_colors(shape[:, 0], g.colors.astype(np.float32))
    scales, _ = g.scale_rotation()
    energy = np.pi * scales.prod(axis=1) * np.sum(g.colors**2, axis=1)
    assert np.sum(b**2, axis=1) == pytest.approx(energy, rel=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("color_step", [0.02, 0.1, 0.4])
def test_rounding_errors_are_half_a_step_at_most(channels: int, color_step: float) -> None:
    g = random_gaussians(channels, 200, channels)
    levels = quantized(g, color_step)
    means, cholesky, colors = quantizer(color_step, 1.0, channels).dequantize(*levels)
    # Centers of whole blocks of 8 x 8 cells lie on a lattice, whose points are about as far from
    # each other as cells, in the metric of the Gaussian.
    cell = FINEST_CELL * 2.0**levels.precision
    errors = means - g.means
    last = (np.floor(g.means / (8 * cell)[:, None]) + 1) * (8 * cell)[:, None]
    whole = (last <= [WIDTH, HEIGHT]).all(axis=1)
    first = errors[:, 0] / cholesky[:, 0]
    second = (errors[:, 1] - cholesky[:, 1] * first) / cholesky[:, 2]
    distance = np.hypot(first, second) * np.sqrt(cholesky[:, 0] * cholesky[:, 2])
    assert whole.sum() > 100
    assert (distance[whole] <= 0.8 * cell[whole]).all()
    assert (np.abs(errors[~whole]).max(axis=1, initial=0) <= cell[~whole] / 2 + 1e-9).all()

    found = geometry.log_euclidean_from_covariance(geometry.covariance_from_cholesky(cholesky))
    exact = geometry.log_euclidean_from_covariance(g.covariance)
    # Amplitudes come in half octaves, a quarter to either side, and 2^7.5 is the last.
    amplitude = np.sqrt((levels.color**2.0).sum(axis=1)).clip(1, 2**7.5)
    step = np.minimum(2**0.25 / amplitude, 0.7)[:, None]
    assert (np.abs(found - exact) <= step / 2 + 1e-9).all()

    size = exact[:, 0]
    off = normalized_colors(size, g.colors.astype(np.float32)) - levels.color * color_step
    assert (np.abs(off) <= color_step / 2 + 1e-6).all()
    b = normalized_colors(found[:, 0], colors)
    assert b == pytest.approx(levels.color * color_step, abs=1e-4)


def test_finer_steps_are_closer() -> None:
    g = random_gaussians(5, 100)
    errors = []
    for color_step in (0.4, 0.1, 0.025):
        means, cholesky, _ = quantizer(color_step, 1.0).dequantize(*quantized(g, color_step))
        errors.append([np.abs(means - g.means).mean(), np.abs(cholesky - g.cholesky()).mean()])
    assert (np.diff(errors, axis=0) < 0).all()


def test_strong_gaussians_are_placed_more_finely() -> None:
    g = random_gaussians(5, 50)
    strong = Gaussians(g.means, g.covariance, g.colors * 16, HEIGHT, WIDTH, 4.5)
    finer = quantized(g, 1.5).precision.astype(int) - quantized(strong, 1.5).precision
    assert (finer >= 0).all()
    assert np.median(finer) >= 3


def test_centers_outside_move_to_the_border() -> None:
    g = random_gaussians(0, 4)
    means = np.array([[-100.0, 5.0], [5.0, -0.1], [WIDTH + 0.1, 5.0], [5.0, 1e9]])
    moved = Gaussians(means, g.covariance, g.colors, HEIGHT, WIDTH, 4.5)
    found, _, _ = quantizer(0.1, 1.0).dequantize(*quantized(moved, 0.1))
    largest = FINEST_CELL * 2**15
    assert (found >= 0).all()
    assert (found <= np.array([WIDTH, HEIGHT]) + largest).all()
    assert found[0, 0] < found[2, 0]
    assert found[1, 1] < found[3, 1]


def test_no_gaussians_are_no_levels() -> None:
    levels = quantized(random_gaussians(0, 0), 0.1)
    assert [len(part) for part in levels] == [0, 0, 0, 0]
    assert _native.LayerEncoder(quantizer(0.1, 1.0), 1).encode(quantizer(0.1, 1.0), *levels)


# Scales from next to nothing to far beyond anything, with colors to match.
extreme = st.floats(-30, 30).map(np.exp)


@given(
    st.lists(
        st.tuples(
            st.floats(-1e6, 1e6),
            st.floats(-1e6, 1e6),
            extreme,
            extreme,
            st.floats(-1e3, 1e3),
            st.floats(-1e4, 1e4, width=32),
        ),
        max_size=8,
    ),
    st.integers(0, 255),
    st.integers(64, 192),
)
def test_whatever_was_quantized_can_be_coded(
    rows: list[tuple[float, ...]], color_index: int, shape_index: int
) -> None:
    data = np.array(rows, np.float64).reshape(-1, 6)
    color_step, shape_step = 2.0 ** (-color_index / 16), 2.0 ** ((128 - shape_index) / 16)
    levels = round_to_nearest(
        data[:, :2],
        np.stack((data[:, 2], data[:, 4] * data[:, 3], data[:, 3]), axis=1),
        data[:, [5]].astype(np.float32),
        height=HEIGHT,
        width=WIDTH,
        color_step=color_step,
        shape_step=shape_step,
    )
    q = quantizer(color_step, shape_step, 1)
    payload = _native.LayerEncoder(q, 1).encode(q, *levels)
    ends, _ = _native.decode_layers(q, [payload], 1, len(rows), 1)
    assert ends == [len(rows)]
