"""Encoding: a file has the target size or quality, and decodes to the picture."""

import io
import itertools
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from gaussianimage import metrics
from gaussianimage.codec.decoder.decode import decode, decode_picture
from gaussianimage.codec.decoder.info import info
from gaussianimage.codec.encoder.encode import EncodeResult, encode, encode_with_result
from gaussianimage.codec.encoder.eye_weights import BLOCK_WEIGHT, first_weights
from gaussianimage.codec.encoder.rate_model import step_for_quality
from gaussianimage.codec.format.quantizer import MOST_STEP
from gaussianimage.errors import GaussianImageError, LimitError, PictureError, TruncatedError
from gaussianimage.fitting.progress import Progress
from gaussianimage.picture import Picture, as_picture, to_array

DATA = Path(__file__).parents[2] / "data"
PARROT = as_picture(DATA / "parrot.png")
BYTES = to_array(PARROT.pixels, np.uint8)
CORNER = BYTES[20:32, 30:46].copy()  # 16 x 12

# The largest size of a file without Gaussians.
LEAST = 50


def fast(picture: Any, **options: Any) -> EncodeResult:
    return encode_with_result(picture, **{"effort": 1, **options})


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def ramps(channels: int, dtype: type = np.uint8, height: int = 24, width: int = 32) -> np.ndarray:
    """Return a smooth picture, with a soft alpha if the channels have one."""
    y, x = np.mgrid[0:height, 0:width]
    colors = [x / (width - 1), y / (height - 1), (x + y) / (width + height - 2)]
    alpha = np.clip(1.3 - np.hypot((x - 16) / 16, (y - 12) / 12), 0, 1)
    count = channels - (channels in (2, 4))
    planes = [*colors[:count], alpha][:channels]
    scaled = np.stack(planes, axis=2) * np.iinfo(dtype).max
    pixels = np.rint(scaled).astype(dtype)
    return pixels[..., 0] if channels == 1 else pixels


# What is small or faint -----------------------------------------------------------------------


def page(color: int = 0, ground: int = 255, height: int = 120, width: int = 160) -> np.ndarray:
    """Return a page with three bars in a corner and nothing else."""
    pixels = np.full((height, width, 3), ground, np.uint8)
    for x in (20, 28, 36):
        pixels[80:92, x : x + 3] = color
    return pixels


@pytest.mark.parametrize("effort", [1, 5])
@pytest.mark.parametrize("quality", [40, 60, 90])
@pytest.mark.parametrize(("color", "ground"), [(0, 255), (255, 0), (235, 250)])
def test_the_only_thing_on_a_page_is_in_the_file(
    color: int, ground: int, quality: float, effort: int
) -> None:
    pixels = page(color, ground)
    result = fast(pixels, quality=quality, effort=effort)
    error = decode(result.data)[80:92, 20:39].astype(float) - pixels[80:92, 20:39]
    contrast = pixels[80:92, 20:39].astype(float) - ground
    assert np.square(error).sum() < 0.3 * np.square(contrast).sum()
    assert len(result.data) < 400


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_single_dot_is_in_the_file(size: int) -> None:
    pixels = np.full((200, 300), 255, np.uint8)
    pixels[100 : 100 + size, 200 : 200 + size] = 0
    decoded = decode(fast(pixels).data)
    assert decoded[100 : 100 + size, 200 : 200 + size].max() < 100
    assert decoded[:90].min() > 250


def test_faint_words_on_a_page_are_in_the_file() -> None:
    rng = np.random.default_rng(0)
    paper = 230 + rng.normal(0, 1, (160, 240, 1))
    pixels = np.repeat(paper, 3, axis=2)
    faint = slice(85, 94)
    for y in (10, 35, 60, 85, 110, 135):
        for x in range(12, 228, 6):
            pixels[y : y + 9, x : x + 1 + x % 2] = 205 if y == faint.start else 30
    pixels = np.rint(pixels).astype(np.uint8)
    decoded = decode(fast(pixels, effort=3).data).astype(float)
    row, source = decoded[faint, 12:228].mean(axis=(0, 2)), pixels[faint, 12:228].mean(axis=(0, 2))
    assert np.corrcoef(row, source)[0, 1] > 0.7


