from pathlib import Path

import numpy as np
import pytest

from gaussianimage import _native
from gaussianimage.codec.encoder.local_contrast import (
    BLOCK,
    count_blocks,
    excess_errors,
    find_things,
    printed_share,
    worst_excess,
)
from gaussianimage.codec.encoder.rd_quantization import RdQuantizer
from gaussianimage.codec.format.quantizer import QuantizerParameters
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


def cut(pixels: np.ndarray) -> np.ndarray:
    """Cut a picture (H, W, C) into blocks (K, BLOCK, BLOCK, C); beyond its edges they are 0."""
    height, width, channels = pixels.shape
    padding = ((0, -height % BLOCK), (0, -width % BLOCK), (0, 0))
    padded = np.pad(np.asarray(pixels, np.float64), padding)
    down, across = padded.shape[0] // BLOCK, padded.shape[1] // BLOCK
    blocks = padded.reshape(down, BLOCK, across, BLOCK, channels).swapaxes(1, 2)
    return blocks.reshape(down * across, BLOCK, BLOCK, channels)


def inside(shape: tuple[int, int, int]) -> np.ndarray:
    """Tell which pixels of the blocks lie within a picture (H, W, C), (K, BLOCK, BLOCK, 1)."""
    return cut(np.ones((*shape[:2], 1))) > 0


def box_sums(blocks: np.ndarray, down: int, across: int) -> np.ndarray:
    """Return the sums over boxes of (2 down + 1) × (2 across + 1) pixels, by a plain loop."""
    padded = np.pad(blocks, ((0, 0), (down, down), (across, across), (0, 0)))
    sums = np.zeros_like(blocks)
    for y in range(2 * down + 1):
        for x in range(2 * across + 1):
            sums += padded[:, y : y + BLOCK, x : x + BLOCK]
    return sums


def blurred_size(blocks: np.ndarray) -> np.ndarray:
    size = np.sqrt(np.square(box_sums(blocks, 1, 1) / 9).mean(axis=3))
    return size.reshape(len(blocks), BLOCK * BLOCK)


