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


BEST = {"ssimulacra2": 100, "butteraugli": 0, "cvvdp": 10}


def test_equal_pictures_have_the_best_value(measure, pixels):
    assert measure.compare(pixels, pixels) == pytest.approx(BEST[measure.key], abs=1e-6)


def test_more_noise_is_worse(measure, pixels):
    little, much = (measure.compare(pixels, noisy(pixels, amount)) for amount in (4, 16))
    assert (little > much) == (BEST[measure.key] > 0)


def test_what_is_not_installed_has_no_value(monkeypatch, pixels):
    monkeypatch.setattr(eye_measures, "BUTTERAUGLI", "no-such-tool")
    eye_measures._has_tool.cache_clear()
    try:
        assert eye_measures.eye_measures(pixels, pixels)["butteraugli"] is None
    finally:
        eye_measures._has_tool.cache_clear()


@pytest.mark.parametrize("error", [ImportError, RuntimeError])
def test_a_measure_that_cannot_be_imported_is_not_there(monkeypatch, error):
    def fail(name):
        raise error(name)

    monkeypatch.setattr(eye_measures.importlib, "import_module", fail)
    eye_measures._cvvdp.cache_clear()
    eye_measures._has_cvvdp.cache_clear()
    try:
        assert not eye_measures._has_cvvdp()
    finally:
        eye_measures._has_cvvdp.cache_clear()