def test_stars_are_in_the_file() -> None:
    rng = np.random.default_rng(0)
    pixels = np.zeros((200, 200), np.uint8)
    places = rng.integers(0, 200, (12, 2))
    pixels[tuple(places.T)] = rng.integers(80, 256, len(places))
    decoded = decode(fast(pixels).data).astype(float)
    assert np.abs(decoded - pixels).max() < 40


def test_a_faint_picture_does_not_turn_into_one_gray() -> None:
    y, x = np.mgrid[:64, :64]
    pixels = np.rint(120 + 3 * np.sin(x / 6) + 2 * np.cos(y / 9)).astype(np.uint8)
    decoded = decode(fast(pixels).data).astype(float)
    assert np.square(decoded - pixels).mean() < 0.3 * pixels.var()


def test_a_small_thing_in_a_picture_that_has_much_else_stays() -> None:
    rng = np.random.default_rng(1)
    pixels = np.full((128, 192, 3), 200, np.uint8)
    pixels[:, 96:] = rng.integers(0, 256, (128, 96, 1))
    pixels[60:63, 40:43] = (120, 60, 60)
    decoded = decode(fast(pixels, quality=45).data).astype(float)
    contrast = np.abs(pixels[60:63, 40:43].astype(float) - 200).mean()
    assert np.abs(decoded[60:63, 40:43] - pixels[60:63, 40:43]).mean() < 0.6 * contrast