SHAPES = [(1, 1, 1), (16, 16, 3), (17, 33, 2), (40, 20, 4), (70, 90, 3)]


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.5, 0.3, shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_contrast_is_that_of_a_plain_loop(shape: tuple[int, int, int]) -> None:
    pixels = noise(shape)
    blocks, within = cut(pixels), inside(shape)
    ground = np.nanmedian(np.where(within, blocks, np.nan), axis=(1, 2), keepdims=True)
    size = blurred_size(np.where(within, blocks - ground, 0))
    usual = np.nanmedian(np.where(within.reshape(size.shape), size, np.nan), axis=1)
    things = find_things(pixels, np.arange(count_blocks(pixels)))
    assert things.largest == pytest.approx(size.max(axis=1), rel=1e-5)
    assert things.usual == pytest.approx(usual, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_peaks_and_excess_are_those_of_a_plain_loop(shape: tuple[int, int, int]) -> None:
    pixels, errors = noise(shape), noise(shape, 1)
    weights = np.random.default_rng(2).uniform(0.2, 5, shape[:2]).astype(np.float32)
    numbers = np.arange(count_blocks(pixels))
    blocks, wrong = cut(pixels), cut(errors / weights[..., None])
    peaks = _native.block_peaks(errors, weights, numbers, 2)
    assert peaks == pytest.approx(blurred_size(wrong).max(axis=1), rel=1e-5)
    within = inside(shape)
    variance = blocks.var(axis=(1, 2), where=within).mean(axis=1)
    wanted = np.square(wrong).mean(axis=(1, 2, 3), where=within) - variance
    found = excess_errors(pixels, errors, numbers, weights=weights)
    assert found == pytest.approx(wanted, rel=1e-5, abs=1e-6)


def descent_of(errors: np.ndarray, weights: np.ndarray | None = None) -> _native.CoordinateDescent:
    """Return a descent with these errors."""
    height, width, channels = errors.shape
    parameters = QuantizerParameters(26, 128, (0,) * channels)
    size = {"height": height, "width": width, "q_max": 3.5, "threads": 2}
    worker = RdQuantizer(parameters, parameters.color_step, **size, weights=weights)
    return worker.coordinate_descent(errors if weights is None else errors * weights[..., None])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_descent_measures_what_a_decoder_shows(
    shape: tuple[int, int, int], weighted: bool
) -> None:
    pixels, errors = noise(shape), noise(shape, 1)
    weights = np.random.default_rng(2).uniform(0.2, 5, shape[:2]).astype(np.float32)
    numbers = np.arange(count_blocks(pixels))
    blocks, wrong, within = cut(pixels), cut(errors), inside(shape)
    black, white = np.linspace(0, 0.3, shape[2]), np.linspace(0.6, 1, shape[2])
    clipped = np.clip(blocks + wrong, black, white) - blocks
    variance = blocks.var(axis=(1, 2), where=within).mean(axis=1)
    wanted = np.square(clipped).mean(axis=(1, 2, 3), where=within) - variance
    descent = descent_of(errors, weights if weighted else None)
    bounds = np.array((black, white), np.float32)
    found = descent.block_excess(pixels, bounds, numbers, 2)
    assert found == pytest.approx(wanted, rel=1e-5, abs=1e-6)
    # Weights do not count, whatever they become.
    some = numbers[::2]
    descent.weigh_blocks(some, np.linspace(2, 1000, len(some)))
    found = descent.block_excess(pixels, bounds, numbers, 2)
    assert found == pytest.approx(wanted, rel=1e-5, abs=1e-6)


def test_a_descent_refuses_blocks_and_pictures_of_other_shapes() -> None:
    pixels = noise((20, 40, 3))
    descent, bounds = descent_of(pixels), np.zeros((2, 3), np.float32)
    for number in (-1, 6):
        with pytest.raises(ValueError, match="no such block"):
            descent.block_excess(pixels, bounds, np.array([number]), 1)
        with pytest.raises(ValueError, match="no such block"):
            descent.weigh_blocks(np.array([number]), np.ones(1))
    with pytest.raises(ValueError, match="pixels has the wrong shape"):
        descent.block_excess(pixels[1:], bounds, np.arange(2), 1)
    with pytest.raises(ValueError, match="bounds has the wrong shape"):
        descent.block_excess(pixels, bounds[:1], np.arange(2), 1)
    with pytest.raises(ValueError, match="factors has the wrong length"):
        descent.weigh_blocks(np.arange(2), np.ones(3))


@pytest.mark.parametrize("values", [(0.0, -0.0), (-3.0, 2.0), (1e-45, 0.0), (3e38, -3e38)])
def test_extreme_values_have_the_contrast_of_a_plain_loop(values: tuple[float, float]) -> None:
    # The median is between the two values in one block, and one of them in the two others.
    pixels = np.full((16, 48, 1), values[0], np.float32)
    pixels[:8, :16] = values[1]
    pixels[:7, 16:32] = values[1]
    pixels[:9, 32:] = values[1]
    with np.errstate(over="ignore"):
        blocks = cut(pixels)
        size = blurred_size(blocks - np.median(blocks, axis=(1, 2), keepdims=True))
    things = find_things(pixels, np.arange(3))
    if max(values) < 1e30:
        assert things.largest == pytest.approx(size.max(axis=1), rel=1e-5)
        assert things.usual == pytest.approx(np.median(size, axis=1), rel=1e-5)
    assert not np.isnan(things.largest[0])


def test_a_poisoned_block_poisons_no_other() -> None:
    pixels, errors = noise((32, 48, 3)), noise((32, 48, 3), 1)
    poisoned = errors.copy()
    poisoned[20, 20] = np.nan
    others = np.array([0, 1, 2, 3, 5])
    for measure in (
        lambda wrong: excess_errors(pixels, wrong, others),
        lambda wrong: _native.block_peaks(wrong, None, others, 1),
        lambda wrong: find_things(wrong, others),
    ):
        assert np.array_equal(measure(errors), measure(poisoned))
    assert np.isnan(excess_errors(pixels, poisoned, np.array([4])))


def test_threads_change_no_bit_of_blocks() -> None:
    pixels, errors = noise((200, 300, 3)), noise((200, 300, 3), 1)
    blocks = np.arange(count_blocks(pixels))
    for threads in (2, 5):
        assert np.array_equal(
            find_things(pixels, blocks, threads=1), find_things(pixels, blocks, threads=threads)
        )
        assert np.array_equal(
            excess_errors(pixels, errors, blocks, threads=1),
            excess_errors(pixels, errors, blocks, threads=threads),
        )


@pytest.mark.parametrize("numbers", [[-1], [6], [0, 2**40]])
def test_a_block_outside_of_the_picture_is_refused(numbers: list[int]) -> None:
    with pytest.raises(ValueError, match="no such block"):
        find_things(noise((17, 33, 3)), np.array(numbers))


BOXES = np.array([(0, 0), (1, 1), (0, 3), (5, 1), (7, 7), (15, 15)], np.int32)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_spots_are_those_of_a_plain_loop(channels: int) -> None:
    errors = noise((37, 50, channels), 3) - np.float32(0.5)
    count = count_blocks(errors)
    places, halves, colors = _native.block_spots(errors, None, np.arange(count), BOXES, 2, 2)
    within = inside(errors.shape)
    left = cut(errors)
    for spot in range(2):
        left[~within[..., 0]] = 0
        for block in range(count):
            i = spot * count + block
            energy = []
            for down, across in BOXES:
                sums = box_sums(left[block : block + 1], down, across)[0]
                energy.append(np.square(sums).sum(axis=2) / ((2 * down + 1) * (2 * across + 1)))
            most = np.max(energy)
            (y, x), (down, across) = places[i], halves[i]
            shape = [tuple(box) for box in BOXES].index((down, across))
            assert energy[shape][y, x] == pytest.approx(most, rel=1e-4)
            rows, columns = (slice(max(0, p - h), p + h + 1) for p, h in ((y, down), (x, across)))
            part = left[block, rows, columns]
            wanted = -part.sum(axis=(0, 1)) / ((2 * down + 1) * (2 * across + 1))
            assert colors[i] == pytest.approx(wanted, rel=1e-4, abs=1e-6)
            part += colors[i]


def test_a_box_that_does_not_fit_a_block_is_refused() -> None:
    errors = noise((16, 16, 3))
    for box in ((-1, 0), (0, 16)):
        with pytest.raises(ValueError, match="too large"):
            _native.block_spots(errors, None, np.arange(1), np.array([box], np.int32), 1, 1)


def test_a_dot_is_the_thing_in_its_block() -> None:
    pixels = np.full((BLOCK, BLOCK, 3), 0.5, np.float32)
    pixels[6, 7] = 0.05
    things = find_things(pixels, np.arange(1))
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


def test_what_a_decoder_clips_is_no_error() -> None:
    pixels = np.ones((40, 56, 3), np.float32)
    residual = np.full_like(pixels, 0.2)
    blocks, bounds = np.arange(12), np.array((np.zeros(3), np.ones(3)), np.float32)
    assert (descent_of(residual).block_excess(pixels, bounds, blocks, 1) == 0).all()
    found = descent_of(-residual).block_excess(pixels, bounds, blocks, 1)
    assert found == pytest.approx(0.04)


def test_every_pixel_of_a_block_that_an_edge_cuts_counts_alike() -> None:
    pixels = np.full((18, 18, 1), 0.5, np.float32)
    errors = np.zeros_like(pixels)
    errors[16, 16] = 0.2  # in a block of 2 × 2 pixels
    assert excess_errors(pixels, errors, np.arange(4)) == pytest.approx([0, 0, 0, 0.01])
