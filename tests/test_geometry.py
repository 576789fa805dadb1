import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import POISONS, angles

from gaussianimage import geometry

EPS = np.finfo(np.float64).eps
LENGTHS = st.floats(math.log(0.3), math.log(8000)).map(math.exp)
# Each as (first scale, second scale, angle of the first).
ellipses = st.tuples(LENGTHS, LENGTHS, angles)


def exact_determinant(covariance):
    xx, xy, yy = (Fraction(float(entry)) for entry in covariance)
    return xx * yy - xy * xy


def exact_axes(covariance):
    """σ₁, σ₂ of the very entries given, to 60 digits."""
    with localcontext() as context:
        context.prec = 60
        xx, xy, yy = (Decimal(float(entry)) for entry in covariance)
        det = xx * yy - xy * xy
        major = (xx + yy) / 2 + (((xx - yy) / 2) ** 2 + xy * xy).sqrt()
        return major.sqrt(), (det / major).sqrt()


def relative_roundoff(covariance):
    """How much one rounding of the covariance's entries moves its small axis, relatively."""
    xx, _, yy = covariance
    return EPS * (1 + xx * yy / float(exact_determinant(covariance)))


@given(ellipses)
def test_determinant_is_accurate_however_thin_the_ellipse(ellipse):
    covariance = geometry.covariance_from_scale_rotation(ellipse[:2], ellipse[2])
    expected = exact_determinant(covariance)
    assert abs(Fraction(float(geometry.determinant(covariance))) - expected) <= 4 * EPS * expected


def test_determinant_keeps_its_digits_where_the_plain_expression_has_none():
    covariance = [1e8 + 1, 1e8, 1e8]
    assert geometry.determinant(covariance) == 1e8
    covariance = [3.0, 3.0, math.nextafter(3.0, 4.0)]
    assert geometry.determinant(covariance) == float(exact_determinant(covariance))


@given(ellipses)
def test_cholesky_factors_are_accurate(ellipse):
    covariance = geometry.covariance_from_scale_rotation(ellipse[:2], ellipse[2])
    l11, l21, l22 = geometry.cholesky_from_covariance(covariance)
    xx, xy, _ = covariance
    assert l11 == pytest.approx(math.sqrt(xx), rel=4 * EPS)
    assert l21 == pytest.approx(xy / math.sqrt(xx), rel=4 * EPS)
    assert l22 == pytest.approx(math.sqrt(exact_determinant(covariance) / Fraction(xx)), rel=1e-15)


@given(ellipses)
def test_axes_are_accurate(ellipse):
    covariance = geometry.covariance_from_scale_rotation(ellipse[:2], ellipse[2])
    major, minor = exact_axes(covariance)
    scales, rotation = geometry.scale_rotation_from_covariance(covariance)
    assert scales == pytest.approx([float(major), float(minor)], rel=1e-15)
    assert -math.pi / 2 < rotation <= math.pi / 2


@given(ellipses)
def test_log_euclidean_is_accurate(ellipse):
    covariance = geometry.covariance_from_scale_rotation(ellipse[:2], ellipse[2])
    major, minor = exact_axes(covariance)
    with localcontext() as context:
        context.prec = 60
        mean = float((major.ln() + minor.ln()) / 2)
        radius = float((major.ln() - minor.ln()) / 2)
    s, cosine, sine = geometry.log_euclidean_from_covariance(covariance)
    assert s == pytest.approx(mean, rel=1e-14, abs=1e-15)
    assert math.hypot(cosine, sine) == pytest.approx(radius, rel=1e-14, abs=1e-40)


@given(ellipses)
def test_conic_inverts_the_covariance(ellipse):
    covariance = geometry.covariance_from_scale_rotation(ellipse[:2], ellipse[2])
    xx, xy, yy = (Fraction(float(entry)) for entry in covariance)
    det = exact_determinant(covariance)
    expected = [float(yy / det), float(-xy / det), float(xx / det)]
    assert geometry.inverse(covariance) == pytest.approx(expected, rel=1e-15)


@given(ellipses)
def test_every_form_converts_back_to_the_covariance(ellipse):
    covariance = geometry.covariance_from_scale_rotation(ellipse[:2], ellipse[2])
    largest = max(covariance)
    back = {
        "cholesky": geometry.covariance_from_cholesky(
            geometry.cholesky_from_covariance(covariance)
        ),
        "scale rotation": geometry.covariance_from_scale_rotation(
            *geometry.scale_rotation_from_covariance(covariance)
        ),
        "log-Euclidean": geometry.covariance_from_log_euclidean(
            geometry.log_euclidean_from_covariance(covariance)
        ),
    }
    for form, result in back.items():
        assert result == pytest.approx(covariance, rel=1e-12, abs=1e-13 * largest), form


@given(ellipses)
def test_conic_of_the_conic_is_the_covariance(ellipse):
    covariance = geometry.covariance_from_scale_rotation(ellipse[:2], ellipse[2])
    back = geometry.inverse(geometry.inverse(covariance))
    tolerance = 16 * relative_roundoff(covariance)
    assert back == pytest.approx(covariance, rel=tolerance, abs=EPS * max(covariance))


@given(ellipses)
def test_scales_and_angle_survive_the_covariance(ellipse):
    first, second, angle = ellipse
    covariance = geometry.covariance_from_scale_rotation([first, second], angle)
    scales, rotation = geometry.scale_rotation_from_covariance(covariance)
    tolerance = 1e-14 + 8 * relative_roundoff(covariance)
    assert scales == pytest.approx([max(first, second), min(first, second)], rel=tolerance)
    elongation = 1 - min(first, second) / max(first, second)
    if elongation > 1e-3:
        expected = angle if first >= second else angle + math.pi / 2
        # An axis has no direction: angles agree modulo π.
        turn = (rotation - expected) / math.pi
        assert abs(turn - round(turn)) < 1e-12 / elongation


