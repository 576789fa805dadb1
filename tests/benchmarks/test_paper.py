import paper
import pytest
from curves import decibels


def test_the_published_rates_follow_from_the_recipe():
    rates = [round(paper.bits_per_pixel(n), 4) for n in paper.POINTS]
    assert rates == [0.1183, 0.1468, 0.4316, 0.7165, 1.0013, 1.2861]


def test_the_published_curves_go_through_the_points():
    rate = paper.bits_per_pixel(5000)
    assert paper.curve("psnr").at(rate) == pytest.approx(28.72)
    assert paper.curve("ms_ssim").at(rate) == pytest.approx(decibels(0.946))
