"""Grain in a file: what decoders add to the pixels, and when."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain import gimg
from plain.grain import decode_grain, with_grain
from plain.varint import InvalidError
from samples import sample

from gaussianimage import Decoder, FormatError, _native, decode, decode_picture, info, thumbnail
from gaussianimage.codec.encoder.grain import add_grain
from gaussianimage.codec.format.container import Chunk, read_chunks, write_chunks
from gaussianimage.codec.format.grain import TYPE, Grain, cells

HEIGHT, WIDTH = 37, 45
every_format = pytest.mark.parametrize(
    ("channels", "dtype"), [(c, d) for c in (1, 2, 3, 4) for d in (np.uint8, np.uint16)]
)


def make_grain(seed=3, cell=3, height=HEIGHT, width=WIDTH):
    """Return grain of random levels, some of them 0."""
    rng = np.random.default_rng(seed)
    shape = (cells(height, cell), cells(width, cell), 5)
    levels = np.clip(rng.integers(-3, 16, shape), 0, 15).astype(np.uint8)
    return Grain(seed, cell, (40, 70, 20), levels)


def plain_file(channels=3, dtype=np.uint8):
    return sample(
        (4, 9), channels, height=HEIGHT, width=WIDTH, bit_depth=16 if dtype == np.uint16 else 8
    )


def of_three_axes(pixels):
    return pixels.reshape(*pixels.shape[:2], -1)


@every_format
@pytest.mark.parametrize("cell", [3, 4, 6])
def test_the_plain_decoder_adds_the_same_noise(channels, dtype, cell):
    data = add_grain(plain_file(channels, dtype), make_grain(cell=cell))
    smooth = of_three_axes(decode(data, dtype=dtype, grain=False)).astype(np.int64)
    expected = with_grain(smooth, gimg.decode(data).grain, deep=dtype == np.uint16)
    drawn = of_three_axes(decode(data, dtype=dtype))
    assert np.array_equal(drawn, expected)
    assert (drawn != smooth).any()


@pytest.mark.parametrize("size", [(37, 45), (74, 90), (38, 101)])
def test_larger_pictures_have_grain_in_their_own_pixels(size):
    data = add_grain(plain_file(), make_grain())
    smooth = decode(data, size=size, grain=False).astype(np.int64)
    assert np.array_equal(
        decode(data, size=size), with_grain(smooth, gimg.decode(data).grain, deep=False)
    )


@pytest.mark.parametrize("size", [(36, 45), (37, 44), (20, 20)])
def test_smaller_pictures_have_none(size):
    data = add_grain(plain_file(), make_grain())
    assert np.array_equal(decode(data, size=size), decode(plain_file(), size=size))
    assert np.array_equal(thumbnail(data, 45), thumbnail(plain_file(), 45))


def test_a_part_of_the_layers_has_none():
    data, without = add_grain(plain_file(), make_grain()), plain_file()
    assert np.array_equal(decode(data, layers=1), decode(without, layers=1))
    cut = data[: read_chunks(data)[-1].offset + 5]
    assert np.array_equal(decode(cut, partial=True), decode(without, layers=1))


def test_without_grain_the_picture_is_that_of_the_gaussians():
    data, without = add_grain(plain_file(4), make_grain()), plain_file(4)
    assert np.array_equal(decode(data, grain=False), decode(without))
    assert np.array_equal(Decoder().decode(data, grain=False), decode(without))
    assert np.array_equal(np.asarray(decode_picture(data, grain=False)), decode(without))
    assert np.array_equal(np.asarray(decode_picture(data)), decode(data))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_crop_has_the_pixels_of_the_whole(dtype, channels):
    data = add_grain(plain_file(channels), make_grain())
    whole = decode(data, dtype=dtype)
    for top, left, height, width in ((0, 0, 1, 1), (8, 16, 8, 8), (5, 11, 17, 30), (36, 44, 1, 1)):
        part = decode(data, dtype=dtype, crop=(top, left, height, width))
        assert np.array_equal(part, whole[top : top + height, left : left + width])
        given = np.zeros_like(part)
        found = Decoder().decode(data, dtype=dtype, crop=(top, left, height, width), out=given)
        assert found is given
        assert np.array_equal(given, part)


def test_floats_have_the_noise_of_16_bits():
    data = add_grain(plain_file(), make_grain())
    floats = decode(data, dtype=np.float32)
    assert floats.min() >= 0
    assert floats.max() <= 1
    difference = np.abs(floats - decode(data, dtype=np.uint16) / 65535)
    # A luma near an integer may be the next one, and change a block's activity a little.
    assert difference.mean() < 1e-3
    assert difference.max() < 0.02


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_threads_and_instruction_sets_change_no_bit(dtype):
    data = add_grain(plain_file(4), make_grain())
    expected = decode(data, dtype=dtype, threads=1)
    now = _native.instruction_set()
    try:
        for name in ("baseline", "avx2", "avx512"):
            if _native.select_instruction_set(name):
                assert np.array_equal(decode(data, dtype=dtype, threads=3), expected)
    finally:
        _native.select_instruction_set(now)


def test_invisible_pixels_stay_empty_and_alpha_stays():
    data = add_grain(plain_file(4), make_grain())
    smooth, drawn = decode(data, grain=False), decode(data)
    assert np.array_equal(drawn[..., 3], smooth[..., 3])
    assert not drawn[smooth[..., 3] == 0].any()


def test_the_noise_has_the_strength_that_the_levels_say():
    grain = Grain(0, 6, (64, 64, 64), np.zeros((4, 4, 5), np.uint8))
    # In each band, a level of 9: 45 · 32 / 65535 of white.
    for band in range(5):
        levels = grain.levels.copy()
        levels[..., band] = 9
        gray = np.full((256, 256, 1), 32768, np.uint16)
        # Steps of 0, 2, 7, and of 40 (counts 24) from column to column: their sums in a quarter
        # and 16 more are 16, 40, 100 and 304.
        steps = np.array([0, 2, 7, 40]).repeat(64)
        gray += (steps * (np.arange(256) % 2) * 256).astype(np.uint16)[:, None]
        noise = noise_on(gray, levels)
        assert abs(noise.mean()) < 20
        for i, root in enumerate((32, 50, 80, 139)):
            found = noise[:, 64 * i : 64 * i + 64].std()
            assert found == pytest.approx(45 * 32 * root / 64, rel=0.08)


def noise_on(pixels, levels):
    """Return what grain of these levels in cells of 64 px adds to pixels (256, 256, 1)."""
    size, noisy = (256, 256), pixels.copy()
    _native.add_grain(noisy, levels, size, 0, 6, (64, 64, 64), size, (0, 0, *size), 1)
    return noisy.astype(float) - pixels


def test_an_edge_gets_no_more_noise_than_what_is_beside_it():
    levels = np.full((4, 4, 5), 8, np.uint8)
    flat = np.full((256, 256, 1), 20000, np.uint16)
    edge = flat.copy()
    # It crosses blocks, but touches two quarters of each at most.
    edge[:, 98:] = 45000
    found, expected = noise_on(edge, levels), noise_on(flat, levels)
    assert np.array_equal(found, expected)
    foliage = flat + np.random.default_rng(0).integers(0, 8000, flat.shape).astype(np.uint16)
    assert noise_on(foliage, levels).std() > 2 * expected.std()


def test_a_part_without_whole_blocks_is_refused():
    levels = np.zeros((4, 4, 5), np.uint8)
    for crop in ((0, 4, 8, 8), (4, 0, 8, 8), (0, 0, 8, 12), (248, 0, 4, 8)):
        pixels = np.zeros((*crop[2:], 1), np.uint8)
        with pytest.raises(ValueError, match="does not fit"):
            _native.add_grain(pixels, levels, (256, 256), 0, 6, (1, 1, 1), (256, 256), crop, 1)
    pixels = np.zeros((4, 4, 1), np.uint8)
    corner = (248, 248, 4, 4)
    _native.add_grain(pixels, levels, (252, 252), 0, 6, (1, 1, 1), (252, 252), corner, 1)


def test_a_file_tells_of_its_grain():
    data = add_grain(plain_file(), make_grain())
    payload = next(c.payload for c in read_chunks(data) if c.type == TYPE)
    assert info(data).grain == len(payload)
    assert info(plain_file()).grain is None
    found = Grain.from_chunks(read_chunks(data), HEIGHT, WIDTH)
    assert np.array_equal(found.levels, make_grain().levels)
    assert (found.seed, found.cell, found.brightness) == (3, 3, (40, 70, 20))


def with_payload(payload):
    head, *others = read_chunks(plain_file())
    return write_chunks([head, Chunk(TYPE, payload), *others])


@pytest.mark.parametrize("change", [
    lambda p: b"",
    lambda p: p[:4],
    lambda p: p[:5],
    lambda p: p[:-1],
    lambda p: p + b"\0",
    lambda p: p[:1] + b"\x02" + p[2:],
    lambda p: p[:1] + b"\x09" + p[2:],
    lambda p: p[:1] + b"\x04" + p[2:],
])  # fmt: skip
def test_a_bad_chunk_is_refused(change):
    data = with_payload(change(bytes(make_grain().to_chunk().payload)))
    for read in (decode, info, lambda data: Decoder().decode(io.BytesIO(data))):
        with pytest.raises(FormatError, match="the grain does not decode"):
            read(data)
    with pytest.raises(InvalidError):
        gimg.decode(data)


def test_two_chunks_are_refused():
    head, *others = read_chunks(plain_file())
    chunk = make_grain().to_chunk()
    with pytest.raises(FormatError, match="chunk gRAN occurs twice"):
        decode(write_chunks([head, chunk, chunk, *others]))


def test_a_grain_of_too_many_cells_is_refused():
    payload = bytes([0, 3, 64, 64, 64]) + bytes(8)
    with pytest.raises(FormatError, match="the grain does not decode"):
        Grain.from_chunks([Chunk(TYPE, payload)], 2**13, 2**13)


@given(st.binary(max_size=40))
def test_both_decoders_take_the_same_chunks(rest):
    payload = bytes([1, 3, 64, 64, 64]) + rest
    try:
        plain = decode_grain(payload, HEIGHT, WIDTH)
    except InvalidError:
        with pytest.raises(FormatError):
            Grain.from_chunks([Chunk(TYPE, payload)], HEIGHT, WIDTH)
        return
    found = Grain.from_chunks([Chunk(TYPE, payload)], HEIGHT, WIDTH)
    for (row, column, band), level in plain.levels.items():
        assert found.levels[row, column, band] == level
