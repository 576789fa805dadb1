"""The quantized picture as a value, and the Gaussians that it draws."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from paper_samples import PAPER_Q_MAX, paper_record

from gaussianimage.codec.paper_profile.quantizers import UniformQuantizer, VectorQuantizer
from gaussianimage.codec.paper_profile.record import PaperRecord

STEPS = UniformQuantizer(6, [0.25, 0.5, 1.0], [-1.0, -2.0, -3.0])
COLORS = VectorQuantizer(np.arange(48).reshape(2, 8, 3) / 8)


def one(shape: tuple[int, int, int] = (10, 7, 5), **options: Any) -> PaperRecord:
    values: dict[str, Any] = {
        "positions": [[0.5, -1.25]],
        "shapes": [shape],
        "colors": [[3, 6]],
        "shape_quantizer": STEPS,
        "color_quantizer": COLORS,
        "height": 20,
        "width": 30,
        "q_max": 4.5,
    }
    return PaperRecord(**(values | options))


def test_centers_are_on_the_tanh_of_the_positions() -> None:
    expected = [15 * (math.tanh(0.5) + 1), 10 * (math.tanh(-1.25) + 1)]
    assert one().gaussians().means[0] == pytest.approx(expected)
    shifted = one(half_pixel=True).gaussians().means[0]
    assert shifted == pytest.approx([x + 0.5 for x in expected])


def test_positions_are_halves() -> None:
    record = one(positions=[[0.1, 1e6]])
    assert record.positions.dtype == np.float16
    assert record.gaussians().means[0] == pytest.approx(
        [15 * (math.tanh(np.float16(0.1)) + 1), 20], abs=1e-12
    )


@pytest.mark.parametrize("offset", [False, True])
def test_shapes_are_cholesky_factors_of_any_sign(offset: bool) -> None:
    extra = 0.5 if offset else 0
    l11, l21, l22 = -1 + 2 * 0.25 + extra, -2 + 7 * 0.5, -3 + 5 * 1.0 + extra
    found = one((2, 7, 5), offset=offset).gaussians().covariance[0]
    assert found == pytest.approx([l11**2, l11 * l21, l21**2 + l22**2])


@pytest.mark.parametrize("offset", [False, True])
def test_shapes_are_scales_and_a_rotation(offset: bool) -> None:
    extra = 0.5 if offset else 0
    s1, s2, r = -1 + 10 * 0.25 + extra, -2 + 7 * 0.5 + extra, -3 + 4 * 1.0
    angle = 2 * math.pi / (1 + math.exp(-r))
    axes = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    expected = axes @ np.diag([s1**2, s2**2]) @ axes.T
    found = one((10, 7, 4), rotation=True, offset=offset).gaussians().covariance[0]
    assert found == pytest.approx([expected[0, 0], expected[0, 1], expected[1, 1]])


def test_colors_are_the_quantizers() -> None:
    assert one().gaussians().colors.tolist() == [
        [3 * 3 / 8 + 42 / 8, 10 / 8 + 43 / 8, 11 / 8 + 5.5]
    ]
    levels = UniformQuantizer(8, [0.5], [-1.0])
    found = one(color_quantizer=levels, colors=[[5]]).gaussians()
    assert found.colors.tolist() == [[1.5]]
    assert found.channels == 1


def test_the_paper_counts_56_bits_a_gaussian_and_1728_for_the_quantizers() -> None:
    for count in (0, 1, 800, 9000):
        assert paper_record(count).formula_bits == 56 * count + 1728


def test_other_quantizers_count_their_own_bits() -> None:
    record = paper_record(10, color="uniform", color_bits=8)
    assert record.widths == (16, 16, 6, 6, 6, 8, 8, 8)
    assert record.formula_bits == 10 * 74 + 32 * 6 + 32 * 6


def test_the_cut_off_is_one_that_a_file_can_hold() -> None:
    record = one(q_max=PAPER_Q_MAX)
    assert record.q_max == pytest.approx(PAPER_Q_MAX, abs=1 / 4096)
    assert record.q_max * 2048 == round(record.q_max * 2048)
    assert record.gaussians().q_max == record.q_max


def test_rows_and_back() -> None:
    record = paper_record(40, 3)
    assert record.with_rows(record.rows()) == record
    assert record.rows()[:, :2].tolist() == record.positions.view(np.uint16).tolist()


@pytest.mark.parametrize("repeats", [False, True])
def test_the_canonical_order_does_not_depend_on_the_order(repeats: bool) -> None:
    record = paper_record(200, repeats=repeats)
    shuffled = record.with_rows(record.rows()[np.random.default_rng(0).permutation(200)])
    assert shuffled != record
    assert shuffled.canonical() == record.canonical()
    rows = list(map(tuple, record.canonical().rows().tolist()))
    assert rows == sorted(rows)
    other = record.rows().copy()
    other[0, 4] ^= 1
    assert record.with_rows(other).canonical() != record.canonical()


@pytest.mark.parametrize(
    "changes",
    [
        {"height": 13},
        {"width": 17},
        {"q_max": 4.5},
        {"rotation": True},
        {"offset": False},
        {"half_pixel": True},
        {"shape_quantizer": UniformQuantizer(6, [1, 1, 1], [0, 0, 0])},
        {"color_quantizer": VectorQuantizer(np.zeros((2, 8, 3)))},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_records_that_differ_in_anything_are_not_equal(changes: dict[str, Any]) -> None:
    record = paper_record(5)
    assert replace(record) == record
    assert replace(record, **changes) != record
    assert record != "record"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"positions": [[1, 2, 3]]}, ValueError, r"positions: expected shape \(N, 2\)"),
        ({"positions": [[np.nan, 2]]}, ValueError, "positions: .*NaN"),
        ({"positions": [["a", "b"]]}, TypeError, "positions: expected real numbers"),
        ({"shapes": [[1, 2]]}, ValueError, r"shapes: expected shape \(1, 3\), got \(1, 2\)"),
        ({"shapes": [[1, 2, 64]]}, ValueError, "shapes: expected 0 to 63, got 1 to 64"),
        ({"shapes": [[-1, 2, 3]]}, ValueError, "shapes: expected 0 to 63, got -1 to 3"),
        ({"shapes": [[1.0, 2, 3]]}, TypeError, "shapes: expected integers"),
        ({"colors": [[1, 8]]}, ValueError, "colors: expected 0 to 7"),
        ({"colors": [[1, 2, 3]]}, ValueError, r"colors: expected shape \(1, 2\)"),
        ({"shape_quantizer": UniformQuantizer(6, [1], [0])}, ValueError, "3 components, got 1"),
        ({"color_quantizer": VectorQuantizer(np.zeros((2, 8, 5)))}, ValueError, "1 to 4, got 5"),
        ({"height": 0}, ValueError, "height: expected 1 to 65536"),
        ({"width": 1.5}, TypeError, "width: expected an integer"),
        ({"q_max": 40.0}, ValueError, "q_max"),
    ],
    ids=str,
)
def test_what_cannot_be_stored_is_refused(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        one(**changes)


def test_a_record_cannot_be_changed() -> None:
    record = one()
    for array in (record.positions, record.shapes, record.colors):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 0


def test_extreme_parameters_draw_nothing_and_warn_of_nothing() -> None:
    huge = UniformQuantizer(6, [3e38] * 3, [3e38] * 3)
    for rotation in (False, True):
        found = one(shape_quantizer=huge, rotation=rotation).gaussians()
        assert not found.drawable().any()


def test_reprs_are_short() -> None:
    record = paper_record(500)
    assert repr(record).startswith("PaperRecord(500 Gaussians of 3 channels, height=")
    for value in (record, record.shape_quantizer, record.color_quantizer):
        assert "array" not in repr(value)
        assert len(repr(value)) < 120
