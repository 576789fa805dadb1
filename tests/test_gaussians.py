import copy
import dataclasses
import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import POISONS, gaussians, poison, poisoned, random_gaussians

from gaussianimage._util.safetensors import save_tensors
from gaussianimage.errors import FormatError, UnsupportedError
from gaussianimage.gaussians import Gaussians

MEANS = [[1.0, 2.0], [3.0, 4.0]]
COVARIANCE = [[4.0, 1.0, 2.0], [1.0, 0.0, 1.0]]
COLORS = [[0.1, 0.2, 0.3], [-1.0, 0.0, 2.0]]


@pytest.fixture
def g():
    return Gaussians(MEANS, COVARIANCE, COLORS, 10, 20)


# --- the value ---


def test_arrays_are_float64_read_only_copies(g):
    means = np.array(MEANS, dtype=np.float32, order="F")
    made = Gaussians(means, COVARIANCE, COLORS, 10, 20)
    means[0, 0] = 99
    assert made.means[0, 0] == 1
    for array in (made.means, made.covariance, made.colors):
        assert array.dtype == np.float64
        assert array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 0
    assert made == g


def test_fields_cannot_be_set(g):
    with pytest.raises(dataclasses.FrozenInstanceError):
        g.height = 5


def test_sizes_come_back_as_plain_python_numbers():
    made = Gaussians(MEANS, COVARIANCE, COLORS, np.int64(10), np.uint8(20), np.float32(4.5))
    assert [type(v) for v in (made.height, made.width, made.q_max)] == [int, int, float]


def test_length_channels_and_repr_are_short(g):
    assert len(g) == 2
    assert g.channels == 3
    assert repr(g) == "Gaussians(2 of 3 channels, height=10, width=20, q_max=4.5)"


def test_a_field_can_be_replaced(g):
    assert dataclasses.replace(g, q_max=5.0).q_max == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"means": [[1.0, 2.0, 3.0]]}, r"means: expected shape \(1, 2\), got \(1, 3\)"),
        ({"means": 3.0}, r"means: expected shape \(N, 2\), got \(\)"),
        ({"means": []}, r"means: expected shape \(0, 2\), got \(0,\)"),
        ({"covariance": [[1.0, 0.0, 1.0]]}, r"covariance: expected shape \(2, 3\), got \(1, 3\)"),
        ({"colors": [1.0, 2.0]}, r"colors: expected shape \(2, C\) with C = 1 to 4, got \(2,\)"),
        ({"colors": np.zeros((2, 5))}, r"C = 1 to 4, got \(2, 5\)"),
        ({"colors": np.zeros((2, 0))}, r"C = 1 to 4, got \(2, 0\)"),
        ({"height": 0}, "height: expected 1 to 65536 pixels, got 0"),
        ({"width": 65537}, "width: expected 1 to 65536 pixels, got 65537"),
        ({"q_max": 0.0}, "q_max: expected above 0 and at most 64, got 0.0"),
        ({"q_max": 64.5}, "at most 64, got 64.5"),
        ({"q_max": math.nan}, "at most 64, got nan"),
        ({"q_max": math.inf}, "at most 64, got inf"),
    ],
)
def test_what_is_out_of_range_is_a_value_error_that_says_where(change, message):
    arguments = {"means": MEANS, "covariance": COVARIANCE, "colors": COLORS}
    with pytest.raises(ValueError, match=message):
        Gaussians(**(arguments | {"height": 10, "width": 20} | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"means": [["a", "b"], ["c", "d"]]}, "means: expected real numbers, got dtype <U1"),
        ({"colors": np.ones((2, 3), complex)}, "colors: expected real numbers, got dtype complex"),
        ({"covariance": None}, "covariance: expected real numbers, got dtype object"),
        ({"height": 10.0}, r"height: expected an integer, got 10.0 \(float\)"),
        ({"width": True}, "width: expected an integer, got True"),
        ({"q_max": "4.5"}, "q_max: expected a number, got str"),
    ],
)
def test_what_is_of_the_wrong_type_is_a_type_error_that_says_where(change, message):
    arguments = {"means": MEANS, "covariance": COVARIANCE, "colors": COLORS}
    with pytest.raises(TypeError, match=message):
        Gaussians(**(arguments | {"height": 10, "width": 20} | change))


