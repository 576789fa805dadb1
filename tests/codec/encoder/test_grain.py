import numpy as np
import pytest
from plain import grain as plain_grain

from gaussianimage import decode, encode, encode_with_result, info
from gaussianimage.codec.encoder.grain import (
    BOUNDS,
    ENOUGH,
    FRAME_BYTES,
    _activity,
    _bands,
    _luma,
    _measure,
    _restored,
    _strengths,
    add_grain,
    describe_grain,
)
from gaussianimage.codec.format.grain import DEVIATIONS, USUAL_ACTIVITY, Grain, cells

SIDE = 256


def textured(side=SIDE, strength=0.06):
    """Return a smooth picture, and the same with white noise in its right half."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:side, :side] / side
    smooth = np.repeat((0.3 + 0.4 * x * y)[..., None], 3, axis=2).astype(np.float32)
    noise = rng.normal(0, strength, (side, side)) * (x > 0.5)
    return smooth, np.clip(smooth + noise[..., None], 0, 1).astype(np.float32)


def test_a_flat_plane_is_in_no_band():
    assert np.abs(_bands(np.full((40, 40), 0.3, np.float32))).max() < 1e-6


def test_bands_and_what_is_below_them_add_up():
    plane = np.random.default_rng(2).uniform(size=(64, 64)).astype(np.float32)
    rest = plane - _bands(plane).sum(axis=0)
    # What is left is smooth, but for the diagonal streaks of two pixels.
    assert np.abs(np.diff(rest, axis=0)).max() < 0.2 * np.abs(np.diff(plane, axis=0)).max()


def test_streaks_are_in_the_band_of_their_direction():
    x = np.broadcast_to(np.arange(64), (64, 64)) % 4 < 2
    vertical = _bands(x.astype(np.float32)).var(axis=(1, 2))
    horizontal = _bands(x.T.astype(np.float32)).var(axis=(1, 2))
    assert vertical.argmax() == 1
    assert horizontal.argmax() == 0
    assert np.allclose(vertical[[1, 0, 2, 4, 3]], horizontal, atol=1e-6)


def test_texture_that_lacks_is_described_where_it_lacks():
    smooth, source = textured()
    grain = describe_grain(source, smooth, 1000)
    assert grain.cell == 5
    left, right = grain.levels[:, :4], grain.levels[:, 4:]
    assert not left.any()
    assert right.all()
    # Never above what lacks, and at most two levels (an octave) below.
    lacking = _bands(_luma(source) - _luma(smooth))[:, 8:-8, SIDE // 2 + 8 : -8].std(axis=(1, 2))
    active = _activity(_luma(smooth))[:, SIDE // 16 :].mean()
    drawn = np.sqrt(active / USUAL_ACTIVITY) * DEVIATIONS[right[:, 1:]].mean(axis=(0, 1))
    assert (drawn < 1.1 * lacking).all()
    assert (drawn > lacking / 2).all()


def test_grain_restores_most_of_the_energy():
    smooth, source = textured()
    data = encode(smooth, effort=1, quality=70)
    grain = describe_grain(source, decode(data), 1000)
    drawn = decode(add_grain(data, grain), dtype=np.float32)
    right = np.s_[:, 8:-8, SIDE // 2 + 40 : -8]
    energy, wanted = (
        (_bands(_luma(pixels))[right] ** 2).mean(axis=(1, 2)) for pixels in (drawn, source)
    )
    assert (energy[:3] < 1.1 * wanted[:3]).all()
    assert energy[:3].sum() > 0.6 * wanted[:3].sum()


def test_noise_is_weaker_where_the_source_has_less():
    smooth, _ = textured()
    rng = np.random.default_rng(3)
    # Waves that every cell has some of, so that the place says nothing.
    smooth[:] = 0.5 - 0.45 * np.cos(np.arange(SIDE) * 2 * np.pi / 64)[:, None, None]
    noise = rng.normal(0, 0.05, (SIDE, SIDE)) * (1 - smooth[..., 0])
    source = np.clip(smooth + noise[..., None], 0, 1).astype(np.float32)
    dark, middle, light = describe_grain(source, smooth, 60).brightness
    assert dark > middle > light


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_encoder_knows_the_activity_that_decoders_find(dtype):
    rng = np.random.default_rng(4)
    strength = np.linspace(0, 60, 64)[:, None, None]
    pixels = np.clip(rng.normal(128, strength, (64, 48, 3)), 0, 255).astype(np.uint8)
    colors = pixels.astype(np.int64)
    lumas = plain_grain.luma(colors, deep=False)
    expected = [
        [plain_grain.activity(lumas[y : y + 8, x : x + 8]) for x in range(0, 48, 8)]
        for y in range(0, 64, 8)
    ]
    given = {
        np.uint8: pixels,
        np.uint16: pixels.astype(np.uint16) * 257,
        np.float32: pixels.astype(np.float32) / 255,
    }[dtype]
    assert np.array_equal(_activity(_luma(given)), expected)
    assert np.ptp(expected) > 400


def test_coarse_texture_of_high_contrast_gets_wider_bounds():
    smooth, _ = textured()
    rng = np.random.default_rng(5)
    # Few blocks have most of the energy.
    strength = rng.exponential(1, (SIDE // 8, SIDE // 8)) ** 3
    noise = rng.normal(0, 0.03, (SIDE, SIDE)) * strength.repeat(8, 0).repeat(8, 1)
    source = np.clip(smooth + noise[..., None], 0, 1).astype(np.float32)
    blocks = _measure(source, smooth)
    narrow, wide = (_strengths(blocks, 4, *bounds) for bounds in (BOUNDS[0], BOUNDS[-1]))
    restored = [_restored(blocks, *found, 4) for found in (narrow, wide)]
    assert restored[0] < restored[1] < ENOUGH
    assert np.array_equal(describe_grain(source, smooth, 1000).levels, wide[0])


def test_no_texture_no_grain():
    smooth, _ = textured()
    assert describe_grain(smooth, smooth, 1000) is None
    assert describe_grain(smooth[:12], smooth[:12], 1000) is None


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_gray_and_alpha(channels):
    smooth, source = textured(128)
    parts = [picture[..., :1] if channels < 3 else picture for picture in (source, smooth)]
    if channels % 2 == 0:
        parts = [np.concatenate((part, np.ones_like(part[..., :1])), axis=2) for part in parts]
    assert describe_grain(*parts, 1000).levels.any()


def test_a_size_sets_the_cells():
    smooth, source = textured()
    sizes = [describe_grain(source, smooth, most) for most in (500, 60, 30)]
    assert [grain.cell for grain in sizes] == sorted({grain.cell for grain in sizes})
    for grain, most in zip(sizes, (500, 60, 30), strict=True):
        assert len(grain.to_chunk().payload) + FRAME_BYTES <= most
    assert describe_grain(source, smooth, 20) is None


def test_encode_puts_grain_into_the_file():
    _, source = textured(96)
    with_it = encode_with_result(source, effort=1, size=2500, grain=True)
    assert len(with_it.data) <= 2500
    assert info(with_it.data).grain
    assert with_it.psnr == pytest.approx(
        10 * np.log10(1 / np.mean((decode(with_it.data, grain=False) / 255 - source) ** 2)), abs=0.1
    )
    assert decode(with_it.data).std() > decode(with_it.data, grain=False).std()
    assert info(encode(source, effort=1, gaussians=20)).grain is None


@pytest.mark.parametrize("shape", [(70, 96), (96, 100), (131, 70), (65, 65), (40, 257)])
def test_sizes_whose_last_cells_have_no_whole_block(shape):
    rng = np.random.default_rng(6)
    source = np.clip(rng.normal(128, 40, (*shape, 3)), 0, 255).astype(np.uint8)
    smooth = np.full_like(source, 128)
    grain = describe_grain(source, smooth, 1000)
    assert grain.levels.shape[:2] == tuple(cells(side, grain.cell) for side in shape)
    assert grain.levels.any(axis=2).all()
    data = add_grain(encode(smooth, effort=1, quality=10), grain)
    assert (decode(data) != decode(data, grain=False)).any(axis=(0, 1)).all()


def test_a_flat_picture_has_no_grain():
    flat = np.full((100, 70, 3), 90, np.uint8)
    assert describe_grain(flat, flat, 1000) is None
    assert describe_grain(flat, flat + np.uint8(1), 1000) is None


def test_a_chunk_comes_back():
    levels = np.random.default_rng(0).integers(0, 16, (7, 3, 5)).astype(np.uint8)
    grain = Grain(200, 4, (0, 255, 64), levels)
    found = Grain.from_chunks([grain.to_chunk()], 100, 48)
    assert np.array_equal(found.levels, levels)
    assert (found.seed, found.cell, found.brightness) == (200, 4, (0, 255, 64))


def test_levels_out_of_range_are_refused():
    with pytest.raises(ValueError, match="above 15"):
        Grain(0, 4, (1, 1, 1), np.full((2, 2, 5), 16, np.uint8)).to_chunk()
