import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from watched_array import WatchedArray

from gaussianimage._util import row_blocks
from gaussianimage.errors import PictureError, PictureWarning
from gaussianimage.picture import Picture, flatten, flatten_array, from_array, to_array
from gaussianimage.picture.pixels import Samples, normalized, scale_problem

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))


def full_shape(array):
    return array.shape if array.ndim == 3 else (*array.shape, 1)


@given(hnp.arrays(np.uint8, SHAPES) | hnp.arrays(np.uint16, SHAPES))
def test_integers_come_back_as_they_were_wherever_something_is_visible(array):
    back = to_array(from_array(array).pixels, array.dtype).reshape(array.shape)
    if array.shape[2] in (2, 4):
        array = np.where(array[..., -1:] > 0, array, 0)
    np.testing.assert_array_equal(back, array)


def test_color_is_multiplied_by_alpha():
    picture = from_array(np.array([[[255, 102, 0, 51]]], np.uint8))
    np.testing.assert_allclose(picture.pixels, [[[0.2, 0.08, 0, 0.2]]], rtol=1e-6)


@pytest.mark.parametrize(
    ("array", "white", "depth"),
    [
        (np.full((2, 3), 255, np.uint8), 1, 8),
        (np.full((2, 3), 65535, np.uint16), 1, 16),
        (np.full((2, 3), 65535, ">u2"), 1, 16),
        (np.full((2, 3), True), 1, 8),
        (np.full((2, 3), 0.25, np.float16), 0.25, 16),
        (np.full((2, 3), 0.25, np.float32), 0.25, 16),
        (np.full((2, 3), 0.25, np.float64), 0.25, 16),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_every_type_has_its_own_white(array, white, depth):
    picture = from_array(array)
    assert picture.bit_depth == depth
    np.testing.assert_array_equal(picture.pixels, np.full((2, 3, 1), white, np.float32))


def test_a_picture_knows_its_size():
    picture = from_array(np.zeros((4, 7, 2), np.uint8))
    assert (picture.height, picture.width, picture.channels) == (4, 7, 2)
    assert picture.has_alpha
    assert not from_array(np.zeros((4, 7, 3), np.uint8)).has_alpha
    assert repr(from_array(np.zeros((4, 7, 3)), icc=b"x")) == "<Picture 7 x 4, RGB, 16 bit, icc>"


def test_metadata_and_depth_are_kept():
    picture = from_array(np.zeros((1, 1)), bit_depth=8, icc=b"i", exif=b"e", xmp=b"x")
    assert (picture.bit_depth, picture.icc, picture.exif, picture.xmp) == (8, b"i", b"e", b"x")


def test_a_picture_does_not_change_with_the_array_it_came_from():
    array = np.zeros((2, 2, 1), np.float32)
    pictures = from_array(array), Picture(array)
    array[:] = 1
    for picture in pictures:
        assert picture.pixels.max() == 0
        assert not picture.pixels.flags.writeable


def test_any_memory_layout_will_do():
    array = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    turned = np.asfortranarray(array)[::-1, :, ::-1]
    picture = from_array(turned)
    assert picture.pixels.flags.c_contiguous
    np.testing.assert_array_equal(to_array(picture.pixels), turned)


def test_overshoot_of_a_filter_is_clipped_with_a_warning():
    with pytest.warns(PictureWarning, match=r"values in -0.1..1.2 are clipped to 0..1.* 67 %"):
        picture = from_array(np.array([[-0.1, 0.5, 1.2]]))
    np.testing.assert_array_equal(picture.pixels[..., 0], [[0, 0.5, 1]])


@pytest.mark.parametrize("value", [255.0, -127.0, 2.5])
def test_another_scale_is_refused(value):
    with pytest.raises(ValueError, match=r"picture: expected values in 0..1"):
        from_array(np.full((2, 2), value))


@pytest.mark.parametrize(("values", "fitting"), [([0.0, 255.0], "255"), ([0.0, 3.2], "3.2")])
def test_a_refusal_says_which_white_would_fit(values, fitting):
    with pytest.raises(ValueError, match=rf"such as {fitting} \(white=, --white\)"):
        from_array(np.array([values]))


class TestWhite:
    @pytest.mark.parametrize(
        ("array", "white", "depth"),
        [
            (np.array([[0, 2048, 4095]], np.uint16), 4095, 16),
            (np.array([[0, 128, 255]], np.int64), 255, 8),
            (np.array([[0, 128, 255]], np.uint32), 255.0, 8),
            (np.array([[0, 0.5, 1]]) * 1000, 1000, 16),
            (np.array([[0, 0.5, 1]], np.float16) * np.float16(0.1), 0.1, 16),
            (np.array([[0, 500, 1000]], np.int32), np.float32(1000), 16),
            (np.array([[0, 50, 100]], np.uint8), 100, 8),
            (np.array([[0, 1 << 39, 1 << 40]], np.int64), 1 << 40, 16),
        ],
    )
    def test_is_the_value_that_becomes_1(self, array, white, depth, recwarn):
        picture = from_array(array, white=white)
        np.testing.assert_allclose(picture.pixels[0, :, 0], [0, 0.5, 1], atol=0.01)
        assert picture.pixels.max() == pytest.approx(1, abs=1e-3)
        assert picture.bit_depth == depth
        assert not recwarn

    @pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.uint32, np.float64])
    def test_what_is_beyond_it_is_clipped_with_a_warning(self, dtype):
        with pytest.warns(
            PictureWarning, match=r"values in 0..30000 are clipped to 0..1000.* 50 %"
        ):
            picture = from_array(np.array([[0, 30000]], dtype), white=1000)
        np.testing.assert_array_equal(picture.pixels[0, :, 0], [0, 1])

    def test_leaves_alpha_on_the_scale_of_its_type(self):
        values = np.array([[[4095, 65535], [4095, 0]]], np.uint16)
        pixels = from_array(values, white=4095).pixels
        np.testing.assert_array_equal(pixels, [[[1, 1], [0, 0]]])

    def test_is_that_of_alpha_too_where_the_type_has_none(self):
        values = np.array([[[255, 255], [255, 0]]], np.int64)
        pixels = from_array(values, white=255).pixels
        np.testing.assert_array_equal(pixels, [[[1, 1], [0, 0]]])

    @pytest.mark.parametrize("white", [0, -1, np.inf, np.nan])
    def test_is_finite_and_above_0(self, white):
        with pytest.raises(ValueError, match="white: expected a finite number above 0"):
            from_array(np.zeros((2, 2)), white=white)

    @pytest.mark.parametrize("white", [True, "255", 1j])
    def test_is_a_number(self, white):
        with pytest.raises(TypeError, match="white: expected a number"):
            from_array(np.zeros((2, 2)), white=white)


