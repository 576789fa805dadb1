"""Fully transparent and fully opaque pixels of pictures that are encoded by tiles."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tiled_samples import read_index

from gaussianimage import as_picture, decode, encode_tiled
from gaussianimage.codec.format.tiles import TilePlace
from gaussianimage.picture import from_array

DATA = Path(__file__).resolve().parents[2] / "data"
HEIGHT, WIDTH = 150, 200
TILE = 64


def cut_out(dtype: type = np.uint8, channels: int = 4) -> NDArray[Any]:
    """Return a photo in a soft disk, with a strip that lets half of the light through."""
    with Image.open(DATA / "parrot.png") as picture:
        small = np.asarray(picture.convert("RGB").resize((WIDTH, HEIGHT)))
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    alpha = np.clip((60 - np.hypot(y - 70, x - 90)) / 2, 0, 1)
    alpha[10:20, 150:190] = 0.5
    white = np.iinfo(dtype).max
    color = small[..., : channels - 1].astype(dtype) * (white // 255)
    return np.dstack((color, np.rint(alpha * white).astype(dtype)))


def encoded(path: Path, picture: NDArray[Any], **options: Any) -> bytes:
    encode_tiled(picture, path, **{"tile": TILE, "effort": 1, **options})
    return path.read_bytes()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_of_0_and_1_stays_so(tmp_path: Path, dtype: type, channels: int) -> None:
    picture = cut_out(dtype, channels)
    result = encode_tiled(picture, tmp_path / "a.gimg", tile=TILE, effort=1)
    pixels = decode(tmp_path / "a.gimg", dtype=dtype)
    white = np.iinfo(dtype).max
    for value in (0, white):
        assert np.array_equal(pixels[..., -1] == value, picture[..., -1] == value)
    assert (pixels[pixels[..., -1] == 0] == 0).all()
    error = from_array(pixels).pixels - as_picture(picture).pixels
    assert result.psnr == pytest.approx(-10 * np.log10(np.square(error).mean()), abs=0.05)
    assert result.psnr > 25


def test_a_smaller_picture_has_no_fringe(tmp_path: Path) -> None:
    data = encoded(tmp_path / "a.gimg", cut_out())
    height, width = 38, 50  # a quarter of the sides, which the coarse level alone draws
    small = decode(data, size=(height, width))[..., -1].astype(int)
    y, x = 4 * np.mgrid[0:height, 0:width] + 2
    away = np.hypot(y - 70, x - 90)
    strip = (np.abs(y - 15) < 11) & (np.abs(x - 170) < 26)
    assert (small[(away > 68) & ~strip] == 0).all()
    assert (small[away < 50] == 255).all()


def test_transparent_tiles_take_no_bytes(tmp_path: Path) -> None:
    data = encoded(tmp_path / "a.gimg", cut_out())
    index = read_index(data)
    last = index.grid.number(TilePlace(index.grid.levels - 1, 2, 3))
    assert index.lengths[last] == 0
    assert (decode(data)[128:, 192:] == 0).all()


def test_a_plain_picture_stays_opaque(tmp_path: Path) -> None:
    picture = np.full((HEIGHT, WIDTH, 4), (40, 90, 200, 255), np.uint8)
    data = encoded(tmp_path / "a.gimg", picture)
    assert np.abs(decode(data).astype(int) - picture).max() <= 1
    assert (decode(data)[..., 3] == 255).all()
    picture[: TILE + 9] = 0
    data = encoded(tmp_path / "b.gimg", picture)
    assert np.array_equal(decode(data)[..., 3], picture[..., 3])


def test_a_transparent_picture_has_no_tiles(tmp_path: Path) -> None:
    picture = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    picture[..., :3] = 200
    data = encoded(tmp_path / "a.gimg", picture)
    assert not read_index(data).lengths.any()
    assert (decode(data) == 0).all()


def test_work_that_goes_on_gives_the_same_file(tmp_path: Path) -> None:
    picture = cut_out()
    whole = encoded(tmp_path / "whole.gimg", picture)
    done = 0

    def stop(_: object) -> None:
        nonlocal done
        done += 1
        if done == 9:
            raise KeyboardInterrupt

    path = tmp_path / "a.gimg"
    with pytest.raises(KeyboardInterrupt):
        encode_tiled(picture, path, tile=TILE, effort=1, progress=stop)
    assert encoded(path, picture) == whole