def blocks(pixels: np.ndarray) -> np.ndarray:
    """Cut pixels (H, W, C) with sides of whole blocks into (K, 256, C)."""
    height, width, channels = pixels.shape
    cut = pixels.reshape(height // 16, 16, width // 16, 16, channels).swapaxes(1, 2)
    return cut.reshape(-1, 256, channels).astype(float)


@pytest.mark.parametrize("name", ["plane", "parrot", "bikes", "stream"])
def test_no_block_is_much_worse_than_its_mean_color(name: str) -> None:
    picture = as_picture(DATA / f"{name}.png")
    height, width = picture.height // 16 * 16, picture.width // 16 * 16
    source = blocks(np.rint(picture.pixels * 255)[:height, :width])
    decoded = blocks(np.atleast_3d(decode(fast(picture).data))[:height, :width])
    error = np.square(source - decoded).mean(axis=(1, 2))
    contrast = source.var(axis=1).mean(axis=1)
    assert (error <= contrast + 3**2).all()


@pytest.mark.parametrize("shape", [(1, 4), (4, 1, 3), (2, 2), (2, 2, 3), (4, 4), (4, 4, 3)])
def test_a_few_pixels_are_all_right(shape: tuple[int, ...]) -> None:
    pixels = noise(*shape)
    decoded = decode(fast(pixels).data).astype(int)
    assert np.abs(decoded - pixels).max() <= 16
    assert len(fast(pixels).data) < 160


def test_a_checkerboard_of_four_pixels_is_right() -> None:
    pixels = np.array([[0, 255], [255, 0]], np.uint8)
    assert np.abs(decode(fast(pixels).data).astype(int) - pixels).max() <= 4


# What comes back ----------------------------------------------------------------------------


# Bounds on both sides: a result that is much better is as suspicious as a worse one.
@pytest.mark.parametrize(
    ("name", "dbs", "sizes"),
    [
        ("plane", (36.5, 42.5), (270, 480)),
        ("parrot", (30.0, 34.5), (1050, 1800)),
        ("bikes", (31.0, 35.5), (930, 1600)),
    ],
)
def test_photos_have_a_sensible_size_and_psnr(
    name: str, dbs: tuple[float, float], sizes: tuple[int, int]
) -> None:
    encoded = encode_with_result(DATA / f"{name}.png")
    assert dbs[0] < encoded.psnr < dbs[1]
    assert sizes[0] < len(encoded.data) < sizes[1]


def test_what_is_told_of_a_file_is_so() -> None:
    encoded = fast(PARROT)
    decoded = decode(encoded.data)
    assert encoded.psnr == metrics.psnr(BYTES, decoded)
    assert (encoded.height, encoded.width) == (64, 96) == decoded.shape[:2]
    assert encoded.gaussians == info(encoded.data).gaussians > 50
    assert encoded.bpp == 8 * len(encoded.data) / (64 * 96)
    assert encoded.seconds > 0
    assert not encoded.interrupted
    assert encode(PARROT, effort=1) == encoded.data


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_no_byte(threads: int) -> None:
    for options in ({"quality": 50}, {"bpp": 1.0}, {"psnr": 25.0}, {"ssim": 0.8}):
        assert fast(PARROT, threads=threads, **options).data == fast(PARROT, **options).data


def test_a_seed_gives_the_same_file_and_another_seed_another() -> None:
    first, again, other = (encode(BYTES, quality=40, effort=1, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_the_source_does_not_matter() -> None:
    expected = encode(PARROT, quality=30, effort=1)
    path = DATA / "parrot.png"
    for source in (path, str(path), path.read_bytes(), BYTES, Image.fromarray(BYTES)):
        assert encode(source, quality=30, effort=1) == expected


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_kind_of_picture_comes_back(channels: int, dtype: type) -> None:
    pixels = ramps(channels, dtype)
    encoded = fast(pixels, quality=90)
    found = info(encoded.data)
    assert found.channels == channels
    assert found.bit_depth == 8 * np.dtype(dtype).itemsize
    decoded = decode(encoded.data, dtype=dtype)
    assert decoded.shape == pixels.shape
    assert decoded.dtype == dtype
    # Invisible colors don't count: colors are compared after multiplication by alpha.
    actual = metrics.psnr(as_picture(pixels).pixels, as_picture(decoded).pixels)
    assert encoded.psnr == pytest.approx(actual, abs=1e-3)
    assert encoded.psnr > 25


def test_floats_come_back() -> None:
    pixels = ramps(3).astype(np.float32) / 255
    encoded = fast(pixels, quality=90)
    assert metrics.psnr(pixels, decode(encoded.data, dtype=np.float32)) > 30


def test_hidden_colors_do_not_bleed() -> None:
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[..., 0] = 255  # invisible red
    pixels[8:24, 8:24] = [0, 0, 255, 255]
    decoded = decode(fast(pixels, quality=95).data).astype(int)
    seen = decoded[..., 3] > 200
    assert seen[10:22, 10:22].all()
    assert decoded[seen][:, 0].max() < 40
    assert decoded[seen][:, 2].min() > 200


@pytest.mark.parametrize(
    "color", [0, 77, 255, (1, 2, 3), (250, 128, 3, 200), (9, 9, 9, 0)], ids=str
)
@pytest.mark.parametrize("size", [(1, 1), (40, 60)])
def test_constant_pictures_cost_a_few_dozen_bytes(color: Any, size: tuple[int, int]) -> None:
    pixels = np.full((*size, np.size(color)), color, np.uint8)
    encoded = fast(pixels)
    assert len(encoded.data) <= LEAST
    assert encoded.gaussians == 0
    decoded = decode(encoded.data).reshape(pixels.shape)
    if np.size(color) == 4 and pixels[0, 0, 3] == 0:
        assert not decoded.any()
    else:
        # Divided by alpha, a color of 16 bits may be one level off.
        assert np.abs(decoded.astype(int) - pixels).max() <= (np.size(color) == 4)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (1, 300), (300, 1), (5, 7), (3, 2000), (17, 33)])
def test_pictures_of_any_size_can_be_encoded(size: tuple[int, int]) -> None:
    pixels = noise(*size, 3)
    encoded = fast(pixels)
    assert decode(encoded.data).shape == pixels.shape
    spread = np.var(pixels.astype(float), axis=(0, 1)).mean()
    assert encoded.psnr >= 10 * np.log10(255**2 / max(spread, 1e-3)) - 0.2


@pytest.mark.parametrize(
    "pixels", [noise(2, 2), noise(1, 1, 4), noise(3, 3, 2)], ids=["g", "a", "b"]
)
def test_tiny_pictures_can_be_encoded_with_every_target(pixels: np.ndarray) -> None:
    for target in (
        {"quality": 0},
        {"quality": 100},
        {"gaussians": 1000},
        {"bpp": 64},
        {"bpp": 1e-4},
        {"size": 1},
        {"size": 10**6},
        {"psnr": 1},
        {"psnr": 100},
    ):
        assert decode(fast(pixels, **target).data).shape == pixels.shape


def test_metadata_comes_along() -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif, xmp = b"II*\0\x08\0\0\0\0\0\0\0\0\0", b"<x:xmpmeta/>"
    picture = Picture(PARROT.pixels, icc=icc, exif=exif, xmp=xmp)
    data = encode(picture, quality=20, effort=1)
    found = info(data)
    assert (found.icc, found.exif, found.xmp) == (len(icc), len(exif), len(xmp))
    assert len(data) < len(encode(PARROT, quality=20, effort=1)) + len(icc) + 100
    assert np.array_equal(decode(data), decode(encode(PARROT, quality=20, effort=1)))


# Targets ------------------------------------------------------------------------------------


def test_each_tune_is_better_by_what_it_optimizes() -> None:
    # At the same size, as near as a search comes.
    eye, psnr = (fast(PARROT, bpp=1.2, tune=tune) for tune in ("eye", "psnr"))
    assert psnr.psnr > eye.psnr + 0.3
    weights = first_weights(PARROT.pixels)[..., None]

    def seen(result: EncodeResult) -> float:
        error = np.sqrt(weights) * (decode(result.data, dtype=np.float32) - PARROT.pixels)
        means = error.reshape(16, 4, 24, 4, 3).mean(axis=(1, 3))
        return float(np.square(error).sum() + BLOCK_WEIGHT * 16 * np.square(means).sum())

    assert seen(eye) < 0.97 * seen(psnr)


def test_a_target_in_psnr_is_tuned_for_it() -> None:
    assert fast(BYTES, psnr=25).data == fast(BYTES, psnr=25, tune="psnr").data
    assert abs(fast(BYTES, psnr=28, tune="eye").psnr - 28) < 0.3


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


# What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"quality": 50, "bpp": 1.0}, ValueError),
        ({"quality": -1}, ValueError),
        ({"tune": "looks"}, ValueError),
        ({"tune": 1}, TypeError),
        ({"quality": 101}, ValueError),
        ({"bpp": 0}, ValueError),
        ({"gaussians": 0}, ValueError),
        ({"gaussians": 1.5}, TypeError),
        ({"size": 0}, ValueError),
        ({"psnr": 200}, ValueError),
        ({"effort": 0}, ValueError),
        ({"effort": 2.5}, TypeError),
        ({"seed": -1}, ValueError),
        ({"threads": 0}, ValueError),
        ({"threads": "2"}, TypeError),
    ],
    ids=str,
)
def test_arguments_out_of_range_are_refused(
    options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        encode(CORNER, **options)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_are_refused(value: float) -> None:
    pixels = np.zeros((5, 5, 3), np.float64)
    pixels[2, 3, 1] = value
    with pytest.raises(PictureError):
        encode(pixels)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5, 3), (5, 0)])