class TestLittleOfTheRange:
    @pytest.mark.parametrize(
        ("top", "dtype", "fitting"),
        [
            (3568, np.uint16, "4095"),
            (200, np.uint16, "255"),
            (900, np.uint16, "1023"),
            (16000, np.uint16, "16383"),
            (1, np.uint8, "1"),
            (63, np.uint8, "63"),
            (0.2, np.float64, "0.2"),
        ],
    )
    def test_is_told_with_the_white_that_would_fit(self, top, dtype, fitting):
        array = np.array([[top / 2, top]]).astype(dtype)
        with pytest.warns(
            PictureWarning, match=rf"white={fitting} \(--white {fitting}\) would fit"
        ):
            from_array(array)

    @pytest.mark.parametrize(
        "array",
        [
            np.array([[0, 16384]], np.uint16),
            np.array([[0, 64]], np.uint8),
            np.array([[0, 0.25]]),
            np.zeros((2, 2), np.uint16),  # black, of which nobody knows more
            np.zeros((2, 2), bool),
        ],
    )
    def test_is_less_than_a_quarter_and_not_black(self, array, recwarn):
        from_array(array)
        assert not recwarn

    def test_counts_no_alpha(self):
        with pytest.warns(PictureWarning, match="would fit"):
            from_array(np.array([[[10, 255]]], np.uint8))

    def test_is_meant_where_a_white_is_given(self, recwarn):
        from_array(np.array([[0, 10]], np.uint8), white=255)
        assert not recwarn

    def test_may_be_told_to_somebody_else(self, recwarn):
        told = []
        from_array(np.array([[0, 10]], np.uint8), warn=told.append)
        assert len(told) == 1
        assert not recwarn


def test_a_masked_array_is_refused_with_the_way_to_fill_it():
    values = np.ma.masked_equal(np.arange(6, dtype=np.uint8).reshape(2, 3) * 50, 100)
    with pytest.raises(ValueError, match=r"1 elements .* masked.*array.filled\(0\)"):
        from_array(values)
    np.testing.assert_array_equal(to_array(from_array(values.filled(0)).pixels)[0], [0, 50, 0])
    whole = np.ma.masked_array(np.full((2, 2), 99, np.uint8))
    assert to_array(from_array(whole).pixels)[0, 0] == 99


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_pixel_that_is_no_number_is_refused(value):
    array = np.zeros((3, 3, 3))
    array[1, 1, 1] = value
    with pytest.raises(PictureError, match="NaN or infinite"):
        from_array(array)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0, 3), (0, 0)])
