"""The figure of the codec, drawn into a file."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gaussianimage.paper.figures import MissingMatplotlibError, draw_rate_distortion
from gaussianimage.paper.tables.comparison import grouped


@pytest.mark.parametrize("metrics", [2, 1])
def test_it_has_a_panel_for_each_metric(coding: Any, tmp_path: Path, metrics: int) -> None:
    pytest.importorskip("matplotlib")
    records = [coding(0.4, 25.0), coding(0.8, 28.0, gaussians=2000)]
    if metrics == 1:
        records[0].measured["ms_ssim"] = None
    (group,) = grouped(records, ["gaussians"])
    draw_rate_distortion(group, tmp_path / "new/figure.png")
    with Image.open(tmp_path / "new/figure.png") as figure:
        assert figure.width == metrics * 960


def test_the_whole_title_is_seen_however_many_pictures_it_names(
    coding: Any, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    names = [f"a picture of number {number}" for number in range(6)]
    records = [coding(rate, 20 + 9 * rate, name) for name in names for rate in (0.4, 0.8)]
    for record in records:
        record.settings["gaussians"] = int(1000 * record.measured["bpp"]["plain"])
        record.measured["ms_ssim"] = None
    (group,) = grouped(records, ["gaussians"])
    draw_rate_distortion(group, tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as figure:
        pixels = np.asarray(figure.convert("L"))
    title = pixels[:60]
    assert title.min() < 128
    assert title[:, :4].min() == title[:, -4:].min() == 255


def test_without_matplotlib_the_error_names_the_extra(
    coding: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (group,) = grouped([coding(0.4, 25.0)], ["gaussians"])
    with pytest.raises(MissingMatplotlibError, match=r"pip install gaussianimage\[bench\]"):
        draw_rate_distortion(group, tmp_path / "figure.png")
    assert not (tmp_path / "figure.png").exists()
