"""Drawing Gaussians as ellipses."""

import math
from typing import Any

import numpy as np
import pytest

import gaussianimage.visualize.ellipses as module
from gaussianimage.gaussians import Gaussians
from gaussianimage.visualize.ellipses import draw_ellipses


def one(
    color: list[float],
    *,
    mean: tuple[float, float] = (32, 24),
    scales: tuple[float, float] = (10, 5),
    angle: float = 0.0,
    size: tuple[int, int] = (48, 64),
) -> Gaussians:
    return Gaussians.from_scale_rotation([mean], [scales], [angle], [color], *size)


def many(count: int = 60, channels: int = 3, seed: int = 0) -> Gaussians:
    rng = np.random.default_rng(seed)
    return Gaussians.from_scale_rotation(
        rng.uniform((0, 0), (80, 60), (count, 2)),
        rng.uniform(0.5, 12, (count, 2)),
        rng.uniform(-2, 2, count),
        rng.uniform(-0.2, 0.6, (count, channels)),
        60,
        80,
    )


def test_an_ellipse_has_the_area_and_the_place_of_one_sigma() -> None:
    drawn = draw_ellipses(one([1, 0.5, 0]))[..., 0] > 0.6 * 255 / 2  # half of a pixel is rim
    assert drawn.sum() == pytest.approx(math.pi * 10 * 5, rel=0.1)
    rows, columns = np.nonzero(drawn)
    assert (columns + 0.5).mean() == pytest.approx(32, abs=0.2)
    assert (rows + 0.5).mean() == pytest.approx(24, abs=0.2)
    assert np.ptp(columns) == pytest.approx(20, abs=1)
    assert np.ptp(rows) == pytest.approx(10, abs=1)


def test_the_angle_turns_from_x_towards_y() -> None:
    drawn = draw_ellipses(one([1, 1, 1], scales=(15, 2), angle=math.pi / 4)).any(axis=2)
    assert drawn[24 + 8, 32 + 8]
    assert not drawn[24 - 8, 32 + 8]


def test_twice_the_sigma_is_four_times_the_area() -> None:
    small = draw_ellipses(one([1, 1, 1], scales=(5, 5))).any(axis=2).sum()
    large = draw_ellipses(one([1, 1, 1], scales=(5, 5)), sigma=2).any(axis=2).sum()
    assert large == pytest.approx(4 * small, rel=0.1)


def test_the_color_is_that_of_the_picture_and_not_of_the_gaussian() -> None:
    ground = one([0.8, 0.4, 0.4], scales=(1000, 1000))
    dark = one([-0.4, 0.2, 0.0], scales=(8, 8))
    drawn = draw_ellipses(Gaussians.concatenate(ground, dark))
    expected = 255 * (np.array([0.8, 0.4, 0.4]) + 0.82 * np.array([-0.4, 0.2, 0.0]))
    np.testing.assert_allclose(drawn[24, 32], expected, atol=3)


def test_small_ellipses_are_drawn_over_large_ones() -> None:
    small = one([-1, 1, 0], scales=(3, 3))
    large = one([1, 0, 0], scales=(12, 12))
    for order in ((small, large), (large, small)):
        red, green, _ = (int(v) for v in draw_ellipses(Gaussians.concatenate(*order))[24, 32])
        assert green > red


def test_the_background_shows_between_the_ellipses() -> None:
    assert (draw_ellipses(one([0.5, 0.5, 0.5]))[0, 0] == 0).all()
    assert (draw_ellipses(one([0.5, 0.5, 0.5]), background="white")[0, 0] == 255).all()


def test_an_outline_leaves_the_inside_free() -> None:
    drawn = draw_ellipses(one([1, 1, 1]), style="outline").any(axis=2)
    assert not drawn[24, 32]
    assert drawn[24, 42]
    assert drawn[29, 32]


@pytest.mark.parametrize(("background", "shade"), [("black", 0.0), ("white", 1.0)])
def test_an_outline_can_be_seen_whatever_the_color(background: Any, shade: float) -> None:
    gaussians = one([shade] * 3)
    drawn = draw_ellipses(gaussians, style="outline", background=background)
    ground = draw_ellipses(gaussians[:0], style="outline", background=background)
    assert np.abs(drawn.astype(int) - ground).max() > 50