def test_no_pixels_at_all_are_refused(shape):
    with pytest.raises(ValueError, match="at least one pixel"):
        from_array(np.zeros(shape))


@pytest.mark.parametrize("shape", [(), (5,), (1, 2, 3, 4)])
def test_a_wrong_number_of_axes_is_refused(shape):
    with pytest.raises(ValueError, match=r"\(H, W\) or \(H, W, C\)"):
        from_array(np.zeros(shape))


def test_a_wrong_number_of_channels_is_refused_with_a_hint():
    with pytest.raises(ValueError, match=r"1 to 4 channels, got 5$"):
        from_array(np.zeros((9, 9, 5)))
    with pytest.raises(ValueError, match="got 9; move the channels to the end"):
        from_array(np.zeros((3, 9, 9)))


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint32, complex, object, "U1"])
def test_a_type_without_a_known_white_is_refused(dtype):
    with pytest.raises(TypeError, match="uint8, uint16, bool or floating point"):
        from_array(np.zeros((2, 2), dtype))


@pytest.mark.parametrize(
    ("pixels", "error"),
    [
        ([[0.5]], TypeError),
        (np.zeros((2, 2, 1)), TypeError),
        (np.zeros((2, 2), np.float32), ValueError),
        (np.zeros((2, 2, 5), np.float32), ValueError),
        (np.full((2, 2, 1), 1.001, np.float32), ValueError),
        (np.full((2, 2, 1), np.nan, np.float32), PictureError),
    ],
)
def test_the_constructor_takes_nothing_but_pixels(pixels, error):
    with pytest.raises(error):
        Picture(pixels)


def test_the_constructor_knows_two_depths():
    with pytest.raises(ValueError, match="8 or 16"):
        Picture(np.zeros((1, 1, 1), np.float32), 10)


@pytest.mark.parametrize("name", ["icc", "exif", "xmp"])
def test_metadata_are_bytes(name):
    with pytest.raises(TypeError, match=f"{name}: expected bytes, got str"):
        from_array(np.zeros((1, 1), np.uint8), **{name: "text"})


class TestToArray:
    def test_rounds_to_nearest(self):
        pixels = np.array([[[0.4], [0.6], [254.4], [254.6]]], np.float32) / 255
        np.testing.assert_array_equal(to_array(pixels), [[0, 1, 254, 255]])

    def test_clips(self):
        pixels = np.array([[[-1.0], [2.0], [np.inf], [-np.inf]]], np.float32)
        np.testing.assert_array_equal(to_array(pixels), [[0, 255, 255, 0]])
        np.testing.assert_array_equal(to_array(pixels, np.float32), [[0, 1, 1, 0]])

    def test_takes_no_number_as_black(self):
        np.testing.assert_array_equal(to_array(np.full((1, 1, 4), np.nan)), [[[0, 0, 0, 0]]])

    def test_drops_the_axis_of_gray_only(self):
        for channels, shape in ((1, (2, 3)), (2, (2, 3, 2)), (3, (2, 3, 3)), (4, (2, 3, 4))):
            assert to_array(np.zeros((2, 3, channels))).shape == shape

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    def test_has_the_type_asked_for(self, dtype):
        assert to_array(np.zeros((2, 2, 3)), dtype).dtype == dtype

    def test_divides_color_by_alpha(self):
        pixels = np.array([[[0.2, 0.08, 0, 0.2]]], np.float32)
        np.testing.assert_array_equal(to_array(pixels), [[[255, 102, 0, 51]]])
        np.testing.assert_allclose(to_array(pixels, np.float32), [[[1, 0.4, 0, 0.2]]], rtol=1e-6)

    def test_color_brighter_than_its_alpha_is_white(self):
        np.testing.assert_array_equal(to_array(np.array([[[0.5, 0.4]]])), [[[255, 102]]])

    def test_what_is_invisible_has_no_color(self):
        np.testing.assert_array_equal(to_array(np.array([[[0.5, 0.001]]])), [[[0, 0]]])
        np.testing.assert_array_equal(to_array(np.array([[[0.5, 0.0]]]), np.float32), [[[0, 0]]])

    def test_leaves_its_argument_alone(self):
        pixels = np.full((2, 2, 4), 0.25, np.float32)
        pixels.flags.writeable = False
        to_array(pixels, np.float32)[:] = 1

    def test_refuses_other_types_and_shapes(self):
        with pytest.raises(TypeError, match="int32"):
            to_array(np.zeros((2, 2, 1)), np.int32)
        with pytest.raises(TypeError, match="floating point, got uint8"):
            to_array(np.zeros((2, 2, 1), np.uint8))
        with pytest.raises(ValueError, match="C = 1 to 4"):
            to_array(np.zeros((2, 2)))


