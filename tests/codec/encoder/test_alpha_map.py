"""Encoding and decoding keep fully transparent and fully opaque pixels."""

from typing import Any

import numpy as np
import pytest
from alpha_samples import PICTURES, ball, cut_out, disk, hair
from numpy.typing import NDArray
from plain import gimg
from plain.alpha import class_at
from samples import HEIGHT, WIDTH, sample, with_header

from gaussianimage import _native, encode
from gaussianimage.codec.decoder.decode import Decoder, decode, thumbnail
from gaussianimage.codec.decoder.info import info
from gaussianimage.codec.encoder.alpha_map import (
    BETWEEN,
    LIGHT,
    OPAQUE,
    TRANSPARENT,
    alpha_classes,
    encode_map,
    map_within,
    weighted,
)
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.errors import FormatError
from gaussianimage.metrics import psnr
from gaussianimage.picture import from_array

MAP = np.full((HEIGHT, WIDTH), BETWEEN, np.uint8)
MAP[:5, :9] = TRANSPARENT
MAP[4:, 8:] = OPAQUE


def with_map(channels: int = 4, classes: NDArray[np.uint8] = MAP, **options: Any) -> bytes:
    """Return a file of random Gaussians with a map."""
    data = sample(channels=channels, **options)
    return with_header(data, alpha_map=_native.encode_alpha_map(classes))


def largest_alpha(array: NDArray[Any]) -> float:
    return 1.0 if array.dtype.kind == "f" else float(np.iinfo(array.dtype).max)


