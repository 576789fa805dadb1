"""Deep Zoom Images as files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples import sample
from tiled_samples import GRID, damaged, make_tiled

from gaussianimage import DamagedTileWarning, TileError, decode
from gaussianimage.codec.format.tiles import TilePlace
from gaussianimage.deepzoom import static
from gaussianimage.deepzoom.picture_tiles import PictureTiles
from gaussianimage.deepzoom.static import write_dzi

DATA = make_tiled()


@pytest.mark.parametrize("data", [DATA, sample()])
def test_tiles_are_parts_of_the_picture_at_each_size(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.gimg").write_bytes(data)
    tiles = PictureTiles(tmp_path / "a.gimg", extension="png", tile=60)
    count = write_dzi(tiles, tmp_path / "b.dzi", threads=2)
    assert (tmp_path / "b.dzi").read_text() == tiles.pyramid.to_xml("png")
    found = sorted((tmp_path / "b_files").rglob("*.png"))
    assert len(found) == count
    for path in found:
        level = int(path.parent.name)
        column, row = map(int, path.stem.split("_"))
        top, left, height, width = tiles.pyramid.box(level, column, row)
        whole = decode(data, size=tiles.pyramid.size(level))
        with Image.open(path) as tile:
            pixels = np.asarray(tile)
        assert np.array_equal(pixels, whole[top : top + height, left : left + width])
        assert tiles.tile(level, column, row) == path.read_bytes()


def test_tiles_that_are_there_are_replaced_only_if_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.gimg").write_bytes(DATA)
    tiles = PictureTiles(tmp_path / "a.gimg")
    write_dzi(tiles, tmp_path / "a.dzi")
    (tmp_path / "a_files/extra").write_text("")
    with pytest.raises(FileExistsError, match="a_files is there already"):
        write_dzi(tiles, tmp_path / "a.dzi")
    write_dzi(tiles, tmp_path / "a.dzi", overwrite=True)
    assert not (tmp_path / "a_files/extra").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.dzi", "a.gimg", "a_files"]


def test_nothing_is_left_of_a_picture_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.gimg").write_bytes(damaged(DATA, TilePlace(2, 3, 3)))
    with pytest.raises(TileError):
        write_dzi(PictureTiles(tmp_path / "a.gimg"), tmp_path / "a.dzi")
    assert [path.name for path in tmp_path.iterdir()] == ["a.gimg"]
    with pytest.warns(DamagedTileWarning):
        write_dzi(PictureTiles(tmp_path / "a.gimg", partial=True), tmp_path / "a.dzi")
    before = (tmp_path / "a.dzi").read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(static.Path, "write_bytes", fail)
    whole = PictureTiles(tmp_path / "a.gimg", partial=True)
    with pytest.raises(OSError, match="No space"), pytest.warns(DamagedTileWarning):
        write_dzi(whole, tmp_path / "a.dzi", overwrite=True)
    assert (tmp_path / "a.dzi").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_the_number_of_tiles_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.gimg").write_bytes(DATA)
    news: list[tuple[int, int]] = []
    tiles = PictureTiles(tmp_path / "a.gimg", tile=64)
    count = write_dzi(tiles, tmp_path / "a.dzi", progress=lambda *now: news.append(now))
    assert news[-1] == (count, count)
    assert tiles.pyramid.shape(tiles.pyramid.levels - 1) == (3, 4)
    assert GRID.height == tiles.pyramid.height
