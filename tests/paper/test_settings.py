"""The settings of a fit: refused values, and the folder of their results."""

import dataclasses
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.settings import FitSettings

SETTINGS = FitSettings(40, recipe=Recipe(iterations=6, learning_rate=0.05))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gaussians": 0}, "gaussians: expected at least 1, got 0"),
        ({"model": "2dgs"}, "model: expected one of 3dgs, alpha, opacity, cholesky, rs"),
        ({"model": "3dgs", "offset": False}, "offset: the model 3dgs has none"),
        ({"fill": True}, "fill: only for the model 3dgs, got cholesky"),
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
