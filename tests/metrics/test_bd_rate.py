import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussianimage import metrics
from gaussianimage.metrics.bd_rate import bd_psnr, bd_rate

RATE = np.array([0.1, 0.2, 0.35, 0.6, 1.1])
PSNR = np.array([25.0, 27.5, 29.1, 31.4, 34.0])


@given(st.floats(0.05, 20))
def test_a_curve_scaled_in_rate_differs_by_that_factor(factor):
    assert bd_rate(RATE, PSNR, RATE * factor, PSNR) == pytest.approx(100 * (factor - 1), abs=1e-9)


def test_a_fifth_fewer_bits_is_minus_twenty_percent():
    assert bd_rate(RATE, PSNR, RATE * 0.8, PSNR) == pytest.approx(-20)


@given(st.floats(-3, 3))
def test_a_curve_shifted_in_quality_differs_by_that_shift(shift):
    assert bd_psnr(RATE, PSNR, RATE, PSNR + shift) == pytest.approx(shift, abs=1e-9)


def test_straight_lines_differ_by_the_distance_between_them():
    # 10 dB a decade against 12 dB a decade; between 20 and 30 dB the logarithms of the rates
    # are 0..1 and 0..10/12, which lie 1/12 apart on average.
    rate = 10 ** np.linspace(0, 1, 6)
    a, b = 20 + 10 * np.log10(rate), 20 + 12 * np.log10(rate)
    assert bd_rate(rate, a, rate, b) == pytest.approx(100 * (10 ** (-1 / 12) - 1))
    assert bd_psnr(rate, a, rate, b) == pytest.approx(1)


def test_the_interpolant_is_pchip():
    # SciPy 1.17.1: the difference of PchipInterpolator(psnr, np.log(rate)).integrate(26, 33)
    # over 7 dB, and of PchipInterpolator(np.log(rate), psnr) over the rates 0.12 to 0.9.
    rate = np.array([0.12, 0.3, 0.5, 0.9])
    psnr = np.array([26.0, 29.9, 31.0, 33.0])
    assert bd_rate(RATE, PSNR, rate, psnr) == pytest.approx(-18.73785670744732)
    assert bd_psnr(RATE, PSNR, rate, psnr) == pytest.approx(0.6602909964947471)


def test_swapping_the_curves_inverts_the_ratio():
    there = bd_rate(RATE, PSNR, RATE * 0.7, PSNR + 0.3)
    back = bd_rate(RATE * 0.7, PSNR + 0.3, RATE, PSNR)
    assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1)


def test_the_points_may_come_in_any_order():
    order = [3, 0, 4, 1, 2]
    assert bd_rate(RATE[order], PSNR[order], list(RATE * 0.8), list(PSNR)) == pytest.approx(-20)


def test_two_points_make_a_curve():
    assert bd_rate([1, 2], [30, 33], [0.5, 1], [30, 33]) == pytest.approx(-50)


def test_a_range_of_rates_leaves_out_the_rest():
    rate = np.geomspace(0.05, 2, 300)
    quality = 30 + 10 * np.log10(rate)
    half_below = np.where(rate < 0.4, rate / 2, rate)
    assert bd_rate(rate, quality, half_below, quality, rates=(0.5, 1.5)) == pytest.approx(0)
    assert bd_rate(rate, quality, half_below, quality, rates=(0.06, 0.15)) == pytest.approx(-50)
    assert bd_psnr(RATE, PSNR, RATE, PSNR, rates=(0.2, 0.3)) == pytest.approx(0, abs=1e-9)


def test_a_range_wider_than_the_curves_changes_nothing():
    b = RATE * 0.7, PSNR + 0.3
    assert bd_rate(RATE, PSNR, *b, rates=(0.01, 10)) == pytest.approx(bd_rate(RATE, PSNR, *b))
    assert bd_psnr(RATE, PSNR, *b, rates=(0.01, 10)) == pytest.approx(bd_psnr(RATE, PSNR, *b))


@pytest.mark.parametrize("delta", [bd_rate, bd_psnr])
@pytest.mark.parametrize(
    ("rate", "psnr", "message"),
    [
        ([1.0], [30.0], "at least 2"),
        ([1.0, 2.0], [30.0], "one length"),
        ([0.0, 1.0], [30.0, 31.0], "positive"),
        ([0.5, 1.0], [30.0, np.inf], "finite"),
        ([0.5, 1.0], [30.0, 29.0], "psnr_b: expected to rise"),
        ([0.5, 0.5], [30.0, 31.0], "expected to rise"),
    ],
)
def test_what_is_no_curve_is_refused(delta, rate, psnr, message):
    with pytest.raises(ValueError, match=message):
        delta(RATE, PSNR, rate, psnr)


def test_curves_that_do_not_meet_are_refused():
    with pytest.raises(ValueError, match="no quality"):
        bd_rate(RATE, PSNR, RATE, PSNR + 20)
    with pytest.raises(ValueError, match="no rate"):
        bd_psnr(RATE, PSNR, RATE * 20, PSNR)
    with pytest.raises(ValueError, match="no rate in"):
        bd_psnr(RATE, PSNR, RATE, PSNR, rates=(3, 4))
    with pytest.raises(ValueError, match="no quality at rates"):
        bd_rate(RATE, PSNR, RATE, PSNR, rates=(3, 4))
    with pytest.raises(ValueError, match="0 < low < high"):
        bd_rate(RATE, PSNR, RATE, PSNR, rates=(0.7, 0.08))


def test_the_metrics_module_has_them_too():
    assert metrics.bd_rate is bd_rate
    assert metrics.bd_psnr is bd_psnr
