import pytest
from lib.analysis import Measurements
from lib.measure import OURS
from PIL import Image

pytest.importorskip("matplotlib")


@pytest.mark.parametrize(("ms_ssim", "panels"), [(True, 2), (False, 1)])
def test_the_figure_has_a_panel_for_each_metric(tmp_path, make_records, ms_ssim, panels):
    from lib import plots

    ours = make_records(OURS, 0.5, dial="bpp", ms_ssim=ms_ssim)
    records = [*ours, *make_records("jpeg", 1.0, ms_ssim=ms_ssim)]
    plots.draw(Measurements(records), tmp_path / "new/curves.png")
    with Image.open(tmp_path / "new/curves.png") as figure:
        assert figure.width == panels * 960
