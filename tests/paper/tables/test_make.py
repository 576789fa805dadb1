"""The paper's tables: the right results in the right cells, and the published figures beside."""

from typing import Any

import pytest

from gaussianimage.paper.tables import published
from gaussianimage.paper.tables.make import Table, make_tables


def one(records: list[Any], title: str) -> Table:
    (table,) = (table for table in make_tables(records) if table.title.startswith(title))
    return table


def row(table: Table, name: str) -> list[str]:
    (cells,) = (cells for cells in table.rows if cells[0] == name)
    assert len(cells) == len(table.header)
    return list(cells[1:])


def test_no_results_make_no_tables() -> None:
    assert make_tables([]) == []


def test_table_1_has_our_means_above_the_published_rows(fit: Any) -> None:
    records = [fit(30.0), fit(31.0, picture="kodim05"), fit(28.0, model="3dgs", loss="l1+ssim")]
    table = one(records, "Table 1: representation of Kodak")
    assert row(table, "Ours, N=1000") == ["30.00", "0.9000", "10.00", "500.00", "400", "8.00"]
    assert row(table, "3D GS, N=1000")[0] == "28.00"
    assert row(table, "Ours, published")[:2] == ["44.08", "0.9985"]
    assert "Means over 1 of Kodak (kodim03); 1 more that not every row has" in table.note
    assert "500 iterations, learning rate 0.001 halved every 20000, seed 1, cpu" in table.note


def test_table_1_has_no_ablations_and_no_published_rows_for_other_pictures(fit: Any) -> None:
    records = [fit(30.0, picture="a"), fit(20.0, picture="a", loss="l1")]
    records += [fit(20.0, picture="a", offset=False), fit(20.0, picture="a", model="3dgs")]
    table = one(records, "Table 1: representation of pictures")
    assert [cells[0] for cells in table.rows] == ["Ours, N=1000"]


def test_numbers_that_were_not_measured_are_dashes(fit: Any) -> None:
    record = fit(30.0)
    record.measured.update(ms_ssim=None, memory_mib=None)
    table = one([record], "Table 1")
    assert row(table, "Ours, N=1000")[1] == "–"
    assert "MS-SSIM needs pictures of at least 161 pixels a side." in table.note
    assert "161" not in one([fit(30.0)], "Table 1").note


def test_splatting_from_all_over_the_picture_has_a_row_of_its_own(fit: Any) -> None:
    records = [fit(28.0, model="3dgs", loss="l1+ssim", fill=True), fit(30.0)]
    records.append(fit(20.0, model="3dgs", loss="l1+ssim"))
    table = one(records, "Table 1")
    assert row(table, "3D GS, N=1000")[0] == "20.00"
    assert row(table, "3D GS, N=1000, filled")[0] == "28.00"
    table = one(records, "Table 3")
    assert row(table, "3D GS (L1+SSIM)")[2] == "−10.00"
    assert row(table, "3D GS (L1+SSIM), filled")[2] == "−2.00"


def test_table_3_tells_how_far_every_variant_is_from_the_final_one(fit: Any) -> None:
    records = [fit(30.0), fit(29.0, loss="l1"), fit(29.5, model="3dgs", loss="l1+ssim")]
    table = one(records, "Table 3")
    assert row(table, "L1")[:4] == ["29.00", "36.46", "−1.00", "−2.11"]
    assert row(table, "3D GS (L1+SSIM)")[:4] == ["29.50", "37.75", "−0.50", "−0.82"]
    assert row(table, "+ merged color")[:4] == ["30.00", "38.57", "+0.00", "+0.00"]
    assert len(table.rows) == 3


def test_table_3_needs_two_variants_of_one_recipe(fit: Any) -> None:
    records = [fit(30.0), fit(29.0, loss="l1", iterations=400)]
    assert not [table for table in make_tables(records) if "Table 3" in table.title]


