"""Encoding reaches its target: a quality, a size, a PSNR or an SSIM, and tuning and effort."""

import io
from typing import Any

import numpy as np
import pytest
from encoder_samples import BYTES, CORNER, DATA, LEAST, PARROT, fast, ramps
from PIL import Image

from gaussianimage import metrics
from gaussianimage.codec.decoder.decode import decode, decode_picture
from gaussianimage.codec.encoder.encode import EncodeResult, encode, encode_with_result
from gaussianimage.codec.encoder.eye_weights import BLOCK_WEIGHT, first_weights
from gaussianimage.codec.encoder.rate_model import step_for_quality
from gaussianimage.codec.format.quantizer import MOST_STEP
from gaussianimage.errors import LimitError
from gaussianimage.picture import Picture, as_picture


def test_each_tune_is_better_by_what_it_optimizes() -> None:
    # At the same size, as near as a search comes; such small files scatter by some percent.
    ratios, gains = [], []
    for name in ("parrot", "stream", "bikes", "plane"):
        picture = as_picture(DATA / f"{name}.png")
        weights = first_weights(picture.pixels)[..., None]

        def seen(
            result: EncodeResult, picture: Picture = picture, weights: np.ndarray = weights
        ) -> float:
            drawn = decode(result.data, dtype=np.float32)
            error = np.sqrt(weights) * (drawn - picture.pixels)
            means = error.reshape(16, 4, 24, 4, 3).mean(axis=(1, 3))
            return float(np.square(error).sum() + BLOCK_WEIGHT * 16 * np.square(means).sum())

        eye, psnr = (fast(picture, bpp=0.8, tune=tune) for tune in ("eye", "psnr"))
        ratios.append(seen(eye) / seen(psnr))
        gains.append(psnr.psnr - eye.psnr)
    assert np.median(ratios) < 0.97
    assert min(gains) > 0.2


def test_a_target_in_psnr_is_tuned_for_it() -> None:
    assert fast(BYTES, psnr=25).data == fast(BYTES, psnr=25, tune="psnr").data
    assert abs(fast(BYTES, psnr=28, tune="eye").psnr - 28) < 0.5


def test_few_pixels_are_always_tuned_for_psnr() -> None:
    assert fast(CORNER, tune="eye").data == fast(CORNER, tune="psnr").data


def test_alpha_and_gray_are_tuned_for_the_eye() -> None:
    for pixels in (ramps(1, height=48), ramps(2, height=48), ramps(4, height=48)):
        eye, psnr = (fast(pixels, quality=60, tune=tune) for tune in ("eye", "psnr"))
        assert eye.data != psnr.data
        assert eye.psnr > 30


def test_quality_is_monotone_in_size_and_psnr() -> None:
    encoded = [fast(PARROT, quality=quality) for quality in (0, 25, 50, 75, 100)]
    sizes = [len(e.data) for e in encoded]
    qualities = [e.psnr for e in encoded]
    assert sizes == sorted(set(sizes))
    assert qualities == sorted(set(qualities))
    assert sizes[-1] > 10 * sizes[0]


def test_more_bytes_of_a_smooth_picture_are_better() -> None:
    y, x = np.mgrid[0:64, 0:96]
    waves = (np.sin(x / 15) + np.cos(y / 9) + 2) / 4
    pixels = ((0.02 + 0.96 * waves) * 65535).round().astype(np.uint16)
    for_psnr = [fast(pixels, size=size, tune="psnr").psnr for size in (400, 1800, 3000)]
    assert for_psnr == sorted(for_psnr)
    assert for_psnr[-1] > for_psnr[0] + 10  # 8 dB without further rounds
    for_the_eye = [fast(pixels, size=size).psnr for size in (750, 1500, 3000)]
    assert for_the_eye == sorted(for_the_eye)


def test_qualities_differ_where_steps_are_as_coarse_as_a_file_can_hold() -> None:
    assert step_for_quality(24) > MOST_STEP
    encoded = [fast(PARROT, quality=quality) for quality in (0, 8, 16, 24)]
    sizes = [len(e.data) for e in encoded]
    qualities = [e.psnr for e in encoded]
    assert sizes == sorted(set(sizes))
    assert qualities == sorted(set(qualities))
    assert sizes[-1] > 1.5 * sizes[0]


def test_the_default_is_quality_75_for_the_eye() -> None:
    assert fast(BYTES).data == fast(BYTES, quality=75, tune="eye").data


@pytest.mark.parametrize("count", [1, 2, 40, 300])
def test_the_number_of_gaussians_is_the_most_there_are(count: int) -> None:
    encoded = fast(PARROT, gaussians=count)
    assert 0.6 * (count - 1) <= encoded.gaussians <= count


@pytest.mark.parametrize("name", ["plane", "parrot", "stream"])
@pytest.mark.parametrize("bpp", [0.15, 0.5, 1.0, 4.0])
def test_bits_per_pixel_are_not_exceeded_and_nearly_used(name: str, bpp: float) -> None:
    encoded = fast(DATA / f"{name}.png", bpp=bpp)
    assert encoded.bpp <= bpp
    assert encoded.bpp > 0.9 * bpp - 8 * 10 / (64 * 96)


@pytest.mark.parametrize("size", [100, 333, 1000, 3000])
def test_a_size_is_not_exceeded_and_nearly_used(size: int) -> None:
    encoded = fast(PARROT, size=size)
    assert 0.9 * size - 10 < len(encoded.data) <= size


