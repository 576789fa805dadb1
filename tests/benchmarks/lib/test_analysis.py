import json

import pytest
from lib import paper_curve
from lib.analysis import ONLY_FOR, RANGES, Measurements, analyze
from lib.measure import OURS


@pytest.fixture
def measured(make_records):
    ours = make_records(OURS, 0.5, dial="bpp") + make_records(OURS, 0.5)
    return Measurements([*ours, *make_records("jpeg", 1.0), *make_records("webp", 0.8)])


def entries(analysis, rival, metric="psnr"):
    return [
        entry
        for entry in analysis["comparisons"]
        if entry["rival"] == rival and entry["metric"] == metric
    ]


def test_all_three_ways_agree_when_every_picture_behaves_alike(measured):
    for entry in entries(analyze(measured), "jpeg"):
        assert entry["equal_rates"]["bd_rate"] == pytest.approx(-50, abs=0.1)
        assert entry["per_setting"]["bd_rate"] == pytest.approx(-50, abs=0.1)
        assert entry["pictures_mean"] == pytest.approx(-50, abs=0.1)
        assert set(entry["pictures"]) == {"p", "q"}


def test_every_range_and_metric_is_there_for_every_rival(measured):
    analysis = analyze(measured)
    assert len(entries(analysis, "jpeg")) == len(RANGES)
    assert len(entries(analysis, "jpeg", "ms_ssim")) == len(RANGES)
    assert len(entries(analysis, "webp")) == len(RANGES) - len(ONLY_FOR)
    assert entries(analysis, "webp")[0]["equal_rates"]["bd_rate"] == pytest.approx(-37.5, abs=0.1)
    json.dumps(analysis, allow_nan=False)


def test_the_paper_is_compared_at_equal_rates_and_without_pictures(measured):
    for entry in entries(analyze(measured), paper_curve.KEY):
        assert entry["pictures"] == {}
        assert entry["pictures_mean"] is None
        assert entry["per_setting_dial"] == "bpp"
    assert entries(analyze(measured), paper_curve.KEY)[1]["equal_rates"]["bd_rate"] < 0


def test_per_setting_only_like_is_compared_with_like(make_records):
    records = [*make_records(OURS, 0.5, dial="bpp"), *make_records("jpeg", 1.0)]
    jpeg, *_ = entries(analyze(Measurements(records)), "jpeg")
    assert jpeg["per_setting"] is None
    assert jpeg["equal_rates"] is not None


def test_the_worst_picture_is_named(make_records):
    ours = make_records(OURS, 0.5, pictures=("p",)) + make_records(OURS, 0.9, pictures=("q",))
    analysis = analyze(Measurements([*ours, *make_records("jpeg", 1.0)]))
    jpeg = entries(analysis, "jpeg")[1]
    # The second picture of the maker's JPEG is a dB better than its first.
    assert (jpeg["pictures_best"], jpeg["pictures_worst"]) == ("p", "q")
    assert jpeg["pictures"]["p"]["bd_rate"] < jpeg["pictures"]["q"]["bd_rate"]


def test_pictures_too_small_for_ms_ssim_are_measured_by_psnr_alone(make_records):
    records = [*make_records(OURS, 0.5, ms_ssim=False), *make_records("jpeg", 1.0, ms_ssim=False)]
    analysis = analyze(Measurements(records))
    assert {entry["metric"] for entry in analysis["comparisons"]} == {"psnr"}


def test_unequal_shares_are_what_one_quality_for_all_costs(make_records):
    # Half of the pictures take four times the bits at the same quality.
    busy = make_records("jpeg", 2.0, pictures=("p",))
    smooth = make_records("jpeg", 0.5, pictures=("q",))
    ours = make_records(OURS, 0.5, dial="bpp")
    shares = analyze(Measurements([*ours, *busy, *smooth]))["unequal_shares"]
    assert shares["jpeg"] > 5
    assert shares[OURS] == pytest.approx(0, abs=0.5)


def test_times_are_medians_by_setting(measured):
    jpeg = next(row for row in analyze(measured)["seconds"] if row["codec"] == "jpeg")
    assert jpeg["settings"][3]["encode"] == {"median": 2.0, "iqr": 0.0, "most": 2.0}


def test_rate_control_is_told_in_percent_of_what_was_asked_for(measured):
    control = analyze(measured)["rate_control"]
    expected = [100 * (0.5 * 0.04 * 1.7**s / s - 1) for s in range(1, 8)]
    assert control["least"] == pytest.approx(min(expected))
    assert control["most"] == pytest.approx(max(expected))
