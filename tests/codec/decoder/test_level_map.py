"""Maps of alpha in tiled files: at every size, in every part, and of damaged tiles."""

import functools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from plain import tiles as plain
from plain.alpha import class_at
from tiled_samples import damaged, make_tiled, read_index

from gaussianimage import TileError, _native
from gaussianimage.codec.decoder import draw_tiles
from gaussianimage.codec.decoder.decode import Decoder, decode
from gaussianimage.codec.decoder.level_map import LevelMap
from gaussianimage.codec.decoder.ranges import MemoryRanges
from gaussianimage.codec.format.alpha import AS_DRAWN, BETWEEN, OPAQUE, TRANSPARENT
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.format.tiles import TileGrid, TilePlace
from gaussianimage.errors import DamagedTileWarning, FormatError, LimitError

GRID = TileGrid(height=70, width=90, levels=3, shift=1, side=33, margin=4)
EMPTY = {TilePlace(2, 0, 1), TilePlace(2, 2, 2), TilePlace(1, 1, 1)}
BARE = {TilePlace(2, 1, 1), TilePlace(0, 0, 0)}
CLASSES = (TRANSPARENT, OPAQUE, BETWEEN)
SIZES = [None, (35, 45), (18, 23), (7, 9), (140, 180), (31, 200), (200, 31), (1, 1)]