def test_a_larger_size_shows_the_same_ellipses() -> None:
    small = draw_ellipses(many())
    large = draw_ellipses(many(), size=(240, 320)).reshape(60, 4, 80, 4, 3).mean(axis=(1, 3))
    # Rims are as wide at any size, so the shades differ but not the shapes.
    assert np.abs(small - large).mean() < 20
    assert small.any(axis=2).mean() == pytest.approx(large.any(axis=2).mean(), abs=0.05)


def test_a_crop_shows_its_part_of_the_whole() -> None:
    whole = draw_ellipses(many(), size=(120, 160))
    part = draw_ellipses(many(), size=(120, 160), crop=(13, 27, 70, 81))
    assert part.shape == (70, 81, 3)
    assert (part != whole[13:83, 27:108]).mean() < 0.01


@pytest.mark.parametrize("style", ["filled", "outline"])
def test_pictures_drawn_in_bands_have_no_seams(style: Any, monkeypatch: Any) -> None:
    whole = draw_ellipses(many(), style=style)
    monkeypatch.setattr(module, "BAND_SAMPLES", 16 * 80 * 7)
    np.testing.assert_array_equal(draw_ellipses(many(), style=style), whole)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_number_of_channels_gives_rgb(channels: int) -> None:
    drawn = draw_ellipses(many(channels=channels))
    assert drawn.shape == (60, 80, 3)
    assert drawn.dtype == np.uint8
    assert drawn.any()
    if channels < 3:
        assert (drawn == drawn[..., :1]).all()


def test_color_is_shown_without_its_alpha() -> None:
    drawn = draw_ellipses(one([0.25, 0.125, 0.0, 0.25], scales=(15, 15)))
    np.testing.assert_allclose(drawn[24, 32], [255, 128, 0], atol=4)


def test_what_is_transparent_is_not_drawn() -> None:
    assert not draw_ellipses(one([0.0, 0.0, 0.0, 0.01]), background="black").any()
    assert (draw_ellipses(one([0, 0, 0, 0.01]), background="white") == 255).all()


@pytest.mark.parametrize(
    ("mean", "covariance", "color"),
    [
        ((np.nan, 5), (4, 0, 4), 1),
        ((5, np.inf), (4, 0, 4), 1),
        ((5, 5), (-4, 0, 4), 1),
        ((5, 5), (4, 5, 4), 1),
        ((5, 5), (0, 0, 0), 1),
        ((5, 5), (4, 0, 4), np.nan),
        ((1e11, 5), (4, 0, 4), 1),
        ((-1e11, 5), (1e21, 0, 1), 1),
        ((40, 30), (1e20, 0, 1e20), 1e-9),
    ],
)
def test_a_gaussian_that_shows_no_shape_changes_nothing(
    mean: tuple[float, float], covariance: tuple[float, float, float], color: float
) -> None:
    odd = Gaussians([mean], [covariance], [[color] * 3], 60, 80)
    with_it = draw_ellipses(Gaussians.concatenate(many(), odd))
    np.testing.assert_array_equal(with_it, draw_ellipses(many()))


def test_an_ellipse_around_the_whole_picture_is_left_out() -> None:
    assert not draw_ellipses(one([1, 1, 1], scales=(1000, 1000))).any()


def test_no_gaussians_are_the_background() -> None:
    assert not draw_ellipses(many()[:0]).any()


def test_the_smallest_picture_works() -> None:
    drawn = draw_ellipses(one([1, 1, 1], mean=(0.5, 0.5), scales=(0.4, 0.3), size=(1, 1)))
    assert drawn.shape == (1, 1, 3)
    assert drawn.any()


@pytest.mark.parametrize(
    "options",
    [
        {"style": "dotted"},
        {"background": "pink"},
        {"sigma": 0},
        {"sigma": math.nan},
        {"size": (0, 5)},
        {"crop": (0, 0, 100, 100)},
    ],
)
def test_misuse_is_a_value_error(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        draw_ellipses(many(), **options)


def test_one_side_of_a_size_keeps_the_shape() -> None:
    assert np.array_equal(
        draw_ellipses(many(), size=(30, None)), draw_ellipses(many(), size=(30, 40))
    )
