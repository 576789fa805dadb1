"""Tiled files decode as others do, from no more than the tiles that are drawn."""

import contextlib
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import tiles as plain
from plain.appendix import TEXT
from tiled_samples import GRID, damaged, make_tiled, read_index, tile_of

from gaussianimage import DamagedTileWarning, TileError, decode_picture, info, thumbnail
from gaussianimage.codec.decoder import draw_tiles
from gaussianimage.codec.decoder.decode import Decoder, decode, decode_gaussians
from gaussianimage.codec.decoder.ranges import FileRanges, MemoryRanges
from gaussianimage.codec.format.container import require_known
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.tiles import TileGrid, TilePlace
from gaussianimage.errors import (
    FormatError,
    GaussianImageError,
    LimitError,
    TruncatedError,
    UnsupportedError,
)
from gaussianimage.rendering import render

DATA = make_tiled()
SIZES = [None, (75, 105), (38, 53), (10, 14), (310, 450), (31, 400), (400, 31)]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_are_those_of_the_plain_decoder(channels: int) -> None:
    grid = TileGrid(height=60, width=85, levels=2, shift=1, side=40, margin=3)
    data = make_tiled(grid, channels, seed=3)
    expected = plain.decode(data).pixels()
    pixels = decode(data).reshape(expected.shape)
    wrong = np.abs(pixels.astype(np.int64) - expected) > 1
    # A pixel on a Gaussian's edge may be in it or out of it.
    assert wrong.any(axis=2).sum() <= 4


def test_the_example_of_the_format_decodes_to_the_picture_of_the_other_example() -> None:
    blocks = {
        number: TEXT.split(f"\n### {number} An example\n")[1].split("```")[1].replace("\n", " ")
        for number in ("4.8", "8.7")
    }
    tiled, single = bytes.fromhex(blocks["8.7"]), bytes.fromhex(blocks["4.8"])
    told = re.search(r"A file of (\d+) bytes", TEXT.split("\n### 8.7")[1])
    assert told is not None
    assert len(tiled) == int(told[1])
    assert np.array_equal(decode(tiled), decode(single))
    assert np.array_equal(plain.decode(tiled).pixels(), decode(single))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_crop_has_the_bits_of_the_whole_picture(
    size: tuple[int, int] | None, dtype: type
) -> None:
    whole = decode(DATA, size=size, dtype=dtype)
    height, width = whole.shape[:2]
    rng = np.random.default_rng(1)
    for _ in range(8):
        top, bottom = np.sort(rng.choice(height + 1, 2, replace=False))
        left, right = np.sort(rng.choice(width + 1, 2, replace=False))
        crop = (int(top), int(left), int(bottom - top), int(right - left))
        part = decode(DATA, size=size, crop=crop, dtype=dtype)
        assert np.array_equal(part, whole[top:bottom, left:right])


def test_a_drawing_is_that_of_all_gaussians_at_once() -> None:
    gaussians = decode_gaussians(DATA)
    assert len(gaussians) == 1 + info(DATA).gaussians
    expected = render(gaussians, dtype=np.uint8)
    assert np.abs(decode(DATA).astype(int) - expected).max() <= 1


