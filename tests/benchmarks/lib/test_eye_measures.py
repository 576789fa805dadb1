import numpy as np
import pytest
from lib import eye_measures
from lib.eye_measures import EYE_MEASURES


@pytest.fixture(params=EYE_MEASURES, ids=lambda measure: measure.key)
def measure(request):
    if not request.param.available():
        pytest.skip(f"{request.param.name} is not installed: {request.param.missing}")
    return request.param


def noisy(pixels, amount):
    noise = np.random.default_rng(0).normal(0, amount, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def test_equal_pictures_have_the_best_value(measure, pixels):
    best = 100 if measure.key == "ssimulacra2" else 0
    assert measure.compare(pixels, pixels) == pytest.approx(best, abs=1e-6)


def test_more_noise_is_worse(measure, pixels):
    little, much = (measure.compare(pixels, noisy(pixels, amount)) for amount in (4, 16))
    assert (little > much) == (measure.key == "ssimulacra2")


def test_what_is_not_installed_has_no_value(monkeypatch, pixels):
    monkeypatch.setattr(eye_measures, "BUTTERAUGLI", "no-such-tool")
    eye_measures._has_tool.cache_clear()
    try:
        assert eye_measures.eye_measures(pixels, pixels)["butteraugli"] is None
    finally:
        eye_measures._has_tool.cache_clear()
