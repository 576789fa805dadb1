import math

import numpy as np
import pytest
from lib.curves import Curve, compare, decibels, mean_at_equal_rates, mean_per_setting

RATES = [0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0]


def line(factor=1.0, start=RATES[0], offset=0.0):
    """Six dB for every doubling of the rate, with files `factor` times as large."""
    points = [(r * factor, 6 * math.log2(r) + 40 + offset) for r in RATES if r >= start]
    return Curve.through(points)


def test_settings_that_nobody_would_use_are_left_out():
    points = [(0.2, 30.0), (0.1, 28.0), (0.15, 27.0), (0.2, 29.0), (0.3, 30.0), (0.4, math.inf)]
    assert Curve.through(points) == Curve((0.1, 0.2), (28.0, 30.0))
    assert Curve.through([(0.1, 30.0), (0.2, 29.0)]) is None
    assert Curve.through([]) is None


def test_a_curve_goes_through_its_points_and_no_further():
    curve = Curve.through([(0.1, 28.0), (0.2, 30.0), (0.4, 31.0)])
    assert curve.at(0.2) == pytest.approx(30)
    assert 30 < curve.at(0.3) < 31
    with pytest.raises(ValueError, match="no rate"):
        curve.at(0.41)


@pytest.mark.parametrize("rates", [(0.05, 0.3), (0.06, 0.9)])
def test_half_the_bits_are_minus_fifty_percent_on_every_range(rates):
    comparison = compare(line(), line(0.5), rates)
    assert comparison.bd_rate == pytest.approx(-50, abs=0.01)
    assert comparison.bd_psnr == pytest.approx(6, abs=0.01)


def test_a_comparison_tells_what_both_curves_covered():
    comparison = compare(line(), line(0.5), (0.06, 0.9))
    low, high = comparison.qualities
    # From where ours has 0.06 bpp (the anchor 0.12) to where the anchor has 0.9 (ours 0.45).
    assert comparison.codec_rates == pytest.approx((0.06, 0.45), rel=1e-3)
    assert comparison.anchor_rates == pytest.approx((0.12, 0.9), rel=1e-3)
    assert line().at(0.12) == pytest.approx(low)
    assert line().at(0.9) == pytest.approx(high)


def test_a_curve_that_begins_inside_the_range_shortens_it():
    comparison = compare(line(start=0.25), line(0.5), (0.05, 0.9))
    assert comparison.anchor_rates[0] == pytest.approx(0.25)


def test_curves_without_a_common_quality_in_the_range_are_not_compared():
    assert compare(line(start=0.5), line(), (0.05, 0.3)) is None
    assert compare(line(offset=40), line(), (0.05, 0.3)) is None
    assert compare(None, line(), (0.05, 0.3)) is None


def test_without_a_common_rate_there_is_a_bd_rate_but_no_bd_psnr():
    ours = Curve.through([(0.05, 30.0), (0.1, 33.0)])
    theirs = Curve.through([(0.15, 31.0), (0.3, 34.0)])
    comparison = compare(theirs, ours, (0.05, 0.3))
    assert comparison.bd_rate < -50
    assert comparison.bd_psnr is None


def test_the_mean_at_equal_rates_is_where_every_picture_has_the_rate():
    mean = mean_at_equal_rates([line(), line(start=0.12, offset=2)])
    assert mean.rates[0] == pytest.approx(0.12)
    assert mean.rates[-1] == pytest.approx(2)
    for rate in (0.13, 0.5, 1.7):
        assert mean.at(rate) == pytest.approx(line().at(rate) + 1, abs=0.01)
    assert mean_at_equal_rates([line(), None]) is None
    assert mean_at_equal_rates([]) is None
    early, late = Curve((0.1, 0.2), (30.0, 31.0)), Curve((0.3, 0.4), (30.0, 31.0))
    assert mean_at_equal_rates([early, late]) is None


def test_the_mean_per_setting_averages_bits_and_quality():
    mean = mean_per_setting([[(0.1, 30.0), (0.3, 34.0)], [(0.2, 33.0), (0.6, 37.0)]])
    np.testing.assert_allclose(mean.rates, (0.2, 0.4))
    np.testing.assert_allclose(mean.qualities, (32, 35))


def test_ms_ssim_in_decibels():
    assert decibels(0.9) == pytest.approx(10)
    assert decibels(1.0) == pytest.approx(120)