def test_equality_compares_every_number(g):
    assert g == Gaussians(MEANS, COVARIANCE, COLORS, 10, 20)
    assert g != Gaussians(MEANS, COVARIANCE, COLORS, 20, 10)
    assert g != Gaussians(MEANS, COVARIANCE, COLORS, 10, 20, 5.0)
    assert g != g[:1]
    assert g != g[::-1]
    assert g != Gaussians(MEANS, COVARIANCE, np.nextafter(COLORS, 9), 10, 20)
    assert g != "something else"


def test_a_nan_equals_a_nan():
    like = random_gaussians(0, 1, 4, 4)
    assert poison("NaN color", like=like) == poison("NaN color", like=like)


def test_there_is_no_hash(g):
    with pytest.raises(TypeError, match="unhashable"):
        hash(g)


@given(gaussians())
def test_pickling_and_copying_give_an_equal_immutable_value(g):
    for again in (pickle.loads(pickle.dumps(g)), copy.copy(g), copy.deepcopy(g)):
        assert again == g
        assert not again.means.flags.writeable
        assert not again.colors.flags.writeable


# --- other forms ---


@given(gaussians(max_side=2000, q_max=4.5))
def test_every_form_makes_the_same_gaussians_again(g):
    rest = (g.colors, g.height, g.width)
    forms = {
        "cholesky": Gaussians.from_cholesky(g.means, g.cholesky(), *rest),
        "scale_rotation": Gaussians.from_scale_rotation(g.means, *g.scale_rotation(), *rest),
        "conic": Gaussians.from_conic(g.means, g.conic(), *rest),
        "log_euclidean": Gaussians.from_log_euclidean(g.means, g.log_euclidean(), *rest),
    }
    for name, made in forms.items():
        assert made.covariance.shape == g.covariance.shape
        scale = np.abs(g.covariance).max(axis=1, keepdims=True)
        # The conic's own rounding is multiplied by the square of the aspect ratio.
        aspect = np.divide(*g.scale_rotation()[0].T)[:, None]
        tolerance = 1e-13 * (aspect**2 if name == "conic" else 1)
        assert np.all(np.abs(made.covariance - g.covariance) <= tolerance * scale), name
        assert np.array_equal(made.means, g.means)
        assert np.array_equal(made.colors, g.colors)


def test_every_form_passes_the_cutoff_on(g):
    rest = (g.colors, 10, 20)
    assert Gaussians.from_cholesky(g.means, g.cholesky(), *rest, q_max=3).q_max == 3
    assert Gaussians.from_scale_rotation(g.means, *g.scale_rotation(), *rest, q_max=3).q_max == 3
    assert Gaussians.from_conic(g.means, g.conic(), *rest, q_max=3).q_max == 3
    assert Gaussians.from_log_euclidean(g.means, g.log_euclidean(), *rest, q_max=3).q_max == 3


def test_scales_without_their_angles_are_refused(g):
    with pytest.raises(ValueError, match=r"rotation: expected one angle for each of the scales"):
        Gaussians.from_scale_rotation(MEANS, [[1.0, 2.0]] * 2, [0.0], COLORS, 10, 20)


@pytest.mark.parametrize("form", ["cholesky", "conic", "log_euclidean"])
def test_a_form_of_another_shape_is_refused_by_its_name(form):
    make = getattr(Gaussians, f"from_{form}")
    with pytest.raises(ValueError, match=rf"{form}: expected shape \(N, 3\), got \(2, 2\)"):
        make(MEANS, np.ones((2, 2)), COLORS, 10, 20)
    with pytest.raises(ValueError, match=r"scales: expected shape \(N, 2\), got \(2, 3\)"):
        Gaussians.from_scale_rotation(MEANS, np.ones((2, 3)), [0.0, 0.0], COLORS, 10, 20)