def test_pictures_without_pixels_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="0"):
        encode(np.zeros(shape, np.uint8))


def test_pictures_that_are_too_long_are_refused() -> None:
    for options in ({"quality": 5}, {"bpp": 1}, {"psnr": 20}, {"gaussians": 1}):
        with pytest.raises(PictureError, match="65536"):
            encode(np.zeros((1, 65537), np.uint8), **options)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PictureError):
        encode(b"GIF89a but no more")
    with pytest.raises(FileNotFoundError):
        encode(tmp_path / "nothing.png")
    with pytest.raises(TypeError):
        encode(5)  # type: ignore[arg-type]


# Watching and stopping ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"gaussians": 100}, ["fit", "prune", "quantize", "refine"]),
        ({"quality": 60}, ["probe", "fit", "prune", "quantize", "refine"]),
    ],
)
def test_progress_goes_through_the_stages(target: dict[str, Any], expected: list[str]) -> None:
    told: list[Progress] = []
    fast(PARROT, progress=told.append, **target)
    groups = itertools.groupby(told, lambda progress: progress.stage)
    assert [stage for stage, _ in groups] == expected
    assert all(0 <= one.iteration <= one.iterations for one in told)
    assert all(one.seconds_left >= 0 and one.gaussians > 0 for one in told)