def classes_of(place: TilePlace) -> NDArray[np.uint8]:
    """Return areas of all classes for the frame of a tile, with ragged edges."""
    frame = GRID.frame(place)
    rng = np.random.default_rng(GRID.number(place))
    coarse = rng.integers(0, 3, (-(-frame.height // 9), -(-frame.width // 9)), np.uint8)
    classes = coarse.repeat(9, 0).repeat(9, 1)[: frame.height, : frame.width].copy()
    classes[rng.uniform(size=classes.shape) < 0.02] = BETWEEN
    return classes


@functools.cache
def sample(channels: int = 2, usual: int = TRANSPARENT, bit_depth: int = 8) -> bytes:
    """Return a tiled file of which some tiles are empty and some have no map."""
    return make_tiled(
        GRID,
        channels,
        bit_depth=bit_depth,
        alpha_map=bytes([usual]),
        maps=lambda place: None if place in BARE else _native.encode_alpha_map(classes_of(place)),
        change=_without_chunks,
    )


@functools.cache
def map_of(level: int, usual: int) -> NDArray[np.uint8]:
    """Return the classes of a level of a sample, by the plain decoder."""
    return np.array(plain.decode(sample(2, usual)).alpha(level), np.uint8)


@pytest.mark.parametrize("usual", CLASSES)
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("bit_depth", [8, 16])
def test_pixels_are_those_of_the_plain_decoder(channels: int, usual: int, bit_depth: int) -> None:
    data = sample(channels, usual, bit_depth)
    expected = plain.decode(data).pixels()
    pixels = decode(data, dtype=np.uint16 if bit_depth == 16 else np.uint8).astype(np.int64)
    tolerance = 16 if bit_depth == 16 else 1
    # A pixel on a Gaussian's edge may be in it or out of it.
    assert (np.abs(pixels - expected) > tolerance).any(axis=2).sum() <= 4
    white = 2**bit_depth - 1
    for value in (0, white):
        assert np.array_equal(pixels[..., -1] == value, expected[..., -1] == value)
        assert (pixels[..., -1] == value).mean() > 0.1


@pytest.mark.parametrize("size", SIZES)
def test_classes_at_a_size_are_those_under_the_footprints(size: tuple[int, int] | None) -> None:
    data = sample(2, OPAQUE)
    height, width = size or (GRID.height, GRID.width)
    found = map_of(GRID.finest_level(height, width), OPAQUE).tolist()
    expected = np.array(
        [[class_at(found, x, y, height, width) for x in range(width)] for y in range(height)]
    )
    alpha = decode(data, size=size)[..., -1]
    without = decode(make_tiled(GRID, 2, change=_without_chunks), size=size)[..., -1]
    assert (alpha[expected == TRANSPARENT] == 0).all()
    assert (alpha[expected == OPAQUE] == 255).all()
    assert np.isin(alpha[expected == BETWEEN], range(1, 255)).all()
    assert np.array_equal(alpha[expected == AS_DRAWN], without[expected == AS_DRAWN])


def _without_chunks(place: TilePlace, chunk: bytes, reach: int) -> tuple[bytes, int]:
    return (b"", 0) if place in EMPTY else (chunk, reach)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from(range(GRID.levels)),
    st.data(),
)
def test_classes_of_a_part_are_those_of_one_map(
    height: int, width: int, level: int, data: st.DataObject
) -> None:
    """The tiles of a level together give what one map of the level gives."""
    rows = data.draw(st.integers(1, height))
    columns = data.draw(st.integers(1, width))
    top = data.draw(st.integers(0, height - rows))
    left = data.draw(st.integers(0, width - columns))
    crop = (top, left, rows, columns)
    one = map_of(level, BETWEEN)
    expected = np.zeros((rows, columns), np.uint8)
    whole = (0, 0, *one.shape)
    _native.add_alpha_sets(expected, one, whole, one.shape, (height, width), crop, 1)
    _native.alpha_sets_to_classes(expected)

    found = LevelMap(read_index(sample(2, BETWEEN)), level, (height, width), BETWEEN)
    maps = {}
    for place in found.places(crop):
        assert place not in EMPTY
        inner = np.ascontiguousarray(classes_of(place)[GRID.inside(place)])
        maps[place] = None if place in BARE else inner
    assert np.array_equal(found.classes(crop, maps, 2), expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_crop_has_the_bits_of_the_whole_picture(
    size: tuple[int, int] | None, dtype: type
) -> None:
    whole = decode(sample(), size=size, dtype=dtype)
    height, width = whole.shape[:2]
    rng = np.random.default_rng(1)
    for _ in range(8):
        top, bottom = np.sort(rng.choice(height + 1, 2, replace=False))
        left, right = np.sort(rng.choice(width + 1, 2, replace=False))
        crop = (int(top), int(left), int(bottom - top), int(right - left))
        part = decode(sample(), size=size, crop=crop, dtype=dtype)
        assert np.array_equal(part, whole[top:bottom, left:right])


def test_classes_do_not_depend_on_the_sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    for size in SIZES:
        whole = decode(sample(), size=size)[..., -1]
        with monkeypatch.context() as patch:
            patch.setattr(draw_tiles, "SHEET", 64)
            parts = decode(sample(), size=size)[..., -1]
        for value in (0, 255):
            assert np.array_equal(whole == value, parts == value)


def test_fewer_levels_have_the_map_of_the_last_one() -> None:
    for levels in range(GRID.levels + 1):
        expected = plain.decode(sample()).pixels(levels)
        pixels = decode(sample(), layers=levels)
        for value in (0, 255):
            assert np.array_equal(pixels[..., -1] == value, expected[..., -1] == value)


def test_maps_are_kept_with_their_tiles() -> None:
    decoder = Decoder()
    ranges = MemoryRanges(sample())
    first = decoder.decode(ranges)
    taken = ranges.bytes_read
    assert np.array_equal(decoder.decode(ranges), first)
    assert ranges.bytes_read - taken <= 2**16


def test_pixels_of_a_damaged_tile_have_no_class() -> None:
    place = TilePlace(2, 1, 0)
    data = damaged(sample(), place)
    with pytest.raises(TileError):
        decode(data)
    with pytest.warns(DamagedTileWarning):
        found = decode(data, partial=True)
    whole = decode(sample())

    def change(other: TilePlace, chunk: bytes, reach: int) -> tuple[bytes, int]:
        return (b"", 0) if other in EMPTY | {place} else (chunk, reach)

    drawn = decode(make_tiled(GRID, 2, change=change))
    inside = np.zeros(whole.shape[:2], bool)
    inside[GRID.side : 2 * GRID.side, : GRID.side] = True
    assert np.array_equal(found[inside], drawn[inside])
    for value in (0, 255):
        assert np.array_equal(found[~inside][..., 1] == value, whole[~inside][..., 1] == value)


@pytest.mark.parametrize(
    "payload", [b"\3", b"\0\0", _native.encode_alpha_map(np.eye(70, 90).astype("u1"))]
)
def test_a_header_with_another_map_is_refused(payload: bytes) -> None:
    with pytest.raises(FormatError, match="not one of a tiled file"):
        decode(make_tiled(GRID, 2, alpha_map=payload))


@pytest.mark.parametrize("payload", [b"\3", b"\1\2\3"])
def test_a_tile_with_a_bad_map_is_damaged(payload: bytes) -> None:
    with pytest.raises(TileError, match="the map of alpha does not decode"):
        decode(make_tiled(GRID, 2, alpha_map=b"\0", maps=lambda _: payload))


def test_a_tile_has_no_map_in_a_file_without_one() -> None:
    with pytest.raises(TileError, match="has a map of alpha, but the file has none"):
        decode(make_tiled(GRID, 2, maps=lambda _: b"\1"))


def test_the_limit_on_memory_counts_maps() -> None:
    # Maps of one class take a byte in the file, and a byte a pixel while they are decoded.
    grid = TileGrid(height=3000, width=3000, levels=1, shift=1, side=1000, margin=0)
    data = make_tiled(grid, 2, count=1, alpha_map=b"\0")
    small = Limits(max_memory=8_000_000)
    with pytest.raises(LimitError, match="maps of alpha"):
        decode(data, size=(30, 30), limits=small)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(data, size=(30, 30), limits=Limits(max_memory=10_000_000)).shape == (
            30,
            30,
            2,
        )
