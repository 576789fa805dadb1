from pathlib import Path

import numpy as np
import pytest

from gaussianimage.codec.encoder.local_contrast import (
    BLOCK,
    box_sums,
    count_blocks,
    cut_blocks,
    find_things,
    printed_share,
    worst_excess,
)
from gaussianimage.picture import as_picture

DATA = Path(__file__).parents[2] / "data"
STEP = 0.32


def page(height: int = 200, width: int = 300) -> np.ndarray:
    """Return lines of strokes on paper, one of them faint."""
    rng = np.random.default_rng(0)
    pixels = np.full((height, width, 3), 0.9) + rng.normal(0, 0.005, (height, width, 1))
    for line, y in enumerate(range(10, height - 20, 25)):
        for x in range(12, width - 12, 6):
            pixels[y : y + 9, x : x + 1 + x % 2] = 0.8 if line == 3 else 0.1
    return np.clip(pixels, 0, 1).astype(np.float32)


@pytest.mark.parametrize(("height", "width", "count"), [(1, 1, 1), (16, 16, 1), (17, 33, 6)])
def test_a_picture_has_blocks_at_its_edges_too(height: int, width: int, count: int) -> None:
    assert count_blocks(np.zeros((height, width, 1), np.float32)) == count


def test_blocks_are_cut_and_their_edges_repeated() -> None:
    pixels = np.random.default_rng(0).random((20, 24, 2), np.float32)
    blocks = cut_blocks(pixels, np.array([0, 16]), np.array([0, 16]))
    assert (blocks[0] == pixels[:16, :16]).all()
    assert (blocks[1, :4, :8] == pixels[16:, 16:]).all()
    assert (blocks[1, 4:, :8] == pixels[19, 16:]).all()


@pytest.mark.parametrize(("down", "across"), [(0, 0), (1, 1), (0, 3), (5, 1), (7, 7)])
def test_sums_of_boxes_are_those_of_a_plain_loop(down: int, across: int) -> None:
    blocks = np.random.default_rng(1).normal(size=(2, BLOCK, BLOCK, 3)).astype(np.float32)
    sums = box_sums(blocks, down, across)
    for y, x in [(0, 0), (3, 15), (8, 8), (15, 2)]:
        rows = slice(max(0, y - down), y + down + 1)
        columns = slice(max(0, x - across), x + across + 1)
        wanted = blocks[:, rows, columns].sum(axis=(1, 2), dtype=np.float64)
        assert sums[:, y, x] == pytest.approx(wanted, abs=1e-4)


def test_a_dot_is_the_thing_in_its_block() -> None:
    block = np.full((1, BLOCK, BLOCK, 3), 0.5, np.float32)
    block[0, 6, 7] = 0.05
    things = find_things(block)
    assert things.largest == pytest.approx(0.05)  # a ninth of 0.45
    assert things.usual == pytest.approx(0, abs=1e-6)


def test_a_page_is_printed_and_photos_are_not() -> None:
    assert printed_share(page(), STEP) > 0.65
    for name in ("bikes", "parrot", "stream"):
        assert printed_share(as_picture(DATA / f"{name}.png").pixels, STEP) < 0.5


def test_nothing_is_not_printed() -> None:
    assert printed_share(np.full((40, 40, 1), 0.3, np.float32), STEP) == 0


def test_a_block_is_held_to_its_own_contrast() -> None:
    pixels = np.full((32, 40, 3), 0.5, np.float32)
    pixels[:, :16] += np.where(np.arange(32) % 2, 0.1, -0.1).astype(np.float32)[:, None, None]
    drawn = np.full_like(pixels, 0.5)
    assert worst_excess(pixels, drawn) == pytest.approx(0, abs=1e-3)
    drawn[:, 16:32] += 0.03
    assert worst_excess(pixels, drawn) == pytest.approx(0.03, rel=1e-3)
