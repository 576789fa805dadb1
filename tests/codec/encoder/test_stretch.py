import numpy as np
import pytest

from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.decoder.info import info
from gaussianimage.codec.encoder.encode import encode_with_result
from gaussianimage.codec.encoder.stretch import Stretch
from gaussianimage.picture import Picture, from_array

HEIGHT, WIDTH = 48, 64


def waves(low: float, high: float, channels: int = 3) -> Picture:
    """Return a picture of this range, in 16 bits."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [np.sin(x / (4 + k) + y / 9) * np.cos(y / (5 + k)) for k in range(channels)]
    pixels = np.stack(planes, axis=2)
    pixels = (pixels - pixels.min()) / np.ptp(pixels)
    return from_array(np.rint((low + (high - low) * pixels) * 65535).astype(np.uint16))


def test_a_picture_that_uses_its_range_is_left_alone() -> None:
    picture = waves(0.2, 0.8)
    stretch = Stretch.for_picture(picture)
    assert stretch.gain == 1
    assert stretch.apply(picture) is picture


@pytest.mark.parametrize(("low", "high"), [(0.4, 0.413), (0.0, 0.3), (0.97, 1.0)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_little_contrast_fills_the_range(low: float, high: float, channels: int) -> None:
    picture = waves(low, high, channels)
    stretched = Stretch.for_picture(picture).apply(picture).pixels
    assert 0 <= stretched.min() < 0.06
    assert 0.94 < stretched.max() <= 1


def test_colors_go_there_and_back() -> None:
    picture = waves(0.4, 0.413)
    stretch = Stretch.for_picture(picture)
    assert stretch.restored(stretch.apply(picture).pixels) == pytest.approx(
        picture.pixels, abs=1e-6
    )
    middle = picture.pixels[5, 7].astype(np.float64)
    assert stretch.stretched(middle) == pytest.approx(stretch.apply(picture).pixels[5, 7], abs=1e-4)


def test_a_constant_picture_is_left_alone() -> None:
    picture = from_array(np.full((4, 5, 3), 1000, np.uint16))
    assert Stretch.for_picture(picture).gain == 1


def test_the_least_contrast_that_there_is_stays_finite() -> None:
    pixels = np.full((8, 8, 1), 0.5, np.float32)
    pixels[3, 3] = np.nextafter(np.float32(0.5), np.float32(1))
    stretched = Stretch.for_picture(Picture(pixels, 16)).apply(Picture(pixels, 16))
    assert np.isfinite(stretched.pixels).all()


@pytest.mark.parametrize("effort", [1, 2])
def test_more_bytes_of_little_contrast_are_a_better_picture(effort: int) -> None:
    picture = waves(0.4, 0.413)
    source = np.rint(picture.pixels * 65535)
    psnrs, worst = [], []
    for size in (300, 900, 2700):
        encoded = encode_with_result(picture, size=size, effort=effort)
        psnrs.append(encoded.psnr)
        worst.append(np.abs(decode(encoded.data, dtype=np.uint16) - source).max())
    assert psnrs == sorted(psnrs)
    assert psnrs[0] > 50
    assert psnrs[-1] > 75
    # Of 852 steps that the picture has; single pixels off by thousands were what was wrong.
    assert worst[-1] < 100


def test_a_psnr_is_that_of_the_file_whatever_the_contrast() -> None:
    encoded = encode_with_result(waves(0.4, 0.413), psnr=66, effort=1)
    # Three drafts come as near; it was 16 dB less when the picture was not stretched.
    assert encoded.psnr == pytest.approx(66, abs=1)


def test_the_header_says_the_step_of_the_file() -> None:
    picture = waves(0.4, 0.413)
    low, full = (encode_with_result(p, quality=60, effort=1).data for p in (picture, waves(0, 1)))
    assert info(low).color_step < info(full).color_step / 20