def classify(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the class of each decoded pixel's alpha."""
    alpha = pixels[..., -1]
    white = largest_alpha(pixels)
    return np.where(alpha == 0, TRANSPARENT, np.where(alpha == white, OPAQUE, BETWEEN)).astype(
        np.uint8
    )


# Encoding -----------------------------------------------------------------------------------


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("name", sorted(PICTURES))
def test_pixels_without_and_with_full_alpha_keep_it(name: str, deep: bool) -> None:
    picture: NDArray[Any] = PICTURES[name]
    if deep:
        picture = picture.astype(np.uint16) * 257
    data = encode(picture, quality=30, effort=1)
    found = decode(data, dtype=picture.dtype)
    np.testing.assert_array_equal(classify(found), classify(picture))
    assert not found[classify(found) == TRANSPARENT].any()
    for dtype in (np.uint8, np.uint16, np.float32):
        same = classify(decode(data, dtype=dtype))
        np.testing.assert_array_equal(same, classify(picture))


@pytest.mark.parametrize("quality", [10, 75])
def test_alpha_next_to_0_or_full_becomes_neither_in_16_bits(quality: int) -> None:
    picture = np.full((48, 48, 4), 30000, np.uint16)
    alpha = picture[..., 3]
    alpha[:] = 65535
    alpha[24:] = 0
    alpha[10, 10], alpha[10, 30], alpha[40, 10], alpha[40, 30] = 1, 65534, 1, 65534
    decoded = decode(encode(picture, quality=quality, effort=1), dtype=np.uint16)[..., 3]
    for ends in (0, 65535):
        assert np.array_equal(decoded == ends, alpha == ends)


def test_alpha_that_is_the_same_everywhere_costs_nothing() -> None:
    for name in ("opaque", "clear", "half"):
        assert info(encode(PICTURES[name], quality=30, effort=1)).alpha_map is None


def test_a_small_icon_takes_few_bytes() -> None:
    data = encode(ball(), size=160)
    assert len(data) <= 160
    found = psnr(from_array(ball()).pixels, from_array(decode(data)).pixels)
    assert found > 27  # WebP has 25.7 dB in as many bytes


def test_a_cut_out_with_a_hard_edge_takes_no_more_bytes_at_the_same_error() -> None:
    picture = PICTURES["hard"]
    source = from_array(picture).pixels
    without, exact = (encode(picture, quality=60, alpha_quality=q) for q in (0, 100))
    gain = psnr(source, from_array(decode(exact)).pixels) - psnr(
        source, from_array(decode(without)).pixels
    )
    assert gain > 0.5
    assert len(exact) < 1.05 * len(without)


def test_quality_of_alpha_trades_exactness_for_bytes() -> None:
    rng = np.random.default_rng(0)
    noise = np.where(rng.uniform(size=(64, 64)) < 0.5, rng.integers(0, 256, (64, 64)), 0)
    noise[16:48, 16:48] = 255
    picture = from_array(cut_out(noise.astype(np.uint8)))
    sizes = [len(encode_map(picture, quality) or b"") for quality in (100, 90, 50, 10, 0)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 5 * sizes[2] > 0
    assert sizes[-1] == 0
    classes = alpha_classes(picture, 50)
    assert (classes[20:44, 20:44] == OPAQUE).all()
    assert (classes[:12] == BETWEEN).mean() > 0.6


def test_what_is_nearly_opaque_counts_as_opaque_at_less_quality() -> None:
    picture = from_array(cut_out(np.full((32, 32), 250, np.uint8)))
    assert (alpha_classes(picture, 100) == BETWEEN).all()
    assert (alpha_classes(picture, 80) == OPAQUE).all()


def test_areas_at_the_border_and_small_pictures_are_not_small_areas() -> None:
    alpha = np.zeros((20, 20), np.uint8)
    alpha[:2] = 255
    classes = alpha_classes(from_array(cut_out(alpha)), 40)
    assert (classes[:2] == OPAQUE).all()
    assert (classes[2:] == TRANSPARENT).all()


def test_a_target_of_size_leaves_room_for_the_picture() -> None:
    alpha = hair(64)
    picture = from_array(cut_out(alpha))
    whole = encode_map(picture, 100)
    assert whole is not None
    assert map_within(picture, 10 * len(whole)) == whole
    small = map_within(picture, len(whole))
    assert small is None or len(small) < len(whole) / 3
    file = encode(cut_out(alpha), size=len(whole), effort=1)
    assert len(file) <= len(whole)
    # A given quality is used even if the map takes much of the size.
    assert info(encode(cut_out(alpha), size=300, alpha_quality=100, effort=1)).alpha_map == len(
        whole
    )


def test_errors_that_the_map_makes_good_count_less() -> None:
    picture = from_array(ball())
    result = weighted(picture, alpha_classes(picture, 100))
    assert result.weights is not None
    classes = alpha_classes(picture, 100)
    assert (result.weights[classes == TRANSPARENT] == LIGHT).all()
    assert (result.weights[classes == OPAQUE, -1] == LIGHT).all()
    assert (result.weights[classes == OPAQUE, :-1] == 1).all()
    assert (result.weights[classes == BETWEEN] == 1).all()
    assert weighted(picture, None) is picture


@pytest.mark.parametrize("quality", [-1, 101, float("nan")])
def test_a_quality_out_of_range_is_refused(quality: float) -> None:
    with pytest.raises(ValueError, match="alpha_quality"):
        encode(ball(), alpha_quality=quality)


def test_alpha_is_left_out_on_white_or_on_a_color() -> None:
    picture = PICTURES["cut_out"]
    alpha = picture[..., 3:] / 255
    for options, color in (
        ({"alpha": False}, (255, 255, 255)),
        ({"background": "#204060"}, (0x20, 0x40, 0x60)),
        ({"background": (1, 2, 3), "alpha": False}, (1, 2, 3)),
    ):
        data = encode(picture, quality=60, effort=1, **options)
        flat = np.rint(picture[..., :3] * alpha + (1 - alpha) * color).astype(np.uint8)
        found = decode(data)
        assert found.shape == flat.shape
        assert psnr(flat, found) > 22


def test_a_background_changes_no_picture_without_alpha() -> None:
    picture = PICTURES["cut_out"][..., :3]
    assert encode(picture, quality=20, effort=1, background="red") == encode(
        picture, quality=20, effort=1
    )


# Decoding -----------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("bit_depth", [8, 16])
def test_pixels_are_those_of_the_document(channels: int, bit_depth: int) -> None:
    data = with_map(channels, bit_depth=bit_depth)
    plain = gimg.decode(data).pixels()
    dtype = np.uint16 if bit_depth == 16 else np.uint8
    found = decode(data, dtype=dtype).astype(np.int64)
    assert np.abs(found - plain).max() <= (8 if bit_depth == 16 else 1)
    np.testing.assert_array_equal(classify(decode(data, dtype=dtype)), MAP)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    "size", [(12, 16), (24, 32), (12, 32), (7, 16), (5, 7), (1, 1), (100, 3), (37, 41)]
)
def test_pixels_of_other_sizes_are_exact_where_all_under_them_is(
    size: tuple[int, int], dtype: Any
) -> None:
    data = with_map()
    found, without = (
        decode(data, size=size, dtype=dtype),
        decode(sample(channels=4), size=size, dtype=dtype),
    )
    white = largest_alpha(found)
    tiny = 1 if white > 1 else np.float32(1 / 65535)
    for y, x in np.ndindex(size):
        alpha = found[y, x, -1]
        known = class_at(MAP.tolist(), x, y, *size)
        if known == TRANSPARENT:
            assert not found[y, x].any()
        elif known == OPAQUE:
            assert alpha == white
        elif known == BETWEEN:
            assert tiny <= alpha <= white - tiny
        else:
            np.testing.assert_array_equal(found[y, x], without[y, x])


def test_an_opaque_pixel_has_the_color_that_is_drawn() -> None:
    data = with_map(classes=np.full((HEIGHT, WIDTH), OPAQUE, np.uint8))
    sums = gimg.picture(
        gimg.decode(data).numbers, gimg.decode(data).header.background, HEIGHT, WIDTH, 4.5
    )
    found = decode(data, dtype=np.float32)
    assert np.abs(found[..., :3] - sums[..., :3].clip(0, 1)).max() < 1e-4


@pytest.mark.parametrize("size", [(12, 16), (30, 40), (5, 9)])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_crop_equals_cropping_the_whole(size: tuple[int, int], threads: int) -> None:
    data = with_map()
    whole = decode(data, size=size, threads=threads)
    for top, left, height, width in ((0, 0, 3, 3), (2, 5, 3, 4), (4, 8, 1, 1)):
        part = decode(data, size=size, crop=(top, left, height, width), threads=threads)
        np.testing.assert_array_equal(part, whole[top : top + height, left : left + width])


def test_every_way_to_decode_gives_the_same() -> None:
    data = with_map()
    expected = decode(data)
    # A file with metadata goes through the reader in Python.
    np.testing.assert_array_equal(decode(with_map(metadata=Metadata(icc=b"profile"))), expected)
    out = np.empty_like(expected)
    decoder = Decoder()
    for _ in range(2):
        np.testing.assert_array_equal(decoder.decode(data, out), expected)
        decoder.decode(sample(channels=4))
    np.testing.assert_array_equal(thumbnail(data, 16), expected)


def test_the_map_counts_however_little_of_a_file_is_there() -> None:
    data = with_map()
    for found in (decode(data, layers=0), decode(data[:90], partial=True)):
        np.testing.assert_array_equal(classify(found), MAP)


def test_a_map_that_does_not_decode_is_a_format_error() -> None:
    payload = bytearray(_native.encode_alpha_map(MAP))
    payload[-1] ^= 0x55
    for changed in (bytes(payload), bytes(payload[:-2]), b"\3"):
        data = with_header(sample(channels=4), alpha_map=changed)
        with pytest.raises(FormatError, match="map of alpha") as caught:
            decode(data)
        assert caught.value.offset is not None
        assert data[caught.value.offset :].startswith(changed)
        assert info(data).alpha_map == len(changed)


def test_a_map_needs_alpha() -> None:
    with pytest.raises(ValueError, match="3 channels"):
        with_header(sample(), alpha_map=b"\0")


def test_a_disk_of_any_size_has_a_round_outline() -> None:
    data = encode(np.dstack([np.full((32, 32, 3), 200, np.uint8), disk(32)]), quality=60)
    large = decode(data, size=(128, 128))[..., 3].astype(float) / 255
    y, x = np.mgrid[0:128, 0:128] + 0.5 - 64
    inside = (60 - np.hypot(x, y)) / 4 + 0.5
    # A map that is repeated as it is would have steps of 4 pixels.
    assert np.abs(large - inside.clip(0, 1)).mean() < 0.03