@pytest.mark.parametrize("target", [{"bpp": 1200 * 8 / 6144}, {"size": 1200}], ids=str)
def test_a_size_and_bits_per_pixel_are_those_of_the_whole_file(target: dict[str, Any]) -> None:
    junk = np.random.default_rng(0).bytes(400)
    picture = Picture(PARROT.pixels, icc=junk)
    encoded = fast(picture, **target)
    assert 1000 < len(encoded.data) <= 1200
    assert encoded.bpp == 8 * len(encoded.data) / 6144
    assert encoded.psnr < fast(PARROT, **target).psnr


@pytest.mark.parametrize("target", [{"bpp": 0.5}, {"size": 384}, {"size": 450}, {"size": 1}])
def test_a_size_that_metadata_leaves_nothing_of_is_an_error(target: dict[str, Any]) -> None:
    picture = Picture(PARROT.pixels, icc=np.random.default_rng(0).bytes(400))
    (name,) = target
    with pytest.raises(LimitError, match=rf"{name}: ICC profile, EXIF and XMP take 4\d\d bytes"):
        fast(picture, **target)
    encoded = fast(picture, metadata="none", **target)
    assert encoded.data == fast(PARROT, **target).data


def test_metadata_is_kept_as_asked_for() -> None:
    xmp = b"<x exif:GPSLatitude='1' a='2'/>"
    picture = Picture(PARROT.pixels, icc=b"profile", exif=b"II*\0\x08\0\0\0\0\0\0\0\0\0", xmp=xmp)
    for metadata in ("all", "none", "icc", ("exif", "gps"), ["xmp"], {"xmp", "gps"}):
        kept = picture.keeping(metadata)
        found = decode_picture(encode(picture, quality=10, effort=1, metadata=metadata))
        assert (found.icc, found.exif, found.xmp) == (kept.icc, kept.exif, kept.xmp)


@pytest.mark.parametrize(
    ("metadata", "error"), [("xyz", ValueError), (["all"], ValueError), (5, TypeError)]
)
def test_metadata_of_no_kind_is_refused(metadata: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="metadata: expected"):
        encode(CORNER, metadata=metadata)


def test_a_notebook_shows_a_file_as_a_small_picture() -> None:
    encoded = fast(np.zeros((3, 2000, 3), np.uint8))
    with Image.open(io.BytesIO(encoded._repr_png_())) as image:
        assert (image.format, image.size) == ("PNG", (1024, 2))
    assert len(repr(encoded)) < 200


@pytest.mark.parametrize("target", [{"bpp": 1e-4}, {"size": 1}, {"size": 45}], ids=str)
def test_what_is_too_small_for_any_file_gives_the_smallest(target: dict[str, Any]) -> None:
    encoded = fast(PARROT, **target)
    assert encoded.gaussians == 0
    assert len(encoded.data) <= LEAST


@pytest.mark.parametrize("psnr", [22.0, 27.0, 33.0])
def test_a_psnr_is_nearly_met(psnr: float) -> None:
    encoded = encode_with_result(PARROT, psnr=psnr, effort=3)
    assert encoded.psnr == pytest.approx(psnr, abs=0.4)


def drawing() -> np.ndarray:
    """Return a bar and a line on white."""
    pixels = np.full((120, 160), 255, np.uint8)
    pixels[40:60, 30:90] = 0
    pixels[70:72, 10:140] = 120
    return pixels


@pytest.mark.parametrize("psnr", [20.0, 24.0, 27.0, 30.0, 36.0, 42.0])
def test_a_psnr_of_a_drawing_is_nearly_met(psnr: float) -> None:
    found = fast(drawing(), psnr=psnr)
    assert found.gaussians > 0  # its mean color has 12.1 dB
    assert psnr - 0.6 < found.psnr < psnr + 2.5


@pytest.mark.parametrize("size", [110, 150, 250, 400])
def test_a_size_of_a_drawing_is_nearly_used(size: int) -> None:
    assert 0.9 * size < len(fast(drawing(), size=size).data) <= size


def test_a_faint_picture_of_waves_has_any_psnr() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:128, :128]
    noise = rng.normal(0, 20, (128, 128))
    pixels = (30000 + 400 * np.sin(x / 9) * np.cos(y / 13) + noise).astype(np.uint16)
    for psnr in (60.0, 63.0, 66.0, 70.0):
        assert psnr - 0.6 < fast(pixels, psnr=psnr).psnr < psnr + 2.5


@pytest.mark.parametrize("ssim", [0.8, 0.9])
def test_an_ssim_is_nearly_met(ssim: float) -> None:
    encoded = encode_with_result(PARROT, ssim=ssim, effort=3)
    assert metrics.ssim(BYTES, decode(encoded.data)) == pytest.approx(ssim, abs=0.02)


def test_an_ssim_needs_a_picture_as_large_as_its_window() -> None:
    with pytest.raises(ValueError, match="ssim: expected a picture of at least 11 pixels"):
        fast(np.zeros((10, 40, 3), np.uint8), ssim=0.9)


@pytest.mark.parametrize("psnr", [1.0, 30.0, 100.0])
def test_a_constant_picture_has_any_psnr(psnr: float) -> None:
    encoded = fast(np.full((9, 9, 3), 200, np.uint8), psnr=psnr)
    assert encoded.psnr == float("inf")
    assert len(encoded.data) <= LEAST


def test_more_effort_is_better_and_not_much_larger() -> None:
    low, high = (encode_with_result(PARROT, quality=80, effort=effort) for effort in (1, 6))
    assert low.psnr + 0.3 < high.psnr
    assert len(high.data) < 1.02 * len(low.data)
