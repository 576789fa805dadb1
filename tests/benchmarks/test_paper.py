import paper
import pytest
from curves import decibels


def test_the_published_curves_go_through_the_points():
    rate = paper.bits_per_pixel(5000)
    assert paper.curve("psnr").at(rate) == pytest.approx(28.72)
    assert paper.curve("ms_ssim").at(rate) == pytest.approx(decibels(0.946))