@pytest.mark.parametrize("target", [{"quality": 70}, {"bpp": 1.0}, {"psnr": 30.0}], ids=str)
def test_the_part_that_is_done_never_falls(target: dict[str, Any]) -> None:
    told: list[Progress] = []
    fast(PARROT, progress=told.append, **target)
    done = [progress.done for progress in told]
    assert done == sorted(done)
    assert 0 < done[0] < 0.4
    assert 0.6 < done[-1] <= 1


@pytest.mark.parametrize("stage", ["fit", "prune", "quantize", "refine"])
@pytest.mark.parametrize("target", [{"gaussians": 200}, {"bpp": 1.0}, {"psnr": 30.0}], ids=str)
def test_an_interrupted_encoding_is_a_whole_file(stage: str, target: dict[str, Any]) -> None:
    pressed: list[Progress] = []

    def press(progress: Progress) -> None:
        if progress.stage == stage and not pressed:
            pressed.append(progress)
            signal.raise_signal(signal.SIGINT)

    encoded = fast(PARROT, progress=press, on_interrupt="keep", **target)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert encoded.interrupted
    decoded = decode(encoded.data)
    assert encoded.psnr == metrics.psnr(BYTES, decoded)
    if "bpp" in target:
        assert encoded.bpp <= 1.0


@pytest.mark.parametrize("stage", ["fit", "quantize"])
def test_an_interrupt_is_raised_unless_told_otherwise(stage: str) -> None:
    def press(progress: Progress) -> None:
        if progress.stage == stage:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        encode(PARROT, effort=1, gaussians=100, progress=press)
    with pytest.raises(KeyboardInterrupt):
        fast(PARROT, progress=press)


def test_other_errors_of_the_callback_pass_through() -> None:
    def fail(_: Progress) -> None:
        raise RuntimeError("window closed")

    with pytest.raises(RuntimeError, match="closed"):
        fast(PARROT, progress=fail)


# A whole small file under every single error -------------------------------------------------


@pytest.mark.parametrize(
    "pixels", [CORNER, CORNER[..., 0], noise(12, 16, 4)], ids=["rgb", "g", "a"]
)
def test_every_flipped_bit_of_a_small_file_is_an_error(pixels: np.ndarray) -> None:
    data = encode(pixels, quality=70, effort=1)
    assert info(data).gaussians > 3
    for bit in range(8 * len(data)):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(GaussianImageError):
            decode(bad)


def test_every_cut_of_a_small_file_is_an_error_or_its_whole_layers() -> None:
    data = encode(CORNER, quality=70, effort=1)
    pictures = [decode(data, layers=n) for n in range(info(data).layers + 1)]
    for size in range(len(data)):
        with pytest.raises(TruncatedError):
            decode(data[:size])
        try:
            found = decode(data[:size], partial=True)
        except TruncatedError:
            assert size < info(data).chunks[1].offset
            continue
        whole = sum(chunk.type == "LAYR" for chunk in info(data[:size], partial=True).chunks)
        assert np.array_equal(found, pictures[whole])