class TestWeights:
    def test_are_kept(self):
        weights = np.full((2, 3, 1), 0.5, np.float32)
        picture = Picture(np.zeros((2, 3, 1), np.float32), weights=weights)
        np.testing.assert_array_equal(picture.weights, weights)

    @pytest.mark.parametrize(
        "weights",
        [
            np.ones((2, 3), np.float32),
            np.ones((2, 3, 1)),
            np.full((2, 3, 1), -0.5, np.float32),
            np.full((2, 3, 1), np.inf, np.float32),
            np.full((2, 3, 1), np.nan, np.float32),
            [[[1.0]]],
        ],
    )
    def test_that_fit_no_picture_are_refused(self, weights):
        with pytest.raises(ValueError, match="weights"):
            Picture(np.zeros((2, 3, 1), np.float32), weights=weights)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_picture_is_an_array_of_its_pixels(channels, dtype):
    shape = (5, 6, channels) if channels > 1 else (5, 6)
    pixels = np.random.default_rng(1).integers(1, np.iinfo(dtype).max, shape, endpoint=True)
    pixels = pixels.astype(dtype)
    pixels[..., -1] |= 0xF0 if dtype == np.uint8 else 0xFFF0  # hardly transparent, if it is alpha
    picture = from_array(pixels)
    array = np.asarray(picture)
    assert array.dtype == dtype
    assert np.abs(array.astype(int) - pixels).max() <= 1
    array[...] = 0  # a copy
    assert np.asarray(picture).any()
    again = from_array(np.asarray(picture, dtype=np.float64), bit_depth=picture.bit_depth)
    assert np.array_equal(np.asarray(again), np.asarray(picture))


def test_an_array_of_another_type_has_its_white_or_its_integers():
    picture = from_array(np.full((1, 1), 255, np.uint8))
    found = {
        np.dtype(t).name: np.asarray(picture, t).item()
        for t in ["u1", "u2", "f2", "f4", "f8", "i4"]
    }
    assert found == {
        "uint8": 255,
        "uint16": 65535,
        "float16": 1.0,
        "float32": 1.0,
        "float64": 1.0,
        "int32": 255,
    }
    assert np.array(picture).shape == (1, 1)
    with pytest.raises(ValueError, match="always a copy"):
        picture.__array__(copy=False)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_no_conversion_works_on_more_than_a_few_rows_at_a_time(channels, dtype, monkeypatch):
    values = np.random.default_rng(0).integers(0, 256, (90, 100, channels)).astype(dtype)
    white = 255.0
    samples = Samples(values, white)
    usual = normalized(samples, white=white)
    back = to_array(usual, np.uint16)
    monkeypatch.setattr(row_blocks, "BLOCK_PIXELS", 1000)
    watched = WatchedArray.of(values)
    found = normalized(Samples(watched, white), white=white)
    scale_problem(Samples(watched, white), None)
    drawn = WatchedArray.of(found)
    assert np.array_equal(found, usual)
    assert np.array_equal(to_array(drawn, np.uint16), back)
    for sizes in (watched.sizes, drawn.sizes):
        assert 0 < max(sizes) <= 1000 * channels


@pytest.mark.parametrize("color", ["white", "gray", "red"])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_flattened_a_few_rows_at_a_time(channels, color, monkeypatch):
    values = np.random.default_rng(0).integers(0, 256, (90, 100, channels)).astype(np.uint8)
    picture = from_array(values)
    usual, usual_array = flatten(picture, color), flatten_array(values, color)
    monkeypatch.setattr(row_blocks, "BLOCK_PIXELS", 1000)
    watched = WatchedArray.of(picture.pixels)
    assert np.array_equal(flatten(Picture(watched), color).pixels, usual.pixels)
    assert np.array_equal(flatten_array(values, color), usual_array)
    assert 0 < max(watched.sizes) <= 1000 * 4
