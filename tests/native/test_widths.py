"""Pictures of every width from 1 to 70: all instruction sets draw the same and right bits."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from plain import gimg
from samples import levels, make_parameters

from gaussianimage import _native, decode
from gaussianimage.codec.encoder.grain import add_grain
from gaussianimage.codec.encoder.serialize import serialize
from gaussianimage.codec.format.grain import Grain, cells
from gaussianimage.codec.format.metadata import Metadata

WIDTHS = range(1, 71)
# A width goes with another height and number of channels each time it is drawn.
HEIGHTS = (1, 2, 7, 8, 9, 16, 17, 33)


def picture(width: int, height: int, channels: int, *, deep: bool = False) -> bytes:
    """Return a file with a map of alpha where there is alpha, and with grain."""
    rng = np.random.default_rng(100 * width + height)
    count = 3 + width * height // 40
    classes = rng.integers(0, 3, (height, width)).astype(np.uint8)
    data = serialize(
        [levels(width, count, channels, height=height, width=width)],
        make_parameters(channels),
        Metadata(),
        height=height,
        width=width,
        bit_depth=16 if deep else 8,
        q_max=4.25,
        alpha_map=_native.encode_alpha_map(classes) if channels % 2 == 0 else None,
    )
    shape = cells(height, 3), cells(width, 3), 5
    strengths = rng.integers(0, 16, shape).astype(np.uint8)
    return add_grain(data, Grain(width, 3, (40, 64, 50), strengths))


@pytest.fixture
def _best_instruction_set() -> Iterator[None]:
    yield
    _native.select_instruction_set("")


def drawings(data: bytes) -> Iterator[np.ndarray]:
    """Yield drawings of all types, by one thread and several, whole and in part."""
    height, width = decode(data).shape[:2]
    part = height // 3, width // 3, height - height // 3, width - width // 3
    for dtype in (np.uint8, np.uint16, np.float32):
        for threads in (1, 3):
            yield decode(data, dtype=dtype, threads=threads)
        yield decode(data, dtype=dtype, crop=part)
    yield decode(data, size=(height + 3, 2 * width + 1))
    yield decode(data, size=(-(-height // 2), -(-width // 2)))


def on_all_instruction_sets(draw: Callable[[], list[np.ndarray]]) -> Iterator[list[np.ndarray]]:
    for name in ("baseline", "avx2", "avx512"):
        if _native.select_instruction_set(name):
            yield draw()


@pytest.mark.usefixtures("_best_instruction_set")
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_width_is_the_same_on_every_instruction_set(channels: int) -> None:
    for width in WIDTHS:
        data = picture(width, HEIGHTS[(width + channels) % len(HEIGHTS)], channels)
        first, *others = on_all_instruction_sets(lambda data=data: list(drawings(data)))
        for drawn in others:
            for expected, found in zip(first, drawn, strict=True):
                assert found.tobytes() == expected.tobytes(), width


@pytest.mark.parametrize("deep", [False, True])
def test_every_width_is_as_the_plain_decoder_draws_it(deep: bool) -> None:
    for width in WIDTHS:
        channels = 1 + width % 4
        data = picture(width, HEIGHTS[width % len(HEIGHTS)], channels, deep=deep)
        expected = gimg.decode(data).pixels_without_grain()
        dtype = np.uint16 if deep else np.uint8
        found = decode(data, dtype=dtype, grain=False).reshape(expected.shape)
        off = np.abs(found.astype(np.int64) - expected)
        if channels % 2 == 0:
            # A color is known as well as its product with alpha is.
            off[..., :-1] = off[..., :-1] * found[..., -1:] // np.iinfo(dtype).max
        wrong = (off > (16 if deep else 1)).any(axis=2)
        # A pixel at a Gaussian's edge may be in it or out of it.
        assert wrong.sum() <= 1 + wrong.size // 500, width
