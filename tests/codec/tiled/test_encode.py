"""Encoding by tiles: quality, seams, memory, interruptions and bad input."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from plain import tiles as plain
from tiled_samples import read_index

import gaussianimage
from gaussianimage import (
    GaussianImageError,
    PictureError,
    Progress,
    as_picture,
    decode,
    decode_gaussians,
    encode_tiled,
    info,
    render,
)
from gaussianimage.codec.encoder.local_contrast import EXCESS, worst_excess
from gaussianimage.codec.encoder.rate_model import step_for_picture, step_for_quality
from gaussianimage.codec.tiled import encode as module
from gaussianimage.codec.tiled import tile_job
from gaussianimage.codec.tiled.encode import plan_grid
from gaussianimage.codec.tiled.fit_tile import TileResult
from gaussianimage.codec.tiled.levels import to_pixels
from gaussianimage.codec.tiled.rows import open_rows
from gaussianimage.codec.tiled.statistics import PictureStatistics
from gaussianimage.metrics import psnr

DATA = Path(__file__).resolve().parents[2] / "data"
TILE = 64


def photo(name: str) -> NDArray[np.uint8]:
    with Image.open(DATA / f"{name}.png") as picture:
        return np.asarray(picture.convert("RGB"))


def mosaic(height: int, width: int) -> NDArray[np.uint8]:
    """Return four small photos side by side, cut to a size."""
    top = np.concatenate([photo("bikes"), photo("parrot"), photo("stream")], axis=1)
    bottom = np.concatenate([photo("plane"), photo("stream"), photo("bikes")], axis=1)
    return np.concatenate([top, bottom, top[::-1]])[:height, :width]


PICTURE = mosaic(150, 200)


def encoded(path: Path, picture: Any = PICTURE, **options: Any) -> bytes:
    encode_tiled(picture, path, **{"tile": TILE, "effort": 1, **options})
    return path.read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return encoded(tmp_path_factory.mktemp("whole") / "whole.gimg", threads=2)


def test_a_tiled_file_shows_the_picture(whole: bytes) -> None:
    assert psnr(PICTURE, decode(whole)) > 25
    found = info(whole)
    assert found.tiles is not None
    assert found.tiles.levels == ((38, 50), (150, 200))
    assert found.gaussians == sum(
        tile.header.gaussians for tile in plain.decode(whole).tiles.values()
    )


def lettering() -> NDArray[np.uint8]:
    """Return black strokes on white, (150, 200)."""
    image = Image.new("L", (200, 150), 255)
    pen = ImageDraw.Draw(image)
    rng = np.random.default_rng(1)
    for _ in range(60):
        x, y = rng.integers(0, 200), rng.integers(0, 150)
        pen.line((x, y, x + rng.integers(-9, 10), y + rng.integers(-9, 10)), fill=0, width=2)
    return np.asarray(image)


def test_what_all_tiles_draw_may_exceed_white(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = encoded(tmp_path / "free.gimg", lettering(), quality=62)
    assert render(decode_gaussians(free)).max() > 1.1
    monkeypatch.setattr(PictureStatistics, "room", 0.0)
    strict = encoded(tmp_path / "strict.gimg", lettering(), quality=62)
    assert psnr(lettering(), decode(free)) > psnr(lettering(), decode(strict)) + 0.3
    assert len(free) < 1.02 * len(strict)


@pytest.mark.parametrize(
    ("levels", "expected"), [((0, 255), 0.25), ((250, 255), 0.25 * 5 / 255), ((1, 254), 0.0)]
)
def test_the_room_beyond_white_is_that_of_the_contrast(
    levels: tuple[int, int], expected: float
) -> None:
    rows = np.full((32, 40, 1), levels[0], np.uint8)
    rows[8:] = levels[1]
    statistics = PictureStatistics(1, 75)
    statistics.add(to_pixels(rows[:16]))
    statistics.add(to_pixels(rows[16:]))
    assert statistics.room == pytest.approx(expected, rel=1e-5)


def test_the_result_tells_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.gimg"
    seen: list[Progress] = []
    result = encode_tiled(PICTURE, path, tile=TILE, effort=1, progress=seen.append)
    assert result.psnr == pytest.approx(psnr(PICTURE, decode(path)), abs=0.05)
    found = info(path)
    assert (result.gaussians, result.bytes) == (found.gaussians, found.bytes)
    assert found.tiles is not None
    assert result.tiles == found.tiles.tiles <= len(seen)
    assert result.bpp == found.bpp
    assert seen[-1].done == 1
    assert [now.iteration for now in seen] == list(range(1, len(seen) + 1))
    assert os.listdir(tmp_path) == ["a.gimg"]  # noqa: PTH208


def test_each_level_is_a_smaller_picture(whole: bytes) -> None:
    small = np.asarray(Image.fromarray(PICTURE).resize((50, 38), Image.Resampling.BOX))
    assert psnr(small, decode(whole, size=(38, 50))) > 22


def test_edges_of_tiles_are_as_good_as_the_rest(tmp_path: Path) -> None:
    # A picture that is alike everywhere, so that only the edges of tiles can make a difference.
    y, x = np.mgrid[0:256, 0:256]
    rng = np.random.default_rng(0)
    waves = sum(
        np.sin(u * x + v * y + phase)
        for u, v, phase in rng.uniform(-0.35, 0.35, (12, 3)) * (1, 1, 9)
    )
    picture = np.clip(128 + 22 * waves[..., None] * [1, 0.8, -0.6], 0, 255).astype(np.uint8)
    error = picture.astype(float) - decode(encoded(tmp_path / "a.gimg", picture))
    near = np.abs((np.arange(256) + 32) % TILE - 32 + 0.5) <= 8
    near[:8] = near[-8:] = False
    at_edges = near[:, None] | near
    at_edges[:8] = at_edges[-8:] = at_edges[:, :8] = at_edges[:, -8:] = False
    inside = ~at_edges
    inside[:8] = inside[-8:] = inside[:, :8] = inside[:, -8:] = False
    assert np.square(error[at_edges]).mean() < 1.1 * np.square(error[inside]).mean()


def test_tiles_are_tuned_for_the_eye_unless_psnr_is_asked_for(tmp_path: Path, whole: bytes) -> None:
    tuned = encoded(tmp_path / "a.gimg", tune="eye", threads=2)
    other = encoded(tmp_path / "b.gimg", tune="psnr", threads=2)
    assert tuned == whole
    assert psnr(PICTURE, decode(other)) > psnr(PICTURE, decode(whole)) + 0.3


def test_small_things_on_a_plain_ground_are_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.full((140, 140, 3), 200, np.uint8)
    picture[:60, :60] = photo("stream")[:60, :60]  # contrast, for steps that are as coarse as usual
    spots = [(30, 90), (62, 100), (90, 65), (110, 110), (127, 30)]  # two at edges of tiles
    for y, x in spots:
        picture[y : y + 3, x : x + 2] = 150

    def levels() -> list[float]:
        drawn = decode(encoded(tmp_path / "a.gimg", picture, quality=45))
        return [drawn[y : y + 3, x : x + 2].mean() for y, x in spots]

    assert max(levels()) < 185
    monkeypatch.setattr(module, "LEAST_REPAIRED", 100)
    assert np.median(levels()) > 195


@pytest.mark.parametrize(("seed", "quality"), [(1, 45), (4, 50)])
def test_no_block_is_worse_than_its_mean_color(tmp_path: Path, seed: int, quality: float) -> None:
    rng = np.random.default_rng(seed)
    page = Image.new("RGB", (144, 144), "white")
    draw = ImageDraw.Draw(page)
    for _ in range(50):  # long strokes, whose Gaussians reach across tiles
        ends, color = rng.integers(0, 144, 4), rng.integers(0, 256, 3)
        draw.line([int(end) for end in ends], fill=tuple(int(value) for value in color))
    pixels = np.asarray(page)
    drawn = decode(encoded(tmp_path / "a.gimg", pixels, quality=quality))
    worst = worst_excess(np.float32(pixels) / 255, np.float32(drawn) / 255)
    assert worst < 1.05 * EXCESS * step_for_quality(quality)


def test_the_step_of_a_quality_is_that_of_other_files() -> None:
    page = np.full((600, 500, 1), 240, np.uint8)
    page[8::16, 5:480:7] = 20
    faint = (128 + 4 * np.sin(np.arange(600 * 500).reshape(600, 500, 1))).astype(np.uint8)
    for picture in (PICTURE, page, faint, PICTURE[:40, :30]):
        with open_rows(picture) as reader:
            statistics = PictureStatistics(reader.channels, 60)
            for rows in reader.blocks():
                statistics.add(to_pixels(rows))
        expected = step_for_picture(as_picture(picture), 60)
        assert statistics.step(8) == pytest.approx(expected, rel=0.03)
        assert statistics.mean == pytest.approx(picture.mean(axis=(0, 1)) / 255, abs=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_every_kind_of_picture_can_be_tiled(tmp_path: Path, channels: int) -> None:
    gray = PICTURE[:80, :100, :1]
    alpha = np.full((80, 100, 1), 255, np.uint8)
    alpha[:, :30] = 100
    parts = {1: [gray], 2: [gray, alpha], 4: [PICTURE[:80, :100], alpha]}
    picture = np.concatenate(parts[channels], axis=2)
    data = encoded(tmp_path / "a.gimg", picture[..., 0] if channels == 1 else picture)
    pixels = decode(data).reshape(80, 100, channels)
    assert info(data).channels == channels
    assert psnr(picture[..., 0], pixels[..., 0]) > 20
    if channels != 1:
        assert np.abs(pixels[..., -1].astype(int) - alpha[..., 0]).mean() < 6


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    picture = PICTURE[:70, :90].astype(np.uint16) * 257
    data = encoded(tmp_path / "a.gimg", picture)
    assert info(data).bit_depth == 16
    assert psnr(picture, decode(data, dtype=np.uint16)) > 23


def test_a_constant_picture_needs_no_tiles(tmp_path: Path) -> None:
    picture = np.full((100, 150, 3), (200, 100, 50), np.uint8)
    data = encoded(tmp_path / "a.gimg", picture)
    assert np.array_equal(decode(data), picture)
    assert len(data) < 300


def test_a_plain_ground_takes_no_tiles(tmp_path: Path) -> None:
    picture = np.full((400, 400, 3), 235, np.uint8)
    picture[170:234, 150:246] = photo("parrot")
    found = info(encoded(tmp_path / "a.gimg", picture))
    assert found.tiles is not None
    assert found.tiles.tiles < 20  # of 54, the levels of 100 and 25 pixels among them


def test_a_file_is_read_as_an_array_is(tmp_path: Path, whole: bytes) -> None:
    np.save(tmp_path / "picture.npy", PICTURE)
    assert encoded(tmp_path / "a.gimg", tmp_path / "picture.npy") == whole
    Image.fromarray(PICTURE).save(tmp_path / "picture.png")
    assert encoded(tmp_path / "b.gimg", str(tmp_path / "picture.png")) == whole
    assert encoded(tmp_path / "c.gimg", gaussianimage.as_picture(PICTURE)) == whole


def test_metadata_is_kept_as_it_is_asked_for(tmp_path: Path) -> None:
    picture = Image.fromarray(PICTURE[:70, :80])
    exif = picture.getexif()
    exif[0x0110] = "a camera"
    picture.save(tmp_path / "a.png", exif=exif)
    kept = encoded(tmp_path / "a.gimg", tmp_path / "a.png")
    assert info(kept).exif is not None
    assert b"a camera" in (gaussianimage.decode_picture(kept, size=(7, 8)).exif or b"")
    assert info(encoded(tmp_path / "b.gimg", tmp_path / "a.png", metadata="none")).exif is None


# -- Interruptions -------------------------------------------------------------------------------


def test_threads_do_not_change_the_file(tmp_path: Path, whole: bytes) -> None:
    assert encoded(tmp_path / "a.gimg", threads=1) == whole


class StopError(Exception):
    """Ends an encoding in a test."""


def stop_after(count: int) -> Any:
    def progress(now: Progress) -> None:
        if now.iteration == count:
            raise StopError

    return progress


@pytest.mark.parametrize("count", [1, 3, 9])
def test_interrupted_work_goes_on(
    tmp_path: Path, whole: bytes, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, part = tmp_path / "a.gimg", tmp_path / "a.gimg.part"
    with pytest.raises(StopError):
        encoded(path, progress=stop_after(count))
    assert part.exists()
    assert not path.exists()
    fitted = []
    original = tile_job.encode_tile

    def counting(*args: Any, **options: Any) -> TileResult:
        fitted.append(args)
        return original(*args, **options)

    monkeypatch.setattr(tile_job, "encode_tile", counting)
    assert encoded(path) == whole
    assert len(fitted) == read_index(whole).grid.count - count
    assert not part.exists()


def test_a_record_that_was_cut_off_is_done_again(tmp_path: Path, whole: bytes) -> None:
    path, part = tmp_path / "a.gimg", tmp_path / "a.gimg.part"
    with pytest.raises(StopError):
        encoded(path, progress=stop_after(4))
    part.write_bytes(part.read_bytes()[:-7])
    assert encoded(path) == whole


def test_ctrl_c_keeps_the_tiles(tmp_path: Path, whole: bytes) -> None:
    def press(now: Progress) -> None:
        if now.iteration == 2:
            raise KeyboardInterrupt

    path = tmp_path / "a.gimg"
    with pytest.raises(KeyboardInterrupt):
        encoded(path, progress=press)
    assert encoded(path) == whole


def test_tiles_of_other_work_are_not_used(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "a.gimg"
    with pytest.raises(StopError):
        encoded(path, progress=stop_after(2), quality=30)
    with pytest.raises(GaussianImageError, match="of another picture or of other options"):
        encoded(path)
    assert encoded(path, resume=False) == whole


def test_a_full_disk_loses_no_tile(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.gimg"
    append, left = module.WorkFile.append, [3]

    def full(self: Any, *args: Any) -> None:
        if left[0] == 0:
            raise OSError(28, "No space left on device")
        left[0] -= 1
        append(self, *args)

    monkeypatch.setattr(module.WorkFile, "append", full)
    with pytest.raises(OSError, match="No space left") as caught:
        encoded(path)
    assert any("a.gimg.part" in note for note in caught.value.__notes__)
    monkeypatch.undo()
    assert encoded(path) == whole


# -- Bad input -----------------------------------------------------------------------------------


class Rows:
    """An array that does what a test says when its rows are read."""

    dtype = np.dtype(np.uint8)

    def __init__(self, read: Any, shape: tuple[int, ...] = (600, 70, 3)) -> None:
        self.shape = shape
        self._read = read
        self.times = 0

    def __getitem__(self, rows: slice) -> Any:
        self.times += 1
        begin, end, _ = rows.indices(self.shape[0])
        return self._read(self.times, np.resize(PICTURE, self.shape)[begin:end])


def test_a_source_that_ends_early_is_told(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="ends early: rows from 256"):
        encoded(tmp_path / "a.gimg", Rows(lambda times, rows: rows[: 100 if times == 2 else None]))


def test_a_source_that_changes_is_told(tmp_path: Path) -> None:
    changing = Rows(lambda times, rows: rows + (times == 5))
    with pytest.raises(PictureError, match="changed while it was read: rows from 256 differ"):
        encoded(tmp_path / "a.gimg", changing, quality=5)
    assert json.loads((tmp_path / "a.gimg.part").read_bytes().split(b"\n")[1])["quality"] == 5


def test_a_tile_that_cannot_be_encoded_is_named(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.gimg"
    original = tile_job.encode_tile

    def failing(frame: Any, *args: Any, **options: Any) -> TileResult:
        if frame.place == (1, 1, 2):
            raise ValueError("nothing fits")
        return original(frame, *args, **options)

    monkeypatch.setattr(tile_job, "encode_tile", failing)
    with pytest.raises(GaussianImageError, match="tile 1/1/2 can't be encoded: nothing fits"):
        encoded(path, threads=1)
    monkeypatch.undo()
    assert encoded(path) == whole


@pytest.mark.parametrize(
    ("picture", "options", "error"),
    [
        (PICTURE.astype(np.float32), {}, TypeError),
        (np.zeros((5, 5, 5), np.uint8), {}, ValueError),
        (np.zeros((0, 5, 3), np.uint8), {}, PictureError),
        (PICTURE, {"quality": 101}, ValueError),
        (PICTURE, {"effort": 0}, ValueError),
        (PICTURE, {"tile": 63}, ValueError),
        (PICTURE, {"tile": "64"}, TypeError),
        (PICTURE, {"seed": -1}, ValueError),
        (PICTURE, {"threads": 0}, ValueError),
        ("missing.tif", {}, OSError),
    ],
)
def test_bad_arguments_are_refused(
    tmp_path: Path, picture: Any, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        encoded(tmp_path / "a.gimg", picture, **options)
    assert list(tmp_path.iterdir()) == []


def test_the_coarsest_level_is_one_tile() -> None:
    assert plan_grid(20000, 20000, 1024).sizes[0] == (313, 313)
    assert plan_grid(1024, 1024, 1024).levels == 1
    assert plan_grid(1025, 1, 1024).sizes == ((257, 1), (1025, 1))
    assert plan_grid(43200, 86400, 1024).shapes[0] == (1, 1)
