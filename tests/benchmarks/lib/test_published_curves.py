import pytest
from lib import paper_curve, published_curves


@pytest.mark.parametrize("key", published_curves.NAMES)
def test_every_published_curve_rises(key):
    curve = published_curves.curve(key, "psnr")
    assert len(curve.rates) >= 5
    assert 25 < curve.at(0.3) < 34


def test_a_measure_that_was_not_published_has_no_curve():
    assert published_curves.curve("vtm", "ms_ssim") is None
    assert published_curves.curve(paper_curve.KEY, "ssimulacra2") is None
    assert published_curves.curve(paper_curve.KEY, "ms_ssim") is not None