@given(st.tuples(st.floats(-2, 9), st.floats(-5, 5), st.floats(-5, 5)))
def test_log_euclidean_survives_the_covariance(log_euclidean):
    covariance = geometry.covariance_from_log_euclidean(log_euclidean)
    back = geometry.log_euclidean_from_covariance(covariance)
    tolerance = 1e-14 + 8 * relative_roundoff(covariance)
    assert back == pytest.approx(log_euclidean, rel=1e-13, abs=16 * tolerance)


@given(st.tuples(st.floats(-2, 4), st.floats(-2, 2), st.floats(-2, 2)))
def test_log_euclidean_is_half_the_matrix_logarithm(log_euclidean):
    s, cosine, sine = log_euclidean
    values, vectors = np.linalg.eigh([[s + cosine, sine], [sine, s - cosine]])
    expected = (vectors * np.exp(2 * values)) @ vectors.T
    xx, xy, yy = geometry.covariance_from_log_euclidean(log_euclidean)
    tolerance = 1e-12 * np.trace(expected)
    assert [[xx, xy], [xy, yy]] == pytest.approx(expected, rel=0, abs=tolerance)


def test_a_circle_has_no_deviator_and_no_angle():
    covariance = [6.25, 0.0, 6.25]
    assert geometry.log_euclidean_from_covariance(covariance) == pytest.approx(
        [math.log(2.5), 0, 0]
    )
    scales, rotation = geometry.scale_rotation_from_covariance(covariance)
    assert list(scales) == [2.5, 2.5]
    assert rotation == 0
    assert list(geometry.covariance_from_log_euclidean([0.0, 0.0, 0.0])) == [1, 0, 1]


def test_an_almost_circle_keeps_the_digits_of_its_deviator():
    covariance = [1 + 2e-12, 1e-12, 1.0]
    s, cosine, sine = geometry.log_euclidean_from_covariance(covariance)
    # To first order, ½ log (1 + E) = E / 2.
    difference = covariance[0] - 1
    assert cosine == pytest.approx(difference / 4, rel=1e-11)
    assert sine == pytest.approx(1e-12 / 2, rel=1e-11)
    assert s == pytest.approx(difference / 4, rel=1e-11)


def test_angles_turn_from_x_towards_y():
    xx, xy, yy = geometry.covariance_from_scale_rotation([2.0, 1.0], math.radians(30))
    assert xy > 0
    assert xx > yy
    scales, rotation = geometry.scale_rotation_from_covariance([xx, xy, yy])
    assert scales == pytest.approx([2, 1])
    assert math.degrees(rotation) == pytest.approx(30)


@pytest.mark.parametrize("xy", [0.0, -0.0])
def test_a_vertical_axis_has_the_angle_of_plus_90_degrees(xy):
    _, rotation = geometry.scale_rotation_from_covariance([1.0, xy, 4.0])
    assert rotation == math.pi / 2


def test_conversions_keep_leading_dimensions():
    covariance = np.tile([4.0, 1.0, 2.0], (5, 7, 1))
    assert geometry.determinant(covariance).shape == (5, 7)
    assert geometry.inverse(covariance).shape == (5, 7, 3)
    assert geometry.cholesky_from_covariance(covariance).shape == (5, 7, 3)
    assert geometry.log_euclidean_from_covariance(covariance).shape == (5, 7, 3)
    scales, rotation = geometry.scale_rotation_from_covariance(covariance)
    assert scales.shape == (5, 7, 2)
    assert rotation.shape == (5, 7)
    assert geometry.covariance_from_scale_rotation(scales, rotation).shape == (5, 7, 3)
    assert geometry.inverse(np.empty((0, 3))).shape == (0, 3)


def test_a_wrong_number_of_entries_is_refused():
    with pytest.raises(ValueError, match=r"expected 3 values along the last axis, got shape \(2,"):
        geometry.inverse([1.0, 2.0])


@pytest.mark.parametrize(
    "name",
    [
        "NaN variance",
        "NaN covariance",
        "infinite variance",
        "all infinite covariance",
        "zero covariance",
        "zero height",
        "negative variance",
        "negative definite",
        "indefinite",
        "singular",
        "denormal covariance",
        "overflowing covariance",
    ],
)
def test_what_is_no_covariance_becomes_nan_and_leaves_its_neighbors_alone(name):
    good = [4.0, 1.0, 2.0]
    rows = np.array([good, POISONS[name][1], good])
    for convert in (
        geometry.inverse,
        geometry.cholesky_from_covariance,
        geometry.log_euclidean_from_covariance,
        lambda c: np.column_stack(geometry.scale_rotation_from_covariance(c)),
    ):
        result = convert(rows)
        assert np.isnan(result[1]).all()
        assert np.array_equal(result[[0, 2]], convert(np.array([good, good])))


def test_overflow_gives_no_finite_variance_and_no_warning():
    assert not np.isfinite(geometry.covariance_from_log_euclidean([400.0, 1.0, 0.0])).any()
    assert not np.isfinite(geometry.covariance_from_cholesky([1e200, 0.0, 1.0])[0])
    assert not np.isfinite(geometry.covariance_from_scale_rotation([1e200, 1.0], 0.5)).any()
