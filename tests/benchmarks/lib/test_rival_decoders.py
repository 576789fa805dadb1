import io
import sys

import numpy as np
import pytest
from lib.rival_decoders import BASELINE_JPEG, JPEG_XL, PROGRESSIVE_JPEG, RIVAL_DECODERS
from lib.rivals import decode
from PIL import Image

from gaussianimage.metrics import psnr

INSTALLED = [pytest.param(r, id=r.name) for r in RIVAL_DECODERS if not r.missing]
BY_NAME = {rival.name: rival for rival in RIVAL_DECODERS}


def is_progressive(data):
    return "progressive" in Image.open(io.BytesIO(data)).info


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("decoder", INSTALLED)
def test_a_decoder_gives_the_pixels_of_its_codec(decoder, threads, pixels):
    data = decoder.rival.encode(pixels, decoder.rival.settings[6])
    shown = decoder.decode(data, threads)
    assert shown.shape == pixels.shape
    assert shown.dtype == np.uint8
    assert np.abs(shown.astype(int) - decode(data)).max() <= 1
    assert psnr(pixels, shown) > 15
    assert any(digit in decoder.version for digit in "0123456789")


def test_names_are_one_each():
    assert len(BY_NAME) == len(RIVAL_DECODERS)


def test_baseline_and_progressive_jpeg_are_what_they_are_called(pixels):
    baseline, progressive = (jpeg.encode(pixels, 50) for jpeg in (BASELINE_JPEG, PROGRESSIVE_JPEG))
    assert not is_progressive(baseline)
    assert is_progressive(progressive)
    assert np.array_equal(decode(baseline), decode(progressive))


@pytest.mark.skipif(not JPEG_XL.available, reason="needs pillow-jxl-plugin")
def test_jpeg_xl_is_lossy_over_the_whole_dial(pixels):
    for end in JPEG_XL.ends:
        assert psnr(pixels, decode(JPEG_XL.encode(pixels, end))) < 99


@pytest.mark.parametrize(
    ("module", "package", "name"),
    [
        ("simplejpeg", "simplejpeg", "baseline JPEG by simplejpeg"),
        ("pillow_jxl", "pillow-jxl-plugin", "JPEG XL"),
    ],
)
def test_what_is_not_installed_is_missed_by_its_package(monkeypatch, module, package, name):
    monkeypatch.setitem(sys.modules, module, None)
    assert BY_NAME[name].missing == package
    assert BY_NAME["baseline JPEG"].missing is None


def test_a_codec_that_this_pillow_lacks_is_missed(monkeypatch):
    monkeypatch.setattr("lib.rivals.features.check", lambda feature: feature != "webp")
    assert BY_NAME["WebP"].missing == "Pillow's WebP"
