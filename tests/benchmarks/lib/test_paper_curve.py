import pytest
from lib import paper_curve
from lib.curves import decibels


def test_the_published_curves_go_through_the_points():
    rate = paper_curve.bits_per_pixel(5000)
    assert paper_curve.curve("psnr").at(rate) == pytest.approx(28.72)
    assert paper_curve.curve("ms_ssim").at(rate) == pytest.approx(decibels(0.946))