def test_table_5_sets_models_with_and_without_the_offset_side_by_side(fit: Any) -> None:
    records = [fit(30.0), fit(27.5, offset=False), fit(30.5, model="rs")]
    table = one(records, "Table 5")
    assert row(table, "Ours") == ["30.00", "27.50", "−2.50", "38.57", "35.05", "−3.52"]
    assert row(table, "Ours (RS)") == ["30.50", "–", "–", "38.83", "36.34", "−2.49"]


def test_table_5_of_another_loss_says_so(fit: Any) -> None:
    pair = [fit(30.0, "a", loss="ssim"), fit(27.5, "a", loss="ssim", offset=False)]
    note = one(pair, "Table 5").note
    assert note.startswith("Means over 1 picture (a); N=1000;")
    assert ", loss ssim, seed 1" in note


def test_table_2_has_rates_of_files_and_speeds(coding: Any) -> None:
    table = one([coding(0.7, 28.0)], "Table 2")
    assert row(table, "Ours, N=1000") == ["0.7000", "28.00", "0.7000", "5.00e-02", "300.00"]
    published_rows = [cells for cells in table.rows if cells[0] == "COIN, published"]
    assert [cells[1] for cells in published_rows] == ["0.3419", "0.6780"]


def test_table_4_has_the_deltas_of_curves(coding: Any) -> None:
    records = []
    for count, rate, psnr in ((1000, 0.2, 25.0), (2000, 0.4, 28.0), (3000, 0.8, 31.0)):
        records.append(coding(rate, psnr, gaussians=count))
        records.append(coding(rate, psnr - 1, gaussians=count, commitment=False))
        records.append(coding(1.25 * rate, psnr, gaussians=count, color="int"))
    table = one(records, "Table 4")
    assert table.header[1:4] == ("N=1000: bpp → dB", "N=2000: bpp → dB", "N=3000: bpp → dB")
    final, without, integers = (list(cells[4:]) for cells in table.rows)
    assert row(table, "final")[0] == "0.2000 → 25.00"
    assert final[0] == "+0.000"
    assert final[2] == "+0.0 %"
    assert (without[0], without[1]) == ("−1.000", "−3.145")
    assert integers[2:4] == ["+25.0 %", "+7.0 %"]


def test_table_4_of_one_number_of_gaussians_has_points_and_no_deltas(coding: Any) -> None:
    records = [coding(0.4, 25.0), coding(0.4, 24.0, commitment=False)]
    table = one(records, "Table 4")
    assert row(table, "V1: no commitment")[:3] == ["0.4000 → 24.00", "–", "−3.145"]


def test_the_points_stand_beside_the_paper_s_of_the_same_number(coding: Any) -> None:
    records = [coding(0.45, 27.0, gaussians=3000), coding(0.3, 26.0, gaussians=2000)]
    table = one(records, "Rate–distortion on Kodak")
    assert [cells[0] for cells in table.rows] == ["2000", "3000"]
    assert row(table, "3000")[:5] == ["0.4500", "0.4455", "0.4316", "27.00", "27.39"]
    assert row(table, "3000")[7:] == ["0.4275", "0.3825", "0.366", "–"]
    assert row(table, "2000")[2] == "–"


def test_a_note_tells_what_is_not_as_usual(coding: Any) -> None:
    records = [coding(0.4, 27.0, model="rs", covariance_bits=8, scaling=False, optimizer="adam")]
    note = one(records, "Table 2").note
    assert "model rs, optimizer adam, covariance bits 8, scaling false, seed 1, cpu" in note
    usual = one([coding(0.4, 27.0)], "Table 2").note
    assert usual.startswith("Means over 1 of Kodak (kodim03); ")
    assert "halved every 20000, seed 1, cpu" in usual


def test_the_paper_s_rates_follow_from_its_count_of_bits() -> None:
    for point in published.RATE_DISTORTION["kodak"]:
        bits = published.formula_bits(point.gaussians)
        assert bits / (768 * 512) == pytest.approx(point.bpp, abs=6e-5)


