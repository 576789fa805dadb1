"""Pictures that are read by rows: arrays of several kinds, files, and what libvips reads."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gaussianimage.codec.tiled.rows import BLOCK, RowReader, open_rows
from gaussianimage.errors import PictureError

RNG = np.random.default_rng(6)
PICTURE = RNG.integers(0, 256, (2 * BLOCK + 30, 20, 3)).astype(np.uint8)


def samples(reader: RowReader) -> np.ndarray:
    blocks = list(reader.blocks())
    assert [len(block) for block in blocks] == [BLOCK, BLOCK, 30]
    return np.concatenate(blocks)


def test_an_array_is_read_in_blocks_as_often_as_asked() -> None:
    with open_rows(PICTURE) as reader:
        assert (reader.height, reader.width, reader.channels) == PICTURE.shape
        assert np.array_equal(samples(reader), PICTURE)
        assert np.array_equal(samples(reader), PICTURE)
    with open_rows(PICTURE[..., 0].astype(np.uint16)) as reader:
        assert (reader.channels, reader.bit_depth) == (1, 16)
        assert np.array_equal(samples(reader)[..., 0], PICTURE[..., 0])


def test_a_zarr_array_is_read_in_blocks() -> None:
    zarr = pytest.importorskip("zarr")
    array = zarr.array(PICTURE, chunks=(64, 10, 3))
    with open_rows(array) as reader:
        assert np.array_equal(samples(reader), PICTURE)


def test_an_npy_file_is_mapped(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", PICTURE)
    with open_rows(tmp_path / "a.npy") as reader:
        assert np.array_equal(samples(reader), PICTURE)


def test_other_files_are_read_as_a_whole_without_vips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyvips", None)
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    with open_rows(tmp_path / "a.png") as reader:
        assert np.array_equal(samples(reader), PICTURE)


@pytest.mark.parametrize("extension", ["png", "tif", "ppm", "webp"])
def test_vips_reads_files_by_rows(tmp_path: Path, extension: str) -> None:
    pytest.importorskip("pyvips")
    path = tmp_path / f"a.{extension}"
    options = {"lossless": True} if extension == "webp" else {}
    Image.fromarray(PICTURE).save(path, **options)
    with open_rows(path) as reader:
        assert np.array_equal(samples(reader), PICTURE)
        assert np.array_equal(samples(reader), PICTURE)


def test_vips_reads_tiled_tiff_and_sixteen_bits(tmp_path: Path) -> None:
    pyvips = pytest.importorskip("pyvips")
    deep = PICTURE.astype(np.uint16) * 257
    path = tmp_path / "a.tif"
    pyvips.Image.new_from_array(deep).write_to_file(
        str(path), tile=True, tile_width=128, tile_height=128, compression="deflate"
    )
    with open_rows(path) as reader:
        assert reader.bit_depth == 16
        assert np.array_equal(samples(reader), deep)


def test_vips_files_that_end_early_are_told(tmp_path: Path) -> None:
    pytest.importorskip("pyvips")
    path = tmp_path / "a.png"
    Image.fromarray(PICTURE).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_rows(path) as reader, pytest.raises(PictureError, match=r"a\.png"):
        samples(reader)
    path.write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"a\.png"), open_rows(path):
        pass


def test_a_picture_that_is_stored_turned_is_read_upright(tmp_path: Path) -> None:
    picture = Image.fromarray(PICTURE)
    exif = picture.getexif()
    exif[0x0112] = 3
    picture.save(tmp_path / "a.png", exif=exif)
    with open_rows(tmp_path / "a.png") as reader:
        assert np.array_equal(samples(reader), PICTURE[::-1, ::-1])
