import pytest
from lib.analysis import Measurements, analyze
from lib.measure import OURS
from lib.tables import write_report

REPORT = {"cpu": "CPU", "cpus": 2, "gaussianimage": "0", "commit": "abc", "threads": [2]}


@pytest.fixture
def measured(make_records):
    ours = make_records(OURS, 0.5, dial="bpp") + make_records(OURS, 0.5)
    return Measurements([*ours, *make_records("jpeg", 1.0)])


def test_the_report_shows_every_picture_range_and_metric(measured):
    text = write_report(measured, analyze(measured), REPORT, [5], 1)
    for part in ("| p ", "| q ", "0.05–0.3", "0.06–0.9", "0.08–0.7", "MS-SSIM", "−50.0 %"):
        assert part in text
    assert "not comparable" not in text
    assert "nan" not in text


def test_times_of_parallel_jobs_are_marked(measured):
    assert "not comparable" in write_report(measured, analyze(measured), REPORT, [5], 2)
