"""The comparisons of models, and their pictures."""

from typing import Any

from gaussianimage.paper.tables.comparison import grouped


def test_only_what_is_varied_differs_inside_of_a_group(fit: Any) -> None:
    records = [
        fit(30.0, loss="l1"),
        fit(31.0, loss="l2"),
        fit(32.0, loss="l2", iterations=900),
        fit(33.0, loss="l2", picture="a"),
    ]
    groups = grouped(records, ["loss"])
    assert [[row.mean("psnr") for row in group.rows] for group in groups] == [[30, 31], [32], [33]]
    assert [group.dataset for group in groups] == ["kodak", "kodak", "other"]
    assert "loss" not in groups[0].common
    assert groups[0].common["iterations"] == 500
    row = groups[0].row(loss="l1")
    assert row is not None
    assert row.mean("psnr") == 30
    assert groups[0].row(loss="ssim") is None


def test_groups_are_ordered_by_numbers_not_by_names_of_folders(fit: Any) -> None:
    sizes = [(1000, 500), (500, 2000), (500, 900)]  # as 1000 stands before 500 in a folder
    records = [fit(30.0, gaussians=n, iterations=steps) for n, steps in sizes]
    groups = grouped(records, ["loss"])
    found = [(group.common["gaussians"], group.common["iterations"]) for group in groups]
    assert found == sorted(sizes)


def test_what_is_not_wanted_is_in_no_group(fit: Any) -> None:
    records = [fit(30.0), fit(31.0, offset=False)]
    groups = grouped(records, ["offset"], lambda settings: bool(settings["offset"]))
    assert [len(group.rows) for group in groups] == [1]


def test_means_are_over_the_pictures_that_all_rows_have(fit: Any) -> None:
    records = [
        fit(30.0, picture="kodim01"),
        fit(40.0, picture="kodim02"),
        fit(99.0, picture="kodim03"),
        fit(20.0, picture="kodim02", loss="l1"),
        fit(10.0, picture="kodim01", loss="l1"),
    ]
    (group,) = grouped(records, ["loss"])
    assert group.pictures == ("kodim01", "kodim02")
    assert group.dropped == 1
    assert [row.mean("psnr") for row in group.rows] == [35, 15]


def test_a_row_of_other_pictures_alone_is_left_out(fit: Any) -> None:
    records = [
        fit(30.0, picture="kodim01"),
        fit(40.0, picture="kodim02"),
        fit(30.0, picture="kodim01", loss="l1"),
        fit(20.0, picture="kodim09", loss="ssim"),
        fit(20.0, picture="kodim02", loss="l2+ssim"),
    ]
    (group,) = grouped(records, ["loss"])
    assert [row.settings["loss"] for row in group.rows] == ["l2", "l1"]
    assert group.pictures == ("kodim01",)


def test_a_mean_exists_where_every_picture_has_a_number(coding: Any, fit: Any) -> None:
    records = [coding(1.0, 30.0), coding(3.0, 32.0, picture="kodim04")]
    (group,) = grouped(records, ["gaussians"])
    (row,) = group.rows
    assert row.mean("bpp", "plain") == 2
    assert row.mean("bpp", "interleaved") is None
    assert row.mean("seconds", "nested") is None
    records[0].measured["ms_ssim"] = None
    assert row.mean("ms_ssim") is None