def test_a_smaller_picture_is_that_of_its_levels_alone() -> None:
    # At the size of the middle level, the finest one is not drawn.
    height, width = GRID.sizes[1]
    gaussians = decode_gaussians(DATA, layers=2).scaled((height, width))
    small = decode(DATA, size=(height, width))
    assert np.abs(small.astype(int) - render(gaussians, dtype=np.uint8)).max() <= 1
    # Smaller still, it is anti-aliased as any picture is.
    half = decode(DATA, size=(height // 2, width // 2))
    expected = render(gaussians, size=(height // 2, width // 2), dtype=np.uint8)
    # The level is a little larger than a quarter of the picture, so it is blurred a little more.
    assert np.abs(half.astype(int) - expected).max() <= 2


def test_the_picture_does_not_depend_on_the_sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = decode(DATA, dtype=np.float32)
    monkeypatch.setattr(draw_tiles, "SHEET", 64)
    assert np.abs(decode(DATA, dtype=np.float32) - whole).max() < 1e-5
    crop = decode(DATA, crop=(50, 60, 70, 80), dtype=np.float32)
    assert np.array_equal(crop, decode(DATA, dtype=np.float32)[50:120, 60:140])


def test_a_side_may_be_longer_than_what_is_drawn_at_once() -> None:
    grid = TileGrid(height=40, width=70_000, levels=4, shift=4, side=2048, margin=2)
    data = make_tiled(grid, count=40)
    part = decode(data, crop=(10, 69_000, 20, 1000))
    around = decode(data, crop=(0, 65_000, 40, 5000))
    assert np.array_equal(part, around[10:30, 4000:])
    assert part.std() > 1
    assert thumbnail(data, 500).shape == (1, 500, 3)
    with pytest.raises(LimitError, match="65536 a side"):
        decode_gaussians(data)


def test_threads_do_not_change_pixels() -> None:
    assert np.array_equal(decode(DATA, threads=1), decode(DATA, threads=3))


def test_layers_are_levels() -> None:
    assert info(DATA).layers == 3
    background = decode(DATA, layers=0)
    assert (background == background[0, 0]).all()
    for count in (1, 2, 3):
        expected = plain.decode(DATA).pixels(count)
        wrong = np.abs(decode(DATA, layers=count).astype(int) - expected).max(axis=2) > 1
        assert wrong.sum() <= 8
    with pytest.raises(ValueError, match="layers: expected 0 to 3"):
        decode(DATA, layers=4)


class Counting(io.BytesIO):
    """A stream that counts the bytes that are read."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def test_only_the_tiles_that_are_drawn_are_read(tmp_path: Path) -> None:
    grid = TileGrid(height=1280, width=1280, levels=2, shift=3, side=64, margin=2)
    data = make_tiled(grid, count=600)
    index = read_index(data)
    place = TilePlace(1, 3, 4)
    crop = (3 * 64 + 20, 4 * 64 + 20, 8, 8)
    needed = [p for level in (0, 1) for p in index.touching(level, _box(crop, grid, level))]
    assert place in needed
    size = sum(int(index.lengths[grid.number(p)]) for p in needed)
    assert size < len(data) / 4
    whole = decode(data)
    path = tmp_path / "big.gimg"
    path.write_bytes(data)
    stream = Counting(data)
    with FileRanges(path) as ranges:
        for source in (path, stream, ranges):
            part = decode(source, crop=crop)
            assert np.array_equal(part, whole[crop[0] : crop[0] + 8, crop[1] : crop[1] + 8])
    assert stream.taken <= size + 2**16 + 4096
    assert ranges.bytes_read <= size + 2**16
    assert stream.tell() != len(data)


def _box(
    crop: tuple[int, int, int, int], grid: TileGrid, level: int
) -> tuple[float, float, float, float]:
    """Return the cells of the renderer around a crop, in pixels of a level, and a little more."""
    top, left, height, width = crop
    scale = grid.scales[level]
    bottom = -(-(top + height) // 256) * 256
    top -= top % 256
    return (top - 3) / scale, (left - 11) / scale, (bottom + 3) / scale, (left + width + 11) / scale


def test_a_decoder_reads_a_tile_once(tmp_path: Path) -> None:
    path = tmp_path / "big.gimg"
    path.write_bytes(DATA)
    decoder = Decoder()
    index = read_index(DATA)
    with FileRanges(path) as ranges:
        first = decoder.decode(ranges)
        taken = ranges.bytes_read
        assert taken >= index.end - index.first
        assert np.array_equal(decoder.decode(ranges), first)
        assert ranges.bytes_read - taken <= 2**16
    # A file that has changed is read anew.
    path.write_bytes(make_tiled(seed=9))
    assert not np.array_equal(decoder.decode(path), first)


def test_an_array_for_the_pixels_is_filled() -> None:
    out = np.empty((20, 30, 3), np.uint8)
    assert Decoder().decode(DATA, out, crop=(5, 6, 20, 30)) is out
    assert np.array_equal(out, decode(DATA)[5:25, 6:36])


def test_metadata_and_info_are_read_without_the_tiles() -> None:
    kept = Metadata(icc=b"i" * 90, exif=b"MM\0*\0\0\0\x08\0\0\0\0\0\0", xmp=b"<x/>")
    data = make_tiled(metadata=kept, bit_depth=16)
    ranges = MemoryRanges(damaged(data, TilePlace(0, 0, 0)))
    found = info(ranges)
    assert (found.height, found.width, found.icc, found.bit_depth) == (150, 210, 90, 16)
    assert found.tiles is not None
    assert found.tiles.levels == ((10, 14), (38, 53), (150, 210))
    assert sum(found.tiles.level_bytes) < found.bytes == len(data)
    picture = decode_picture(data, size=(15, 21))
    assert (picture.icc, picture.exif, picture.xmp) == (kept.icc, kept.exif, kept.xmp)
    assert np.array_equal(np.asarray(picture), decode(data, size=(15, 21), dtype=np.uint16))


def test_a_thumbnail_needs_only_the_coarse_levels() -> None:
    data = damaged(DATA, TilePlace(2, 0, 0))
    small = thumbnail(data, 53)
    assert np.array_equal(small, decode(DATA, size=(38, 53)))


# -- Damage --------------------------------------------------------------------------------------


def test_a_damaged_tile_has_an_error_of_its_own() -> None:
    place = TilePlace(2, 1, 2)
    data = damaged(DATA, place)
    with pytest.raises(TileError, match=r"tile 2/1/2: .*CRC") as caught:
        decode(data)
    assert caught.value.place == place
    assert caught.value.offset == read_index(data).offsets[GRID.number(place)]
    with pytest.raises(TileError):
        decode(data, crop=(50, 90, 10, 10))


def test_the_rest_of_a_damaged_file_is_drawn() -> None:
    place = TilePlace(2, 1, 2)
    data = damaged(DATA, place)
    without = make_tiled(change=lambda p, chunk, reach: (b"", 0) if p == place else (chunk, reach))
    with pytest.warns(DamagedTileWarning, match="tile 2/1/2"):
        pixels = decode(data, partial=True)
    assert np.array_equal(pixels, decode(without))


def test_a_file_that_is_cut_off_is_drawn_as_far_as_it_goes() -> None:
    cut = DATA[: int(read_index(DATA).offsets[-2])]
    with pytest.raises(TruncatedError, match="cut off"):
        decode(cut)
    assert not info(cut, partial=True).complete
    with pytest.warns(DamagedTileWarning):
        pixels = decode(cut, partial=True)
    last = list(GRID.places())[-1]
    without = make_tiled(change=lambda p, chunk, reach: (b"", 0) if p == last else (chunk, reach))
    assert np.array_equal(pixels, decode(without))


@pytest.mark.parametrize("end", [0, 5, 20, 45, 60, 200])
def test_a_file_without_a_whole_index_is_truncated(end: int) -> None:
    with pytest.raises(TruncatedError):
        decode(DATA[:end], partial=True)


def test_bytes_behind_the_end_are_refused() -> None:
    with pytest.raises(FormatError, match="follow the end"):
        decode(DATA + b"x")


@pytest.mark.parametrize(
    ("grid", "channels", "expected"),
    [
        (TileGrid(150, 210, 3, 2, 40, 5), 3, "height, width, channels and q_max"),
        (GRID, 1, "height, width, channels and q_max"),
    ],
)
def test_a_tile_of_another_picture_is_refused(grid: TileGrid, channels: int, expected: str) -> None:
    place = TilePlace(2, 1, 1)
    other, reach = tile_of(grid, place, channels)
    data = make_tiled(change=lambda p, *tile: (other, reach) if p == place else tile)
    with pytest.raises(TileError, match=expected):
        decode(data)


def test_a_tile_of_another_place_is_refused() -> None:
    other = tile_of(GRID, TilePlace(2, 1, 2))
    data = make_tiled(change=lambda p, *tile: other if p == (2, 2, 2) else tile)
    with pytest.raises(TileError, match="expected the chunk of tile 2/2/2, found tile 2/1/2"):
        decode(data)


def test_a_tile_that_reaches_too_far_is_refused() -> None:
    data = make_tiled(change=lambda p, chunk, reach: (chunk, min(reach, 3)))
    with pytest.raises(TileError, match="reaches farther than 3 pixels"):
        decode(data)
    with pytest.raises(plain.InvalidError, match="reaches too far"):
        plain.decode(data)


def test_a_reader_without_tiles_says_what_it_lacks() -> None:
    from gaussianimage.codec.format.container import read_chunks

    chunks = read_chunks(DATA)
    with pytest.raises(UnsupportedError, match=r"chunk TIDX at byte .* does not know it"):
        require_known(chunks, (b"HEAD", b"LAYR"))


def test_gaussians_of_coarse_tiles_beside_a_part_are_no_work() -> None:
    # A tile of the coarsest level covers the whole picture, and the part a 256th of it.
    grid = TileGrid(height=4096, width=4096, levels=3, shift=3, side=512, margin=2)
    data = make_tiled(grid, count=200)
    crop = (1000, 1000, 256, 256)
    assert decode(data, crop=crop, limits=Limits(max_work=600_000)).shape == (256, 256, 3)
    with pytest.raises(LimitError, match="max_work"):
        decode(data, crop=crop, limits=Limits(max_work=400_000))


def test_limits_apply_to_what_is_drawn() -> None:
    crop = (0, 0, 8, 8)
    small = Limits(max_pixels=3000, max_gaussians=500)
    assert decode(DATA, crop=crop, limits=small).shape == (8, 8, 3)
    with pytest.raises(LimitError, match="max_gaussians"):
        decode(DATA, crop=crop, limits=Limits(max_gaussians=10))
    with pytest.raises(LimitError, match="max_output"):
        decode(DATA, limits=Limits(max_output=1000))
    with pytest.raises(LimitError, match="max_work"):
        decode(DATA, limits=Limits(max_work=3000))
    with pytest.raises(LimitError, match="the work to read 27 tiles"):
        decode(DATA, limits=Limits(max_work=10**6))
    with pytest.raises(LimitError, match="the work to read 27 tiles"):
        decode_gaussians(DATA, limits=Limits(max_work=10**6))
    with pytest.raises(LimitError, match="max_metadata"):
        info(make_tiled(metadata=Metadata(xmp=b"x" * 900)), limits=Limits(max_metadata=100))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, len(DATA) - 1), st.integers(1, 255)), min_size=1))
def test_damaged_bytes_never_crash(changes: list[tuple[int, int]]) -> None:
    data = bytearray(DATA)
    for at, mask in changes:
        data[at] ^= mask
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamagedTileWarning)
        for partial in (False, True):
            with contextlib.suppress(GaussianImageError):
                decode(bytes(data), size=(20, 28), partial=partial)
