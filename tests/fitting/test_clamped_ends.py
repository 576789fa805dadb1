"""The ends of the range, which fits and files may exceed."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from gaussianimage import as_picture, decode, encode, fit, render
from gaussianimage.codec.encoder.stretch import Stretch
from gaussianimage.fitting import clamped_ends
from gaussianimage.fitting.clamped_ends import forgiven, with_ends
from gaussianimage.metrics import psnr
from gaussianimage.picture import Ends, Picture


def drawing() -> NDArray[np.uint8]:
    """Return black rings on white, (96, 128, 3)."""
    image = Image.new("RGB", (128, 96), "white")
    pen = ImageDraw.Draw(image)
    rng = np.random.default_rng(0)
    for _ in range(9):
        x, y, r = rng.integers(0, 128), rng.integers(0, 96), rng.integers(6, 30)
        pen.ellipse((x - r, y - r, x + r, y + r), outline="black", width=2)
    return np.asarray(image)


@pytest.fixture
def _strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clamped_ends, "LEAST_SHARE", 2.0)


def test_sides_are_where_the_source_is_white_or_black() -> None:
    pixels = np.full((10, 10, 3), 128, np.uint8)
    pixels[:2, :, 0] = 255
    pixels[5:, :, 2] = 0
    pixels[3, 3] = 254, 1, 255
    found = with_ends(as_picture(pixels), 0.3).ends
    assert found is not None
    assert found.room == 0.3
    assert np.array_equal(found.sides, (pixels == 255).astype(int) - (pixels == 0))


def test_a_picture_of_few_such_values_has_no_ends() -> None:
    pixels = np.full((100, 100), 128, np.uint8)
    pixels[0, :99] = 255
    assert with_ends(as_picture(pixels), 0.1).ends is None
    pixels[0, 99] = 255
    assert with_ends(as_picture(pixels), 0.1).ends is not None


@pytest.mark.parametrize("level", [0, 255])
def test_a_picture_of_one_color_has_no_ends(level: int) -> None:
    assert with_ends(as_picture(np.full((20, 30, 3), level, np.uint8)), 0.1).ends is None


def test_a_stretched_picture_keeps_the_ends_of_its_source() -> None:
    pixels = np.full((20, 20), 230, np.uint8)
    pixels[:5] = 255
    pixels[9] = 200
    picture = with_ends(as_picture(pixels), 0.1)
    stretched = Stretch.for_picture(picture).apply(picture)
    assert stretched.pixels.max() < 1
    assert stretched.ends is picture.ends


def test_forgiven_is_the_distance_to_what_is_allowed() -> None:
    sides = np.array([[[1, -1, 0, 1, -1]]], np.int8)
    residual = np.array([[[0.3, 0.05, -0.2, -0.1, -0.05]]], np.float32)
    found = forgiven(residual, Ends(sides, 0.1))
    np.testing.assert_allclose(found, [[[0.2, 0.05, -0.2, -0.1, 0]]], atol=1e-7)
    rows = np.concatenate([np.zeros_like(sides), sides])
    assert np.array_equal(forgiven(residual, Ends(rows, 0.1), slice(1, 2)), found)


@pytest.mark.parametrize("sides", [np.zeros((4, 4, 1), np.int8), np.zeros((4, 5, 1), np.float32)])
def test_ends_of_another_picture_are_refused(sides: NDArray[np.int8]) -> None:
    with pytest.raises(ValueError, match="ends: expected int8"):
        Picture(np.zeros((4, 5, 1), np.float32), ends=Ends(sides, 0.1))


def _clamped_psnr(beyond: float) -> float:
    """Return the PSNR of a fit of the drawing, clamped."""
    drawn = render(fit(drawing(), 400, iterations=300, beyond=beyond).gaussians)
    return psnr(drawing().astype(np.float32) / 255, np.clip(drawn, 0, 1))


def test_a_fit_that_may_exceed_white_is_better_where_it_is_clamped() -> None:
    strict, free, freer = (_clamped_psnr(beyond) for beyond in (0, 0.1, 1))
    assert free > strict + 1
    assert freer > free + 1


def test_the_psnr_of_a_fit_does_not_count_what_is_allowed() -> None:
    result = fit(drawing(), 200, iterations=300, beyond=0.2)
    white = drawing().astype(np.float32) / 255
    drawn = render(result.gaussians)
    assert psnr(white, drawn) < result.psnr < psnr(white, np.clip(drawn, 0, 1)) + 0.01


@pytest.mark.parametrize("beyond", [-0.1, 101, float("nan")])
def test_a_fit_may_not_exceed_white_by_less_than_nothing(beyond: float) -> None:
    with pytest.raises(ValueError, match="beyond"):
        fit(drawing(), 10, iterations=1, beyond=beyond)


def test_a_file_of_a_drawing_is_smaller(request: pytest.FixtureRequest) -> None:
    picture = drawing()
    free = encode(picture, psnr=38, effort=2)
    request.getfixturevalue("_strict")
    strict = encode(picture, psnr=38, effort=2)
    assert len(free) < 0.93 * len(strict)
    for data in (free, strict):
        assert psnr(picture, decode(data)) > 37


def test_a_smaller_drawing_is_no_worse(request: pytest.FixtureRequest) -> None:
    picture = drawing()
    small = np.asarray(Image.fromarray(picture).resize((64, 48), Image.Resampling.BOX))
    free = encode(picture, quality=75, effort=2)
    request.getfixturevalue("_strict")
    strict = encode(picture, quality=75, effort=2)
    size = (48, 64)
    assert psnr(small, decode(free, size=size)) > psnr(small, decode(strict, size=size)) - 0.5


def test_alpha_has_no_ends() -> None:
    alpha = np.where(np.hypot(*(np.mgrid[0:64, 0:64] - 32)) < 24, 255, 0).astype(np.uint8)
    picture = np.dstack([np.full((64, 64, 3), 200, np.uint8), alpha])
    found = with_ends(as_picture(picture), 0.1).ends
    assert found is not None
    assert not found.sides[..., 3].any()
    assert (found.sides[..., :3] == -(alpha == 0)[..., None].astype(int)).all()
    assert np.array_equal(decode(encode(picture, effort=2))[..., 3], alpha)
