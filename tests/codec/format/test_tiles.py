import dataclasses

import numpy as np
import pytest

from gaussianimage.codec.format.container import Chunk
from gaussianimage.codec.format.tiles import (
    Frame,
    TileGrid,
    TileIndex,
    TilePlace,
    round_reach,
    tile_chunk,
    tile_file,
)
from gaussianimage.errors import FormatError

GRID = TileGrid(height=100, width=130, levels=2, shift=2, side=32, margin=4)


def make_index(grid: TileGrid = GRID) -> TileIndex:
    lengths = np.arange(grid.count, dtype=np.uint32) * 10
    return TileIndex(grid, 12345, 600, lengths, np.arange(grid.count, dtype=np.uint16))


def test_levels_cover_the_picture() -> None:
    assert GRID.scales == (4, 1)
    assert GRID.sizes == ((25, 33), (100, 130))
    assert GRID.shapes == ((1, 2), (4, 5))
    places = list(GRID.places())
    assert len(places) == GRID.count == 22
    assert [GRID.number(place) for place in places] == list(range(22))
    assert all(GRID.holds(place) for place in places)
    assert not GRID.holds(TilePlace(1, 4, 0))
    assert not GRID.holds(TilePlace(2, 0, 0))


def test_a_frame_is_a_tile_with_its_margin_within_the_level() -> None:
    assert GRID.frame(TilePlace(1, 1, 2)) == Frame(28, 60, 40, 40)
    assert GRID.frame(TilePlace(0, 0, 1)) == Frame(0, 28, 25, 5)
    assert GRID.frame(TilePlace(1, 3, 4)) == Frame(92, 124, 8, 6)


@pytest.mark.parametrize(
    ("size", "level"), [((25, 33), 0), ((26, 34), 0), ((27, 35), 1), ((100, 130), 1), ((1, 1), 0)]
)
def test_a_size_needs_no_finer_level_than_its_pixels(size: tuple[int, int], level: int) -> None:
    assert GRID.finest_level(*size) == level


def test_an_index_survives_its_chunk() -> None:
    index = make_index()
    chunk = index.to_chunk()
    again = TileIndex.from_chunk(chunk, 100, 130)
    assert (again.grid, again.gaussians, again.first) == (GRID, 12345, 600)
    assert np.array_equal(again.lengths, index.lengths)
    assert np.array_equal(again.reaches, index.reaches)
    assert again.offsets[0] == 600
    assert again.end == 600 + 10 * sum(range(22))


def test_a_rectangle_touches_the_tiles_whose_reach_it_meets() -> None:
    index = dataclasses.replace(
        make_index(),
        lengths=np.ones(GRID.count, np.uint32),
        reaches=np.zeros(GRID.count, np.uint16),
    )
    assert index.touching(1, (0, 0, 32, 32)) == [TilePlace(1, 0, 0)]
    assert index.touching(1, (31, 31, 33, 33)) == [
        TilePlace(1, row, column) for row in (0, 1) for column in (0, 1)
    ]
    index.reaches[GRID.number(TilePlace(1, 3, 4))] = 65
    assert TilePlace(1, 3, 4) in index.touching(1, (0, 0, 32, 64.5))
    assert TilePlace(1, 3, 4) not in index.touching(1, (0, 0, 31, 64.5))
    index.lengths[0] = 0
    assert index.touching(0, (0, 0, 25, 33)) == [TilePlace(0, 0, 1)]


@pytest.mark.parametrize(
    ("at", "value"), [(0, 0), (0, 17), (1, 0), (1, 5), (2, 0), (3, 255), (4, 200), (12, 5)]
)
def test_an_index_of_impossible_numbers_is_refused(at: int, value: int) -> None:
    payload = bytearray(make_index().to_chunk().payload)
    payload[at] = value
    with pytest.raises(FormatError):
        TileIndex.from_chunk(Chunk(b"TIDX", bytes(payload)), 100, 130)


@pytest.mark.parametrize("change", [-1, 1, -200])
def test_an_index_of_a_wrong_length_is_refused(change: int) -> None:
    payload = bytes(make_index().to_chunk().payload)
    payload = payload[:change] if change < 0 else payload + bytes(change)
    with pytest.raises(FormatError):
        TileIndex.from_chunk(Chunk(b"TIDX", payload), 100, 130)


def test_an_index_of_too_many_tiles_is_refused_before_it_is_read() -> None:
    payload = make_index().to_chunk().payload
    with pytest.raises(FormatError, match="more than"):
        TileIndex.from_chunk(Chunk(b"TIDX", payload), 2**24, 2**24)


def test_a_tile_is_found_in_its_chunk_alone() -> None:
    chunk = tile_chunk(TilePlace(1, 300, 2), b"the file")
    data, offset = tile_file(chunk, TilePlace(1, 300, 2))
    assert bytes(data) == b"the file"
    assert offset == chunk.payload_offset + 4
    with pytest.raises(FormatError, match="found tile 1/300/2"):
        tile_file(chunk, TilePlace(1, 300, 3))
    with pytest.raises(FormatError):
        tile_file(Chunk(b"LAYR", chunk.payload), TilePlace(1, 300, 2))


def test_a_reach_is_rounded_up() -> None:
    assert round_reach(0) == 1
    assert round_reach(4.9995) == 6
    assert round_reach(4.99) == 5
