import pytest
from lib.rivals import RIVALS, decode, encode_at_least, encode_at_psnr

from gaussianimage.metrics import psnr

AVAILABLE = [pytest.param(rival, id=rival.key) for rival in RIVALS if rival.available]


@pytest.mark.parametrize("rival", AVAILABLE)
def test_more_bits_bring_the_picture_closer(rival, pixels):
    files = [rival.encode(pixels, setting) for setting in rival.settings[2::8]]
    sizes = [len(data) for data in files]
    qualities = [psnr(pixels, decode(data)) for data in files]
    assert sizes == sorted(set(sizes))
    assert qualities == sorted(set(qualities))


@pytest.mark.parametrize("rival", AVAILABLE)
def test_settings_lie_on_the_dial_in_order(rival):
    assert list(rival.settings) == sorted(set(rival.settings))
    assert rival.ends[0] <= rival.settings[0]
    assert rival.settings[-1] <= rival.ends[1]
    assert rival.version.startswith("Pillow ")


@pytest.mark.parametrize("rival", AVAILABLE)
def test_the_file_at_equal_bytes_is_not_below_and_next_to_none_smaller(rival, pixels):
    if rival.dial == "bpp":
        wanted = 1000
        assert wanted <= len(encode_at_least(rival, pixels, wanted)) <= 1.1 * wanted
        return
    sizes = {q: len(rival.encode(pixels, q)) for q in (39, 40)}
    assert len(encode_at_least(rival, pixels, sizes[40])) <= sizes[40]
    assert len(encode_at_least(rival, pixels, sizes[39] + 1)) > sizes[39]


@pytest.mark.parametrize("rival", AVAILABLE)
def test_the_file_at_equal_psnr_is_not_below_and_near(rival, pixels):
    wanted = psnr(pixels, decode(rival.encode(pixels, rival.settings[5]))) - 0.01
    found = psnr(pixels, decode(encode_at_psnr(rival, pixels, wanted)))
    assert wanted <= found <= wanted + 0.6


@pytest.mark.parametrize("rival", AVAILABLE)
def test_beyond_the_ends_of_the_dial_the_end_is_taken(rival, pixels):
    low, high = (rival.encode(pixels, end) for end in rival.ends)
    assert encode_at_least(rival, pixels, 1) == low
    assert len(encode_at_least(rival, pixels, 10**9)) == len(high)


def test_jpeg_2000_transforms_its_colors(pixels):
    rival = next(rival for rival in RIVALS if rival.key == "jpeg2000")
    if not rival.available:
        pytest.skip("this Pillow has no JPEG 2000")
    # COD marker, then length, style, progression, layers, and the multiple component transform.
    data = rival.encode(pixels, 1.0)
    assert data[data.index(b"\xff\x52") + 8] == 1
