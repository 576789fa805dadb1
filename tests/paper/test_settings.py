"""The settings of a fit: refused values, and the folder of their results."""

import dataclasses
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.released_code import RELEASED, ReleasedCode
from gaussianimage.paper.settings import FitSettings

SETTINGS = FitSettings(40, recipe=Recipe(iterations=6, learning_rate=0.05))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gaussians": 0}, "gaussians: expected at least 1, got 0"),
        ({"model": "2dgs"}, "model: expected one of 3dgs, alpha, opacity, cholesky, rs"),
        ({"model": "3dgs", "offset": False}, "offset: the model 3dgs has none"),
        ({"fill": True}, "fill: only for the model 3dgs, got cholesky"),
        ({"loop": "fast"}, "loop: expected one of auto, native, torch, got 'fast'"),
        ({"model": "opacity", "released": RELEASED}, "released: only for the models cholesky and"),
        ({"device": "meta"}, "device: expected cpu or cuda, got 'meta'"),
    ],
)
def test_settings_that_make_no_fit_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        dataclasses.replace(SETTINGS, **values)


def test_settings_have_a_folder_that_says_what_they_are() -> None:
    settings = dataclasses.replace(SETTINGS, offset=False, recipe=Recipe(loss="l1+ssim"))
    folder = str(settings.setting.folder)
    assert folder.startswith("represent/cholesky-n40-l1-ssim-no-offset-i50000-")


def test_the_released_code_is_another_setting_and_the_loop_is_not() -> None:
    plain = SETTINGS.setting
    assert "released" not in plain.values
    assert dataclasses.replace(SETTINGS, loop="torch").setting == plain
    released = dataclasses.replace(SETTINGS, released=RELEASED).setting
    assert released.folder != plain.folder
    assert "as-released" in released.label
    one = dataclasses.replace(SETTINGS, released=ReleasedCode(tile_cut=True)).setting
    assert one.values["released"] == {"tile_cut": True}
    assert one.folder != released.folder


def test_pixels_of_integer_coordinates_shift_the_canvas() -> None:
    model = dataclasses.replace(SETTINGS, released=RELEASED).make_model(20, 30)
    assert model.canvas.shift == 0.5
    assert SETTINGS.make_model(20, 30).canvas.shift == 0
