"""Encoding: a file decodes to the picture, and what cannot be encoded is refused."""

import itertools
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_samples import BYTES, CORNER, DATA, LEAST, PARROT, fast, noise, ramps
from PIL import Image, ImageCms

from gaussianimage import metrics
from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.decoder.info import info
from gaussianimage.codec.encoder.encode import encode, encode_with_result
from gaussianimage.errors import GaussianImageError, PictureError, TruncatedError
from gaussianimage.fitting.progress import Progress
from gaussianimage.picture import Picture, as_picture


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


def test_a_file_that_is_not_progressive_is_one_layer_and_smaller() -> None:
    picture = np.tile(BYTES, (3, 2, 1))
    layered, single = (
        encode_with_result(picture, quality=88, effort=1, progressive=progressive)
        for progressive in (True, False)
    )
    assert layered.gaussians > 1200
    assert info(layered.data).layers == 2
    assert info(single.data).layers == 1
    assert len(single.data) < len(layered.data)
    assert single.psnr == pytest.approx(layered.psnr, abs=0.15)


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


def test_a_few_gaussians_are_not_pruned_for_what_they_cannot_show() -> None:
    # The error of 4 Gaussians on 60 strokes, or on noise, is hundreds of times what each of them
    # removes.
    generator = np.random.default_rng(0)
    strokes = np.full((90, 140), 200, np.uint8)
    for y, x in generator.integers(0, (84, 140), (60, 2)):
        strokes[y : y + 6, x] = 30
    for pixels in (strokes, noise(60, 60)):
        for count in (5, 20):
            found = fast(pixels, gaussians=count)
            assert count // 3 <= found.gaussians < count
    dots = np.full((60, 60, 3), 200, np.uint8)
    dots[[7, 30, 51], [40, 9, 22]] = 20
    found = fast(dots, gaussians=100)  # of which few are needed
    assert found.psnr == np.inf
    assert found.gaussians < 33


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
