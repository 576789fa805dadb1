from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from watched_array import WatchedArray

from gaussianimage._util import row_blocks
from gaussianimage.codec.encoder.prepare import AlphaOptions, PreparedPicture, prepare
from gaussianimage.codec.encoder.probe import Prober
from gaussianimage.codec.encoder.targets import Target
from gaussianimage.errors import LimitError
from gaussianimage.picture import Picture, as_picture

QUALITY = Target("quality", 60.0)


def disk() -> Picture:
    """Return a gray picture that is opaque within a circle, 40 × 40."""
    y, x = np.mgrid[:40, :40]
    alpha = np.where((x - 20) ** 2 + (y - 20) ** 2 < 200, 255, 0)
    return as_picture(np.dstack([200 - x, alpha]).astype(np.uint8))


def ready(picture: Picture, target: Target = QUALITY, **options: Any) -> PreparedPicture:
    return prepare(picture, target, AlphaOptions(**options), "all", q_max=3.5)


def test_a_map_of_alpha_makes_some_pixels_count_less() -> None:
    found = ready(disk())
    assert found.alpha_map is not None
    assert found.picture.weights is not None
    assert 0 < found.picture.weights.min() < found.picture.weights.max() == 1


def test_alpha_that_is_left_out_leaves_a_picture_on_its_background() -> None:
    found = ready(disk(), background="black")
    assert found.alpha_map is None
    assert found.picture.channels == 1
    assert found.picture.pixels[0, 0, 0] == 0


def test_a_faint_picture_is_stretched() -> None:
    pixels = 100 + np.arange(64).reshape(8, 8) % 6
    found = ready(as_picture(pixels.astype(np.uint8)))
    assert np.ptp(found.picture.pixels) < 0.03
    assert np.ptp(found.fitted.pixels) > 0.9


def test_metadata_that_leaves_no_room_is_refused() -> None:
    picture = Picture(disk().pixels, exif=b"II*\0" + np.random.default_rng(0).bytes(5000))
    with pytest.raises(LimitError, match=r"size: .* 50\d\d bytes"):
        ready(picture, Target("size", 2000.0))
    assert ready(picture, Target("size", 9000.0)).most_bytes == pytest.approx(3980, abs=20)
    assert ready(picture).most_bytes is None


def test_a_small_file_gets_a_coarser_map() -> None:
    small, large = (ready(disk(), Target("size", size)) for size in (40.0, 4000.0))
    assert large.alpha_map is not None
    assert small.alpha_map is None or len(small.alpha_map) < len(large.alpha_map)


@pytest.mark.parametrize("range_", [(0, 255), (100, 110)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_python_can_see_ctrl_c_between_a_few_rows_and_the_next(
    channels: int, range_: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(0).integers(*range_, (301, 300, channels), np.uint8)
    usual = ready(as_picture(values))
    halved = Prober(usual.fitted, 1)._halved
    monkeypatch.setattr(row_blocks, "BLOCK_PIXELS", 1000)
    source = as_picture(values)
    watched = WatchedArray.of(source.pixels)
    found = ready(Picture(watched))
    assert 0 < max(watched.sizes) <= 1000 * channels
    assert_same(found.picture, usual.picture)
    assert_same(found.fitted, usual.fitted)
    fitted = WatchedArray.of(found.fitted.pixels)
    again = Prober(replace(found.fitted, pixels=fitted), 1)._halved
    assert 0 < max(fitted.sizes) <= 1000 * channels
    assert halved is not None
    assert again is not None
    assert_same(again, halved)


def assert_same(one: Picture, other: Picture) -> None:
    """Assert that all values of two pictures are the same to the bit."""
    assert np.array_equal(one.pixels, other.pixels)
    for name in ("weights", "ends"):
        mine, its = getattr(one, name), getattr(other, name)
        assert (mine is None) == (its is None)
        if mine is not None:
            mine, its = (v if name == "weights" else v.sides for v in (mine, its))
            assert np.array_equal(mine, its)