def test_fits_that_no_table_of_the_paper_has_are_in_one_of_their_own(fit: Any) -> None:
    records = [fit(30.0), fit(29.0, loss="l2+l1"), fit(28.0, loss="l2+l1", picture="kodim05")]
    records += [fit(27.0, loss="l1+ms-ssim", offset=False, gaussians=500)]
    (first, table) = make_tables(records)
    assert first.title == "Table 1: representation of Kodak"
    assert table.title == "Other fits of Kodak"
    assert table.header == ("fit", "N", "iterations", "pictures", "PSNR", "MS-SSIM", "train s")
    assert table.rows == (
        ("cholesky, l1+ms-ssim, no offset", "500", "500", "1", "27.00", "0.9000", "10.00"),
        ("cholesky, l2+l1", "1000", "500", "2", "28.50", "0.9000", "10.00"),
    )
    assert table.note.endswith("learning rate 0.001, halved every 20000, seed 1, cpu.")


@pytest.mark.parametrize(
    "changes",
    [{"loss": "l1"}, {"loss": "l2+l1"}, {"offset": False}, {"model": "3dgs"}],
)
def test_a_fit_alone_is_in_a_table(fit: Any, changes: dict[str, Any]) -> None:
    (table,) = make_tables([fit(30.0, "a", **changes)])
    assert table.title == "Other fits of pictures"
    assert [cells[4] for cells in table.rows] == ["30.00"]


def test_a_fit_that_a_table_of_the_paper_has_is_not_among_the_others(fit: Any) -> None:
    records = [fit(30.0), fit(29.0, loss="l1"), fit(27.0, offset=False)]
    titles = [table.title.partition(":")[0] for table in make_tables(records)]
    assert titles == ["Table 1", "Table 3", "Table 5"]


def test_a_fit_without_a_picture_in_common_with_table_1_is_among_the_others(fit: Any) -> None:
    records = [fit(30.0, "a"), fit(31.0, "b"), fit(25.0, "c", gaussians=500)]
    assert row(one(records, "Table 1"), "Ours, N=1000")[0] == "30.50"
    assert row(one(records, "Other fits"), "cholesky, l2")[3:4] == ["25.00"]


def test_other_fits_tell_the_settings_that_differ_between_them(fit: Any) -> None:
    records = [fit(30.0, loss="l1"), fit(29.0, loss="l1", learning_rate=0.02)]
    records.append(fit(28.0, loss="l1", fill=True, optimizer="adam", seed=2))
    table = one(records, "Other fits")
    assert [cells[0] for cells in table.rows] == [
        "cholesky, l1, learning rate 0.001, seed 1",
        "cholesky, l1, learning rate 0.02, seed 1",
        "cholesky, l1, fill, learning rate 0.001, seed 2, optimizer adam",
    ]
    assert table.note.endswith("pictures; halved every 20000, cpu.")


def test_codecs_that_no_table_of_the_paper_has_are_in_one_of_their_own(coding: Any) -> None:
    records = [coding(0.4, 27.0, color="int", color_bits=5), coding(0.3, 20.0, commitment=False)]
    (table,) = make_tables(records)
    assert table.title == "Other codecs on Kodak"
    assert row(table, "cholesky, l2, int, color bits 5")[:5] == [
        *("1000", "500", "1", "0.4000", "27.00")
    ]
    assert row(table, "cholesky, l2, rvq, no commitment")[3] == "0.3000"
    with_final = make_tables([*records, coding(0.4, 28.0)])
    (others,) = (table for table in with_final if table.title.startswith("Other"))
    assert [cells[0] for cells in others.rows] == ["cholesky, l2, int, color bits 5"]


def test_markdown_is_a_table_for_the_eye_too() -> None:
    table = Table("Title", ("a", "long"), (("b", "1"), ("longer", "22")), "Note.")
    assert table.markdown() == (
        "## Title\n\n"
        "| a      | long |\n"
        "| ------ | ---: |\n"
        "| b      |    1 |\n"
        "| longer |   22 |\n\n"
        "Note.\n"
    )
