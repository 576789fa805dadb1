"""Files of tiles, and the model of their decoding times."""

from pathlib import Path

import pytest
from lib.scaling import Point, explain, fit, tiled

import gaussianimage

PARROT = Path(__file__).resolve().parents[2] / "data" / "parrot.png"


def test_tiles_are_the_picture_side_by_side():
    # The grids of all its classes begin anew at 96 and at 64 pixels. Blocks of 64 pixels do not,
    # and in them, which the single picture has only in part, a few centers lie elsewhere.
    data = gaussianimage.encode(PARROT, gaussians=60, effort=1)
    single, double = gaussianimage.info(data), gaussianimage.info(tiled(data, 2, 3))
    assert (double.height, double.width) == (2 * single.height, 3 * single.width)
    assert double.gaussians == 6 * single.gaussians
    assert double.layers == single.layers
    means = gaussianimage.decode_gaussians(tiled(data, 2, 3)).means[1:]
    tile = means // (single.width, single.height)
    first = sorted(means[(tile == 0).all(axis=1)].tolist())
    assert len(first) == single.gaussians
    for x in range(3):
        for y in range(2):
            here = means[(tile == (x, y)).all(axis=1)] - (x * single.width, y * single.height)
            elsewhere = [mean for mean in here.tolist() if mean not in first]
            assert len(here) == len(first)
            assert len(elsewhere) <= len(first) // 20


def test_a_fit_finds_what_made_the_numbers():
    pixels, gaussians = [1e5, 2e5, 4e5, 4e5, 8e5], [500, 900, 500, 4000, 100]
    seconds = [3e-9 * p + 2e-8 * n for p, n in zip(pixels, gaussians, strict=True)]
    found = fit({"pixel": pixels, "gaussian": gaussians}, seconds)
    assert found.coefficients == pytest.approx({"pixel": 3e-9, "gaussian": 2e-8})
    assert found.r_squared == pytest.approx(1)
    assert found.worst == pytest.approx(0, abs=1e-9)


def test_a_quantity_that_would_save_time_is_left_out():
    found = fit({"a": [1, 2, 3], "b": [3, 2, 1]}, [1, 2, 3])
    assert found.coefficients == pytest.approx({"a": 1, "b": 0})
    assert fit({"a": [1, 2], "b": [-1, -2]}, [1, 1]).coefficients["b"] == 0


def test_an_error_that_is_not_explained_is_told():
    found = fit({"a": [1, 1]}, [1, 3])
    assert found.worst > 0.3
    assert found.r_squared < 0.1


def test_points_are_explained_by_pixels_gaussians_and_blocks():
    points = [Point("p", 10 * k, 10, 5 * k, k * k, {1: 1e-3 * k * k}) for k in (1, 2, 3, 5, 8)]
    found = explain(points, 1)
    assert found.coefficients["block"] == pytest.approx(1e-3)
    assert found.r_squared == pytest.approx(1)
