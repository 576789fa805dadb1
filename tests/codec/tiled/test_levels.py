import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.tiles import Frame, TileGrid
from gaussianimage.codec.tiled.levels import (
    CoarseLevels,
    LevelRows,
    Window,
    checksum,
    reduce_pixels,
)
from gaussianimage.codec.tiled.rows import RowReader, Samples
from gaussianimage.errors import PictureError

RNG = np.random.default_rng(5)
PICTURE = RNG.integers(0, 256, (700, 45, 3)).astype(np.uint8)


def reader_of(picture: Samples, block: int = 64) -> RowReader:
    def blocks() -> Iterator[Samples]:
        for top in range(0, len(picture), block):
            yield picture[top : top + block]

    height, width, channels = PICTURE.shape
    return RowReader(height, width, channels, 8, Metadata(), blocks)


def test_a_pixel_of_a_coarser_level_is_a_mean() -> None:
    grid = TileGrid(700, 45, 3, 2, 64, 4)
    levels = CoarseLevels.make(reader_of(PICTURE), grid, 75)
    middle = levels.read(1, 0, 175)
    pixels = PICTURE / np.float32(255)
    assert middle.shape == (175, 12, 3)
    assert middle[7, 3] == pytest.approx(pixels[28:32, 12:16].mean(axis=(0, 1)), abs=2e-5)
    assert middle[9, 11] == pytest.approx(pixels[36:40, 44:].mean(axis=(0, 1)), abs=2e-5)
    coarse = levels.read(0, 40, 44)
    assert coarse[3, 1] == pytest.approx(middle[172:, 4:8].mean(axis=(0, 1)), abs=4e-5)
    assert levels.statistics.mean == pytest.approx(pixels.mean(axis=(0, 1)), abs=1e-6)
    assert levels.statistics.contrast == pytest.approx(pixels.std(axis=(0, 1)).mean(), abs=1e-3)
    levels.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_told_with_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "wb", 0))  # noqa: PTH123, SIM115
    rows = LevelRows(45, 3, tmp_path)
    with pytest.raises(OSError, match="No space left on device") as caught:
        rows.append(np.zeros((9, 45, 3), np.float32))
    assert caught.value.filename == str(tmp_path)
    rows.close()


@pytest.mark.parametrize("factor", [2, 4, 16])
def test_means_do_not_depend_on_the_blocks_of_rows(factor: int) -> None:
    pixels = RNG.random((50, 37, 2), np.float32)
    means = reduce_pixels(pixels, factor)
    assert means.shape == (-(-50 // factor), -(-37 // factor), 2)
    assert means[-1, -1] == pytest.approx(
        pixels[50 // factor * factor - factor * (50 % factor == 0) :, 37 // factor * factor :].mean(
            axis=(0, 1)
        ),
        abs=1e-6,
    )


def test_a_window_gives_the_rows_that_are_asked_for() -> None:
    sums = [checksum(PICTURE[top : top + 64]) for top in range(0, 700, 64)]
    window = Window(reader_of(PICTURE), sums)
    for top, bottom in ((0, 100), (10, 130), (120, 300), (130, 300), (600, 700)):
        window.keep(top, bottom)
        frame = Frame(top + 3, 5, bottom - top - 3, 30)
        assert np.array_equal(window.crop(frame), PICTURE[top + 3 : bottom, 5:35])


def test_a_window_tells_rows_that_have_changed() -> None:
    sums = [checksum(PICTURE[top : top + 64]) for top in range(0, 700, 64)]
    changed = PICTURE.copy()
    changed[200, 3] ^= 1
    window = Window(reader_of(changed), sums)
    window.keep(0, 192)
    with pytest.raises(PictureError, match="rows from 192 differ"):
        window.keep(100, 193)
    window = Window(reader_of(PICTURE[:300]), sums)
    with pytest.raises(PictureError, match=r"rows from 256 differ"):
        window.keep(0, 400)
    window = Window(reader_of(PICTURE[:256]), sums)
    with pytest.raises(PictureError, match="ends early: 256 rows of 700"):
        window.keep(0, 400)