# --- what is drawn ---


@given(gaussians(max_side=2000))
def test_healthy_gaussians_are_drawable(g):
    assert g.drawable().all()
    assert g.drawable().shape == (len(g),)


@pytest.mark.parametrize("name", sorted(set(POISONS) - {"far away"}))
def test_poisons_are_not_drawable(name):
    assert not poison(name, like=random_gaussians(0, 1, 4, 4)).drawable().any()


@given(poisoned())
def test_poison_does_not_spread_to_other_rows(pair):
    assert pair.poisoned.drawable()[pair.healthy].all()
    assert pair.poisoned[pair.healthy] == pair.clean


# --- selecting, moving, joining ---


@pytest.mark.parametrize(
    ("index", "rows"),
    [
        (slice(1, 3), [1, 2]),
        (slice(None, None, -2), [4, 2, 0]),
        ([3, 0, 3], [3, 0, 3]),
        (np.array([-1]), [4]),
        ([True, False, False, True, False], [0, 3]),
        ([], []),
        (np.zeros(5, dtype=bool), []),
    ],
)
def test_indexing_selects_rows_of_every_array(index, rows):
    g = random_gaussians(1, 5, 8, 9)
    part = g[index]
    assert np.array_equal(part.means, g.means[rows].reshape(-1, 2))
    assert np.array_equal(part.covariance, g.covariance[rows].reshape(-1, 3))
    assert np.array_equal(part.colors, g.colors[rows].reshape(-1, 3))
    assert (part.height, part.width, part.q_max) == (8, 9, 4.5)


@pytest.mark.parametrize("index", [0, 1.5, [0.5], "means", [[0]], None])
def test_other_indices_are_type_errors(g, index):
    with pytest.raises(TypeError, match="expected"):
        g[index]


@pytest.mark.parametrize("index", [[2], [-3], [True], [True] * 3])
def test_an_index_out_of_range_is_an_index_error(g, index):
    with pytest.raises(IndexError):
        g[index]


def test_scaling_moves_means_and_covariance_along_each_axis(g):
    made = g.scaled((30, 20))
    assert (made.height, made.width) == (30, 20)
    assert made.means.tolist() == [[1, 6], [3, 12]]
    assert made.covariance.tolist() == [[4, 3, 18], [1, 0, 9]]
    assert np.array_equal(made.colors, g.colors)


@given(gaussians(), st.integers(1, 65536), st.integers(1, 65536))
def test_scaling_there_and_back_changes_nothing(g, height, width):
    assert g.scaled((g.height, g.width)) == g
    back = g.scaled((height, width)).scaled((g.height, g.width))
    assert back.means == pytest.approx(g.means, rel=1e-14)
    assert back.covariance == pytest.approx(g.covariance, rel=1e-14)


def test_scaling_keeps_poisoned_rows_without_a_warning():
    like = random_gaussians(0, 1, 4, 4)
    everything = Gaussians.concatenate(*(poison(name, like=like) for name in POISONS))
    assert len(everything.scaled((65536, 65536))) == len(POISONS)
    assert len(everything.cropped((1, 1, 2, 2))) == len(POISONS)


def test_cropping_moves_the_means(g):
    made = g.cropped((2, 1, 5, 7))
    assert (made.height, made.width) == (5, 7)
    assert made.means.tolist() == [[0, 0], [2, 2]]
    assert np.array_equal(made.covariance, g.covariance)
    assert g.cropped((0, 0, 10, 20)) == g


@pytest.mark.parametrize(
    "crop", [(-1, 0, 5, 5), (0, 0, 11, 5), (0, 16, 5, 5), (0, 0, 0, 5), (2, 2, 5, -1)]
)
def test_a_crop_outside_the_picture_is_refused(g, crop):
    with pytest.raises(ValueError, match="crop: expected a rectangle inside 10 x 20"):
        g.cropped(crop)


