"""What is small or faint is in the file, and a few pixels are all right."""

import signal

import numpy as np
import pytest
from encoder_samples import DATA, fast, noise
from PIL import Image

from gaussianimage.codec.decoder.decode import decode
from gaussianimage.fitting.progress import Progress


def page(color: int = 0, ground: int = 255, height: int = 120, width: int = 160) -> np.ndarray:
    """Return a page with three bars in a corner and nothing else."""
    pixels = np.full((height, width, 3), ground, np.uint8)
    for x in (20, 28, 36):
        pixels[80:92, x : x + 3] = color
    return pixels


@pytest.mark.parametrize("effort", [1, 5])
@pytest.mark.parametrize("quality", [40, 60, 90])
@pytest.mark.parametrize(("color", "ground"), [(0, 255), (255, 0), (235, 250)])
def test_the_only_thing_on_a_page_is_in_the_file(
    color: int, ground: int, quality: float, effort: int
) -> None:
    pixels = page(color, ground)
    result = fast(pixels, quality=quality, effort=effort)
    error = decode(result.data)[80:92, 20:39].astype(float) - pixels[80:92, 20:39]
    contrast = pixels[80:92, 20:39].astype(float) - ground
    assert np.square(error).sum() < 0.3 * np.square(contrast).sum()
    assert len(result.data) < 400


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_single_dot_is_in_the_file(size: int) -> None:
    pixels = np.full((200, 300), 255, np.uint8)
    pixels[100 : 100 + size, 200 : 200 + size] = 0
    decoded = decode(fast(pixels).data)
    assert decoded[100 : 100 + size, 200 : 200 + size].max() < 100
    assert decoded[:90].min() > 250


def test_faint_words_on_a_page_are_in_the_file() -> None:
    rng = np.random.default_rng(0)
    paper = 230 + rng.normal(0, 1, (160, 240, 1))
    pixels = np.repeat(paper, 3, axis=2)
    faint = slice(85, 94)
    for y in (10, 35, 60, 85, 110, 135):
        for x in range(12, 228, 6):
            pixels[y : y + 9, x : x + 1 + x % 2] = 205 if y == faint.start else 30
    pixels = np.rint(pixels).astype(np.uint8)
    decoded = decode(fast(pixels, effort=3).data).astype(float)
    row, source = decoded[faint, 12:228].mean(axis=(0, 2)), pixels[faint, 12:228].mean(axis=(0, 2))
    assert np.corrcoef(row, source)[0, 1] > 0.7


def test_stars_are_in_the_file() -> None:
    rng = np.random.default_rng(0)
    pixels = np.zeros((200, 200), np.uint8)
    places = rng.integers(0, 200, (12, 2))
    pixels[tuple(places.T)] = rng.integers(80, 256, len(places))
    decoded = decode(fast(pixels).data).astype(float)
    assert np.abs(decoded - pixels).max() < 40


def test_a_faint_picture_does_not_turn_into_one_gray() -> None:
    y, x = np.mgrid[:64, :64]
    pixels = np.rint(120 + 3 * np.sin(x / 6) + 2 * np.cos(y / 9)).astype(np.uint8)
    decoded = decode(fast(pixels).data).astype(float)
    assert np.square(decoded - pixels).mean() < 0.3 * pixels.var()


def test_a_small_thing_in_a_picture_that_has_much_else_stays() -> None:
    rng = np.random.default_rng(1)
    pixels = np.full((128, 192, 3), 200, np.uint8)
    pixels[:, 96:] = rng.integers(0, 256, (128, 96, 1))
    pixels[60:63, 40:43] = (120, 60, 60)
    decoded = decode(fast(pixels, quality=45).data).astype(float)
    contrast = np.abs(pixels[60:63, 40:43].astype(float) - 200).mean()
    assert np.abs(decoded[60:63, 40:43] - pixels[60:63, 40:43]).mean() < 0.6 * contrast


def worst_excess(pixels: np.ndarray, decoded: np.ndarray) -> float:
    """Return the largest mean squared error of a block less that of its mean color."""
    excess = []
    for y in range(0, len(pixels), 16):
        for x in range(0, pixels.shape[1], 16):
            block = pixels[y : y + 16, x : x + 16].astype(float)
            error = np.square(decoded[y : y + 16, x : x + 16] - block).mean()
            excess.append(error - block.var(axis=(0, 1)).mean())
    return max(excess)


@pytest.mark.parametrize("name", ["plane", "parrot", "bikes", "stream"])
def test_no_block_is_much_worse_than_its_mean_color(name: str) -> None:
    pixels = np.asarray(Image.open(DATA / f"{name}.png"))
    decoded = decode(fast(pixels).data)
    assert worst_excess(pixels, decoded) < 3**2


def areas_of_one_color() -> np.ndarray:
    pixels = np.full((96, 128, 3), 255, np.uint8)
    pixels[16:48, 16:48] = (255, 128, 128)
    pixels[16:48, 48:80] = (160, 60, 160)
    pixels[16:48, 80:112] = (128, 128, 255)
    pixels[48:80, 16:48] = (255, 0, 0)
    pixels[48:80, 48:112] = (0, 0, 255)
    return pixels


@pytest.mark.parametrize("effort", [1, 5])
def test_no_area_of_one_color_is_much_worse_than_its_mean_color(effort: int) -> None:
    pixels = areas_of_one_color()
    decoded = decode(fast(pixels, quality=60, effort=effort).data)
    assert worst_excess(pixels, decoded) < 3**2


def test_a_finer_draft_that_is_cut_short_is_not_taken() -> None:
    rounds: list[int] = []

    def press(progress: Progress) -> None:
        if progress.stage == "prune":
            rounds.append(progress.iteration)
            if rounds.count(1) == 2:  # the second draft has begun
                signal.raise_signal(signal.SIGINT)

    pixels = areas_of_one_color()
    found = fast(pixels, quality=60, progress=press, on_interrupt="keep")
    assert found.interrupted
    assert 3**2 < worst_excess(pixels, decode(found.data)) < 6**2


@pytest.mark.parametrize(
    ("y", "x", "height", "width"),
    [(5, 15, 33, 66), (15, 26, 49, 50), (23, 17, 33, 51), (0, 0, 33, 33)],
)
def test_no_block_at_an_edge_is_much_worse_than_its_mean_color(
    y: int, x: int, height: int, width: int
) -> None:
    pixels = np.asarray(Image.open(DATA / "stream.png"))[y : y + height, x : x + width]
    assert worst_excess(pixels, decode(fast(pixels).data)) < 3**2


@pytest.mark.parametrize("shape", [(1, 4), (4, 1, 3), (2, 2), (2, 2, 3), (4, 4), (4, 4, 3)])
def test_a_few_pixels_are_all_right(shape: tuple[int, ...]) -> None:
    pixels = noise(*shape)
    decoded = decode(fast(pixels).data).astype(int)
    assert np.abs(decoded - pixels).max() <= 16
    assert len(fast(pixels).data) < 160


def test_a_checkerboard_of_four_pixels_is_right() -> None:
    pixels = np.array([[0, 255], [255, 0]], np.uint8)
    assert np.abs(decode(fast(pixels).data).astype(int) - pixels).max() <= 4
