"""The native coder of layers is lossless, and damaged bytes do no harm."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from plain.dequantize import center
from plain.layer import Gaussian, Quantizer

from gaussianimage import _native
from gaussianimage.codec.format.varint import write_varint

Floats = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]

LARGEST = 2**25 + 78  # of the entropy coder's natural numbers
PLENTY = 2**24


class Levels(NamedTuple):
    precision: NDArray[np.uint8]
    position: NDArray[np.int32]
    color: NDArray[np.int32]
    shape: NDArray[np.int32]


class Case(NamedTuple):
    """A quantizer and layers for it."""

    height: int
    width: int
    channels: int
    color_step: float
    shape_step: float
    layers: list[Levels]

    @property
    def quantizer(self) -> _native.Quantizer:
        return _native.Quantizer(
            self.height, self.width, self.channels, self.color_step, self.shape_step
        )


def grid(side: int, precision: int) -> int:
    """Cells along a side of the picture."""
    return -(-16 * side // 2**precision)


def amplitude_class(color: list[int]) -> int:
    square = sum(min(abs(level), 4096) ** 2 for level in color)
    return min((2 * square * square).bit_length() - 1 >> 1, 15) if square else 0


def step_of_shape(shape_step: float, color: list[int]) -> float:
    return min(shape_step * 2.0 ** (-amplitude_class(color) / 2), 0.7)


def to_levels(rows: list[tuple[int, list[int], list[int], list[int]]], channels: int) -> Levels:
    precision, position, color, shape = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Levels(
        np.array(precision, np.uint8),
        np.array(position, np.int32).reshape(-1, 2),
        np.array(color, np.int32).reshape(-1, channels),
        np.array(shape, np.int32).reshape(-1, 3),
    )


def in_decoders_order(levels: Levels) -> Levels:
    """Falling precision class, then along the Z-shaped curve whose first turn is along x."""

    def key(i: int) -> tuple[int, int]:
        x, y = (int(v) for v in levels.position[i])
        walk = sum((x >> b & 1) << 2 * b + 1 | (y >> b & 1) << 2 * b for b in range(32))
        return -int(levels.precision[i]), walk

    order = sorted(range(len(levels.precision)), key=key)
    return Levels(*(array[order] for array in levels))


def encode(case: Case) -> list[bytes]:
    encoder = _native.LayerEncoder(case.quantizer, len(case.layers))
    return [encoder.encode(case.quantizer, *layer) for layer in case.layers]


def decode(
    case: Case,
    payloads: list[bytes],
    *,
    announced: int | None = None,
    most: int = PLENTY,
    threads: int = 1,
) -> tuple[list[int], Floats]:
    announced = len(case.layers) if announced is None else announced
    return _native.decode_layers(case.quantizer, payloads, announced, most, threads)


def assert_round_trip(case: Case) -> list[bytes]:
    payloads = encode(case)
    counts, arrays = decode(case, payloads)
    sizes = [len(layer.precision) for layer in case.layers]
    assert counts == list(np.cumsum(sizes))
    ordered = [in_decoders_order(layer) for layer in case.layers]
    expected = case.quantizer.dequantize(
        *(np.concatenate(parts) for parts in zip(*ordered, strict=True))
    )
    for found, wanted in zip(arrays, expected, strict=True):
        assert found.dtype == wanted.dtype
        assert np.array_equal(found, wanted)
    return payloads


# Values of all magnitudes, small ones most often.
levels_of_color = st.one_of(
    st.integers(-3, 3),
    st.integers(-100, 100),
    st.sampled_from([4095, 4096, -4097, 2**20, -(2**20), LARGEST, -LARGEST]),
    st.integers(-LARGEST, LARGEST),
)
sides = st.one_of(st.integers(1, 100), st.sampled_from([1, 2, 768, 65535, 65536]))


@st.composite
def rows(
    draw: st.DrawFn, height: int, width: int, channels: int, shape_step: float
) -> tuple[int, list[int], list[int], list[int]]:
    precision = draw(st.integers(0, 15))
    last = [grid(width, precision) - 1, grid(height, precision) - 1]
    position = [draw(st.one_of(st.sampled_from([0, end]), st.integers(0, end))) for end in last]
    color = draw(st.lists(levels_of_color, min_size=channels, max_size=channels))
    step = step_of_shape(shape_step, color)
    size = draw(st.one_of(st.sampled_from([-7.0, 0.0, 14.0]), st.floats(-7, 14)))
    elongation = draw(st.one_of(st.sampled_from([0.0, 7.0]), st.floats(0, 7)))
    angle = draw(st.floats(-math.pi, math.pi))
    exact = [size, elongation * math.cos(angle), elongation * math.sin(angle)]
    return precision, position, color, [math.trunc(value / step) for value in exact]


@st.composite
def cases(draw: st.DrawFn, max_layers: int = 3) -> Case:
    height, width, channels = draw(sides), draw(sides), draw(st.integers(1, 4))
    color_step = 2.0 ** (-draw(st.integers(0, 255)) / 16)
    shape_step = 2.0 ** (draw(st.integers(-64, 64)) / 16)
    row = rows(height, width, channels, shape_step)
    layers = draw(st.lists(st.lists(row, max_size=12), min_size=1, max_size=max_layers))
    return Case(
        height, width, channels, color_step, shape_step, [to_levels(r, channels) for r in layers]
    )


def photo_like(
    seed: int, count: int, channels: int = 3, *, layers: int = 1, height: int = 64, width: int = 96
) -> Case:
    """Return layers as an encoder makes them of a photo: levels with bell-shaped histograms."""
    rng = np.random.default_rng(seed)

    def layer() -> Levels:
        precision = np.clip(np.rint(rng.normal(4, 1.5, count)), 0, 9).astype(np.uint8)
        ends = np.ceil(np.array([width, height]) * 16 / 2.0 ** precision[:, None])
        position = np.floor(rng.uniform(size=(count, 2)) * ends)
        color = np.rint(rng.normal(0, 4, (count, channels)))
        shape = np.rint(rng.normal(0, 2, (count, 3)))
        return Levels(precision, *(a.astype(np.int32) for a in (position, color, shape)))

    return Case(height, width, channels, 0.125, 1.0, [layer() for _ in range(layers)])


# Round trips ---------------------------------------------------------------------------------


@given(cases())
@settings(max_examples=300)
def test_layers_come_back_in_the_order_of_the_walk(case: Case) -> None:
    assert_round_trip(case)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [0, 1, 2, 13, 14, 15, 16, 17, 100, 5000])
def test_any_number_of_gaussians_comes_back(count: int, channels: int) -> None:
    assert_round_trip(photo_like(count, count, channels, layers=2))


@pytest.mark.parametrize("count", [2, 15, 40, 3000])
@pytest.mark.parametrize("cell", [(0, 0), (95, 63), (95, 0), (31, 32)])
def test_gaussians_may_share_a_cell(count: int, cell: tuple[int, int]) -> None:
    case = photo_like(1, count)
    layer = case.layers[0]
    layer.precision[:] = 4
    layer.position[:] = cell
    layer.color[:] = layer.color[0]
    layer.shape[:] = layer.shape[0]
    assert_round_trip(case)


@pytest.mark.parametrize("size", [(1, 1), (1, 65536), (65536, 1), (65536, 65536), (3, 2000)])
@pytest.mark.parametrize("precision", [0, 7, 15])
def test_corners_of_every_grid_come_back(size: tuple[int, int], precision: int) -> None:
    height, width = size
    corners = [
        (precision, [x, y], [1, 0, -1], [0, 0, 0])
        for x in (0, grid(width, precision) - 1)
        for y in (0, grid(height, precision) - 1)
    ]
    assert_round_trip(Case(height, width, 3, 0.1, 1.0, [to_levels(corners, 3)]))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_nothing(threads: int) -> None:
    case = photo_like(0, 500, layers=3)
    payloads = encode(case)
    ends, arrays = decode(case, payloads, threads=threads)
    expected_ends, expected = decode(case, payloads)
    assert ends == expected_ends
    assert all(np.array_equal(a, b) for a, b in zip(arrays, expected, strict=True))


def test_files_may_have_255_layers() -> None:
    assert_round_trip(photo_like(0, 3, layers=255))


def test_an_empty_layer_is_a_few_bytes() -> None:
    (payload,) = assert_round_trip(photo_like(0, 0))
    assert len(payload) <= 28


def test_layers_learn_from_those_before() -> None:
    case = photo_like(0, 400)
    twice = case._replace(layers=[case.layers[0], case.layers[0]])
    first, second = assert_round_trip(twice)
    assert len(second) < len(first)


def test_encoding_is_deterministic_whatever_the_order() -> None:
    case = photo_like(0, 300)
    order = np.random.default_rng(1).permutation(300)
    # Where two are in the same cell of the same class their order is the encoder's.
    cells = np.column_stack((case.layers[0].precision, case.layers[0].position))
    _, unique = np.unique(cells, axis=0, return_index=True)
    keep = np.sort(unique)
    layer = Levels(*(a[keep] for a in case.layers[0]))
    shuffled = Levels(*(a[np.argsort(order[: len(keep)])] for a in layer))
    assert encode(case._replace(layers=[layer])) == encode(case._replace(layers=[shuffled]))


def test_a_decoder_may_stop_after_any_layer() -> None:
    case = photo_like(0, 50, layers=3)
    payloads = encode(case)
    _, whole = decode(case, payloads)
    for count in range(4):
        counts, arrays = decode(case, payloads[:count])
        assert counts == [50, 100, 150][:count]
        for found, wanted in zip(arrays, whole, strict=True):
            assert np.array_equal(found, wanted[: 50 * count])


# What the numbers mean -----------------------------------------------------------------------


@given(cases(max_layers=1))
def test_levels_mean_what_the_format_says(case: Case) -> None:
    layer = case.layers[0]
    means, cholesky, colors = case.quantizer.dequantize(*layer)
    plain = Quantizer(case.height, case.width, case.channels, 0, 0)  # whose steps are not used
    for i in range(len(layer.precision)):
        color = [int(v) for v in layer.color[i]]
        s, d1, d2 = (layer.shape[i] * step_of_shape(case.shape_step, color)).tolist()
        place = int(layer.precision[i]), *layer.position[i].tolist()
        gaussian = Gaussian(*place, tuple(color), (0, 0, 0))
        assert tuple(means[i]) == center(plain, gaussian, d1, d2)
        elongation = math.hypot(d1, d2)
        angle = math.atan2(d2, d1) / 2
        long, short = math.exp(2 * (s + elongation)), math.exp(2 * (s - elongation))
        xx = long * math.cos(angle) ** 2 + short * math.sin(angle) ** 2
        xy = (long - short) * math.cos(angle) * math.sin(angle)
        l11, l21, l22 = cholesky[i]
        assert l11 * l11 == pytest.approx(xx, rel=1e-6)
        assert l11 * l21 == pytest.approx(xy, rel=1e-6, abs=1e-14 * long)
        assert l11 * l22 == pytest.approx(math.sqrt(long) * math.sqrt(short), rel=1e-9)
        b = np.array(color) * case.color_step / (math.sqrt(math.pi) * math.exp(s))
        expected = np.array(b)
        if case.channels >= 3:
            basis = np.array([[1, 1, 1], [1, 0, -1], [-1, 2, -1]])
            basis = basis / np.sqrt([[3], [2], [6]])
            expected[:3] = b[:3] @ basis
        largest = max(np.abs(b).max(), 1e-30)
        assert colors[i] == pytest.approx(expected, rel=1e-6, abs=3e-7 * largest)


def test_numbers_are_finite_at_the_ends_of_their_ranges() -> None:
    for color in (0, 1, LARGEST, -LARGEST):
        step = step_of_shape(16.0, [color])
        shapes = [
            [math.trunc(s / step), math.trunc(d / step), 0] for s in (-7, 14) for d in (-7, 7)
        ]
        layer = to_levels([(0, [0, 0], [color], shape) for shape in shapes], 1)
        case = Case(5, 5, 1, 1.0, 16.0, [layer])
        arrays = case.quantizer.dequantize(*layer)
        assert all(np.isfinite(array).all() for array in arrays)
        assert (arrays[1][:, [0, 2]] > 0).all()
        assert_round_trip(case)


# What it costs -------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 30, 2000])
def test_a_measure_is_what_encoding_takes_and_changes_nothing(count: int) -> None:
    case = photo_like(3, count)
    encoder = _native.LayerEncoder(case.quantizer, 1)
    positions, colors, shapes = encoder.measure(case.quantizer, *case.layers[0])
    payload = encoder.encode(case.quantizer, *case.layers[0])
    assert [payload] == encode(case)
    assert positions >= 0
    assert colors >= 0
    assert shapes >= 0
    bits = 8 * len(payload)
    # What is not measured: the counts, and the start of each stream.
    assert bits - 600 <= positions + colors + shapes <= bits


def test_raw_bits_of_colors_are_signs_and_places_in_buckets() -> None:
    colors = [-1, 2, 0, -7, 9, 13, 0]  # one sign each but for zero; 9 is one of two, 13 of four
    layer = to_levels([(4, [i, 0], [c], [0, 0, 0]) for i, c in enumerate(colors)], 1)
    case = Case(64, 64, 1, 0.1, 1.0, [layer])
    encoder = _native.LayerEncoder(case.quantizer, 1)
    whole = encoder.measure(case.quantizer, *layer)
    raw = encoder.measure(case.quantizer, *layer, raw=True)
    assert raw[1] == 5 + 1 + 2
    assert all(part <= both for part, both in zip(raw, whole, strict=True))


def test_positions_cost_no_more_than_a_set_needs() -> None:
    # 4096 of 4096 · 64 cells, uniformly: log2 of the binomial coefficient, and a little.
    rng = np.random.default_rng(0)
    cells = rng.choice(512 * 512, 4096, replace=False)
    position = np.stack(np.divmod(cells, 512), axis=1)
    layer = to_levels([(4, list(p), [1], [0, 0, 0]) for p in position], 1)
    case = Case(512, 512, 1, 0.1, 1.0, [layer])
    positions, _, _ = _native.LayerEncoder(case.quantizer, 1).measure(case.quantizer, *layer)
    p = 4096 / 512**2
    entropy = 512**2 * (-p * math.log2(p) - (1 - p) * math.log2(1 - p))
    assert entropy < positions < 1.02 * entropy


# What is refused when encoding ---------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"precision": 16},
        {"precision": 255},
        {"x": -1},
        {"x": 32},
        {"y": 16},
        {"y": 2**31 - 1},
        {"y": -(2**31)},
        {"color": LARGEST + 1},
        {"color": -LARGEST - 1},
        {"color": 2**31 - 1},
        {"color": -(2**31)},
        {"size": 21},
        {"size": -11},
        {"size": 2**31 - 1},
        {"size": -(2**31)},
        {"shear": 11},
        {"shear": -11},
        {"shear": 2**31 - 1},
        {"shear": -(2**31)},
    ],
    ids=str,
)
@pytest.mark.parametrize("where", [0, 2])
def test_values_that_no_file_holds_are_refused(change: dict[str, int], where: int) -> None:
    layer = to_levels([(4, [3, 4], [1, 0, 0], [0, 0, 0])] * 3, 3)
    places = {
        "precision": layer.precision[where:],
        "x": layer.position[where:, 0],
        "y": layer.position[where:, 1],
        "color": layer.color[where:, 2],
        "size": layer.shape[where:, 0],
        "shear": layer.shape[where:, 1],
    }
    quantizer = _native.Quantizer(16, 32, 3, 0.1, 1.0)
    ((name, value),) = change.items()
    places[name][0] = value
    encoder = _native.LayerEncoder(quantizer, 1)
    for act in (
        lambda: encoder.encode(quantizer, *layer),
        lambda: encoder.measure(quantizer, *layer),
        lambda: quantizer.dequantize(*layer),
    ):
        with pytest.raises(IndexError):
            act()


def test_more_gaussians_than_a_decoder_believes_are_refused() -> None:
    # All alike and without a color, so that they cost next to nothing: no picture has those.
    layer = to_levels([(4, [0, 0], [0, 0, 0], [0, 0, 0])] * 10000, 3)
    case = Case(64, 64, 3, 0.1, 1.0, [layer])
    with pytest.raises(IndexError, match="all the same"):
        encode(case)


@pytest.mark.parametrize(
    "change",
    [
        {"height": 0},
        {"height": 65537},
        {"width": -1},
        {"width": 65537},
        {"channels": 0},
        {"channels": 5},
        {"color_step": 0.0},
        {"color_step": 1e4},
        {"color_step": math.nan},
        {"shape_step": 0.0},
        {"shape_step": 1e3},
        {"shape_step": math.nan},
    ],
    ids=str,
)
def test_impossible_quantizers_are_refused(change: dict[str, float]) -> None:
    values = {"height": 8, "width": 8, "channels": 3, "color_step": 0.1, "shape_step": 1.0}
    with pytest.raises(ValueError):
        _native.Quantizer(**(values | change))


def test_arrays_that_do_not_fit_are_refused() -> None:
    case = photo_like(0, 5)
    layer = case.layers[0]
    encoder = _native.LayerEncoder(case.quantizer, 1)
    wrong = [
        layer._replace(precision=layer.precision[:4]),
        layer._replace(position=layer.position[:, :1].copy()),
        layer._replace(color=layer.color[:4]),
        layer._replace(color=layer.color[:, :2].copy()),
        layer._replace(shape=layer.shape[:, :2].copy()),
    ]
    for levels in wrong:
        with pytest.raises(ValueError):
            encoder.encode(case.quantizer, *levels)
    with pytest.raises(TypeError):
        encoder.encode(case.quantizer, *layer._replace(color=layer.color[0]))
    gray = photo_like(0, 5, 1)
    with pytest.raises(ValueError, match="quantizer"):
        encoder.encode(gray.quantizer, *gray.layers[0])


# What must do no harm when decoding ----------------------------------------------------------


def assert_harmless(case: Case, payloads: list[bytes], most: int = PLENTY) -> int:
    """Decode arbitrary bytes; check that the result is whole layers of finite Gaussians."""
    counts, (means, cholesky, colors) = decode(case, payloads, most=most)
    assert len(counts) <= len(payloads)
    total = counts[-1] if counts else 0
    assert total <= most
    assert counts == sorted(counts)
    assert means.shape == (total, 2)
    assert cholesky.shape == (total, 3)
    assert colors.shape == (total, case.channels)
    assert (means >= 0).all()
    # The last cell may reach beyond the border, by less than its side.
    assert (means < np.array([case.width, case.height]) + 2**11).all()
    assert np.isfinite(cholesky).all()
    assert (cholesky[:, [0, 2]] > 0).all()
    assert np.isfinite(colors).all()
    return len(counts)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_random_bytes_do_no_harm(channels: int) -> None:
    rng = np.random.default_rng(channels)
    case = photo_like(0, 0, channels, layers=2)
    for _ in range(2000):
        payloads = []
        for _ in range(2):
            data = bytearray(rng.bytes(int(rng.integers(0, 80))))
            if len(data) > 12 and rng.uniform() < 0.9:
                # One class, not too many Gaussians, and a plausible length of the first stream.
                data[:4] = [1 << int(rng.integers(8)), 0, int(rng.integers(1, 20)), 8]
            payloads.append(bytes(data))
        assert_harmless(case, payloads)


@given(st.lists(st.binary(max_size=200), max_size=4), st.integers(0, 300))
@example([b""], 5)
@example([b"\0\0\0"], 5)
@example([b"\xff\xff" + b"\x01" * 16 + b"\xff" * 5], 300)
def test_drawn_bytes_do_no_harm(payloads: list[bytes], most: int) -> None:
    assert_harmless(photo_like(0, 0, 4), payloads, most)


def test_changed_layers_do_no_harm() -> None:
    rng = np.random.default_rng(0)
    refused = 0
    for seed in range(40):
        case = photo_like(seed, int(rng.integers(1, 40)), 1 + seed % 4, layers=2)
        payloads = encode(case)
        for _ in range(60):
            bad = list(payloads)
            which = int(rng.integers(2))
            data = bytearray(bad[which])
            for _ in range(int(rng.integers(1, 4))):
                data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
            if rng.uniform() < 0.3:
                data = data[: rng.integers(len(data))]
            if rng.uniform() < 0.2:
                data += rng.bytes(int(rng.integers(1, 20)))
            bad[which] = bytes(data)
            refused += assert_harmless(case, bad) < 2
    # The states at the end of a stream notice most changes, but not those of raw bits.
    assert refused > 2200


def test_layers_in_a_wrong_order_do_no_harm() -> None:
    for seed in range(30):
        case = photo_like(seed, 20, layers=3)
        payloads = encode(case)
        assert_harmless(case, payloads[::-1])
        assert_harmless(case, [payloads[0]] * 3)
        assert_harmless(case, payloads[1:])


def test_layers_of_another_picture_do_no_harm() -> None:
    payloads = encode(photo_like(0, 200, 3))
    for height, width, channels in ((1, 1, 3), (1, 65536, 4), (65536, 65536, 1), (64, 95, 3)):
        case = photo_like(0, 0, channels)._replace(height=height, width=width)
        assert_harmless(case, payloads)


def with_count(count: int, rest: bytes) -> bytes:
    """Return a layer that announces Gaussians of class 15, followed by two arbitrary streams."""
    return b"\0\x80" + write_varint(count) + write_varint(len(rest) // 2) + rest


@pytest.mark.parametrize("count", [1, 17, 1000, 2**20, 2**24, 2**24 + 1, 2**25 - 1])
@pytest.mark.parametrize("size", [0, 8, 4096])
def test_absurd_counts_are_refused(count: int, size: int) -> None:
    rest = np.random.default_rng(count).bytes(size)
    for most in (0, 16, PLENTY, 2**28):
        assert assert_harmless(photo_like(0, 0), [with_count(count, rest)], most) == 0


def test_a_number_that_is_longer_than_it_has_to_be_is_refused() -> None:
    case = photo_like(0, 3)
    case.layers[0].precision[:] = 4
    case.layers[0].position[:] = [[5, 5], [6, 6], [90, 60]]
    (payload,) = encode(case)
    assert payload[:3] == b"\x10\0\x03"
    assert assert_harmless(case, [payload]) == 1
    assert assert_harmless(case, [payload[:2] + b"\x83\0" + payload[3:]]) == 0


def test_a_count_within_the_bytes_ends_soon() -> None:
    # As many as the bytes allow, which are all zeros: over after them.
    payload = with_count(2**18, bytes(2**15))
    assert assert_harmless(photo_like(0, 0), [payload]) == 0


def test_no_more_gaussians_than_allowed_are_decoded() -> None:
    case = photo_like(0, 50, layers=3)
    payloads = encode(case)
    for most, whole in ((0, 0), (49, 0), (50, 1), (99, 1), (100, 2), (149, 2), (150, 3)):
        assert assert_harmless(case, payloads, most) == whole


def test_whole_layers_before_a_bad_one_are_kept() -> None:
    case = photo_like(0, 50, layers=3)
    payloads = encode(case)
    _, (means, _, _) = decode(case, payloads)
    for bad in (b"", payloads[1][:-2], payloads[1] + b"\0\0", bytes(40)):
        counts, arrays = decode(case, [payloads[0], bad, payloads[2]])
        assert counts == [50]
        assert np.array_equal(arrays[0], means[:50])