@given(gaussians(), st.data())
def test_concatenating_the_parts_gives_the_whole(g, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(g)), max_size=3)))
    edges = [0, *cuts, len(g)]
    parts = [g[a:b] for a, b in itertools.pairwise(edges)]
    assert Gaussians.concatenate(*parts) == g


def test_concatenating_what_does_not_fit_is_refused(g):
    with pytest.raises(ValueError, match="expected at least one Gaussians, got none"):
        Gaussians.concatenate()
    with pytest.raises(ValueError, match="part 1: expected height 10, got 5"):
        Gaussians.concatenate(g, g.scaled((5, 20)))
    with pytest.raises(ValueError, match="part 1: expected channels 3, got 1"):
        Gaussians.concatenate(g, Gaussians(MEANS, COVARIANCE, [[1.0]] * 2, 10, 20))
    with pytest.raises(ValueError, match=r"part 2: expected q_max 4.5, got 5.0"):
        Gaussians.concatenate(g, g, dataclasses.replace(g, q_max=5.0))
    with pytest.raises(TypeError, match="part 0: expected Gaussians, got list"):
        Gaussians.concatenate([g, g])


# --- files ---


@given(pair=poisoned(), scaled=st.booleans())
def test_saving_and_loading_gives_an_equal_value(tmp_path_factory, pair, scaled):
    path = tmp_path_factory.getbasetemp() / "round-trip.safetensors"
    g = pair.poisoned.scaled((65536, 3)) if scaled else pair.poisoned
    g.save(path)
    assert Gaussians.load(path) == g
    assert Gaussians.load(str(path)).q_max == g.q_max


def test_no_gaussians_can_be_saved_too(g, tmp_path):
    g[:0].save(tmp_path / "none.safetensors")
    assert Gaussians.load(tmp_path / "none.safetensors") == g[:0]


def test_loading_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Gaussians.load(tmp_path / "missing.safetensors")


def test_every_truncation_of_a_file_is_a_format_error(g, tmp_path):
    path = tmp_path / "g.safetensors"
    g.save(path)
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(FormatError):
            Gaussians.load(path)


def save_changed(path, g, *, tensors=None, metadata=None, version=1):
    arrays = {"means": g.means, "covariance": g.covariance, "colors": g.colors}
    arrays = {k: v for k, v in (arrays | (tensors or {})).items() if v is not None}
    texts = {"height": "10", "width": "20", "q_max": "4.5"} | (metadata or {})
    texts = {k: v for k, v in texts.items() if v is not None}
    save_tensors(path, "gaussianimage.Gaussians", version, arrays, texts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tensors": {"colors": None, "means": None}}, "tensor missing: colors, means"),
        ({"tensors": {"means": np.zeros((3, 2))}}, r"covariance: expected shape \(3, 3\)"),
        ({"tensors": {"means": np.zeros((2, 2), bool)}}, "means: expected real numbers"),
        ({"metadata": {"q_max": None}}, "metadata missing: q_max"),
        ({"metadata": {"height": "ten"}}, "metadata height: expected int, got 'ten'"),
        ({"metadata": {"height": "0"}}, "height: expected 1 to 65536 pixels, got 0"),
        ({"metadata": {"q_max": "nan"}}, "q_max: expected above 0"),
    ],
)
def test_a_file_with_something_missing_or_wrong_is_a_format_error(g, tmp_path, change, message):
    path = tmp_path / "changed.safetensors"
    save_changed(path, g, **change)
    with pytest.raises(FormatError, match=f"changed.safetensors: {message}"):
        Gaussians.load(path)


def test_a_float32_file_of_another_tool_is_read(g, tmp_path):
    path = tmp_path / "g.safetensors"
    save_changed(path, g, tensors={"colors": g.colors.astype(np.float32)})
    assert np.array_equal(Gaussians.load(path).colors, g.colors.astype(np.float32))


def test_a_newer_version_is_unsupported(g, tmp_path):
    save_changed(tmp_path / "new.safetensors", g, version=2)
    with pytest.raises(UnsupportedError, match="version 2, this reader knows 1"):
        Gaussians.load(tmp_path / "new.safetensors")
