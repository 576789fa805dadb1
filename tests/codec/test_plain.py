"""The native decoder against the plain one in tests/plain/, which follows docs/format.md."""

import math
import random
import re
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import gimg
from plain.appendix import TEXT
from plain.layer import Gaussian, amplitude
from plain.varint import InvalidError
from samples import levels, make_file, sample, with_a_changed_payload

from gaussianimage import _native, encode
from gaussianimage.codec.decoder.decode import decode, decode_gaussians
from gaussianimage.codec.decoder.file import parse_file
from gaussianimage.codec.encoder.serialize import serialize
from gaussianimage.codec.format.container import LAYER
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.quantizer import QuantizerParameters
from gaussianimage.errors import GaussianImageError, LimitError

LARGEST = 2**25 + 78  # of a level of color
LARGE = Limits(
    max_pixels=2**32,
    warn_pixels=2**32,
    max_work=2**64,
    max_output=2**40,
    max_memory=2**40,
)


class Case(NamedTuple):
    """The contents of a file."""

    height: int
    width: int
    parameters: QuantizerParameters
    q_max: float
    layers: list[QuantizedGaussians]

    @property
    def file(self) -> bytes:
        return serialize(
            self.layers,
            self.parameters,
            Metadata(),
            height=self.height,
            width=self.width,
            bit_depth=8,
            q_max=self.q_max,
        )


def in_order(layer: QuantizedGaussians) -> list[Gaussian]:
    """Return the Gaussians of a layer in the order of the format."""

    def key(g: Gaussian) -> tuple[int, int]:
        walk = sum((g.x >> b & 1) << 2 * b + 1 | (g.y >> b & 1) << 2 * b for b in range(32))
        return -g.precision, walk

    rows = zip(*(array.tolist() for array in layer), strict=True)
    return sorted((Gaussian(p, *at, tuple(c), tuple(s)) for p, at, c, s in rows), key=key)


def assert_same(data: bytes) -> gimg.File:
    """Both decoders get the same numbers."""
    plain = gimg.decode(data)
    header = plain.header
    opened = parse_file(data, limits=LARGE)
    quantizer = opened.layers.parameters.quantizer(header.height, header.width)
    payloads = [bytes(chunk.payload) for chunk in opened.chunks if chunk.type == LAYER]
    ends, (means, cholesky, colors) = _native.decode_layers(
        quantizer, payloads, header.layers, header.gaussians, 1
    )
    assert ends == np.cumsum([len(layer) for layer in plain.layers]).tolist()
    assert means.tolist() == [list(n.mean) for n in plain.numbers]
    assert cholesky.tolist() == [list(n.cholesky) for n in plain.numbers]
    assert colors.tolist() == [list(n.color) for n in plain.numbers]
    assert (opened.header.height, opened.header.width) == (header.height, header.width)
    assert opened.header.channels == header.channels
    assert opened.header.bit_depth == (16 if header.deep else 8)
    assert opened.header.q_max == header.q_max
    assert opened.header.work == header.work
    assert opened.layers.parameters.background_color.tolist() == header.background
    return plain


def assert_decodes_to(data: bytes, layers: list[QuantizedGaussians]) -> gimg.File:
    """Both decoders get these integers, or the numbers that they mean."""
    plain = assert_same(data)
    assert plain.layers == [in_order(layer) for layer in layers]
    return plain


# Whole files --------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("counts", [(), (1,), (13,), (200,), (5, 10, 20, 40), (30,) * 6])
def test_files_decode_to_the_integers_that_were_encoded(
    counts: tuple[int, ...], channels: int
) -> None:
    layers = [levels(seed, count, channels) for seed, count in enumerate(counts)]
    plain = assert_decodes_to(make_file(layers, channels), layers)
    assert plain.header.gaussians == sum(counts)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bit_depth", [8, 16])
def test_pixels_are_those_of_the_document(channels: int, bit_depth: int) -> None:
    data = sample(channels=channels, bit_depth=bit_depth)
    plain = gimg.decode(data).pixels()
    found = decode(data, dtype=np.uint16 if bit_depth == 16 else np.uint8).astype(np.int64)
    # Single precision in one and double precision in the other, before rounding.
    assert np.abs(found.reshape(plain.shape) - plain).max() <= (8 if bit_depth == 16 else 1)


def test_metadata_comes_back() -> None:
    metadata = Metadata(icc=b"profile" * 100, exif=b"MM\0*", xmp="é".encode())
    plain = gimg.decode(sample(metadata=metadata))
    assert plain.metadata == {
        "iCCP": metadata.icc,
        "eXIF": metadata.exif,
        "xXMP": metadata.xmp,
    }


def test_a_fitted_picture_decodes_the_same() -> None:
    y, x = np.mgrid[0:40, 0:50] / 50
    picture = np.stack([x, y, (x * y * 9) % 1], axis=2).astype(np.float32)
    plain = assert_same(encode(picture, gaussians=120, effort=1))
    assert len(plain.layers) == 1
    assert len(plain.layers[0]) > 20


def test_the_example_in_the_document_is_right() -> None:
    section = TEXT.split("\n### 4.8 An example\n")[1].split("\n## ")[0]
    lines = re.findall(r"^(?:[0-9a-f]{2} )*[0-9a-f]{2}$", section, re.MULTILINE)
    data = bytes.fromhex(" ".join(lines))
    assert f"A file of {len(data)} bytes" in section
    plain = assert_same(data)
    rows = {
        "class, cell": [f"{g.precision}, ({g.x}, {g.y})" for g in plain.layers[0]],
        "color": [", ".join(map(str, g.color)) for g in plain.layers[0]],
        "shape": [", ".join(map(str, g.shape)) for g in plain.layers[0]],
        "mean": [", ".join(map(str, n.mean)) for n in plain.numbers],
        "l11, l21, l22": [", ".join(map(str, n.cholesky)) for n in plain.numbers],
    }
    for name, cells in rows.items():
        assert f"| {name} | {' | '.join(cells)} |".replace("-", "−") in section
    colors = [", ".join(f"{c:.6f}" for c in n.color) for n in plain.numbers]
    assert f"| color | {' | '.join(colors)} |".replace("-", "−") in section
    pixels = [f"({', '.join(map(str, pixel))})" for pixel in plain.pixels()[2].tolist()]
    assert ", ".join(pixels) in " ".join(section.split())
    assert decode(data).tolist() == plain.pixels().tolist()


# Extreme values -----------------------------------------------------------------------------


levels_of_color = st.one_of(
    st.integers(-3, 3),
    st.integers(-100, 100),
    st.sampled_from([79, 80, -4096, 4097, 2**20, LARGEST, -LARGEST]),
    st.integers(-LARGEST, LARGEST),
)
sides = st.one_of(st.integers(1, 100), st.sampled_from([1, 2, 768, 4097, 65536]))


@st.composite
def gaussians(
    draw: st.DrawFn, height: int, width: int, channels: int, shape_step: float
) -> tuple[int, list[int], list[int], list[int]]:
    precision = draw(st.integers(0, 15))
    ends = [-(-16 * side // 2**precision) - 1 for side in (width, height)]
    position = [draw(st.one_of(st.sampled_from([0, end]), st.integers(0, end))) for end in ends]
    color = draw(st.lists(levels_of_color, min_size=channels, max_size=channels))
    step = min(shape_step * 2 ** (-amplitude(tuple(color)) / 2), 0.7)
    size = draw(st.one_of(st.sampled_from([-7.0, 0.0, 14.0]), st.floats(-7, 14)))
    elongation = draw(st.one_of(st.sampled_from([0.0, 7.0]), st.floats(0, 7)))
    angle = draw(st.floats(-math.pi, math.pi))
    exact = [size, elongation * math.cos(angle), elongation * math.sin(angle)]
    return precision, position, color, [math.trunc(value / step) for value in exact]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    height, width, channels = draw(sides), draw(sides), draw(st.integers(1, 4))
    backgrounds = st.lists(st.integers(0, 65535), min_size=channels, max_size=channels)
    steps = QuantizerParameters(
        draw(st.integers(0, 255)), draw(st.integers(64, 192)), tuple(draw(backgrounds))
    )
    one = gaussians(height, width, channels, steps.shape_step)
    layers = []
    for rows in draw(st.lists(st.lists(one, min_size=1, max_size=10), max_size=4)):
        precision, position, color, shape = zip(*rows, strict=True)
        layers.append(
            QuantizedGaussians(
                np.array(precision, np.uint8),
                np.array(position, np.int32),
                np.array(color, np.int32),
                np.array(shape, np.int32),
            )
        )
    return Case(height, width, steps, draw(st.integers(1, 65535)) / 2048, layers)


@given(cases())
def test_extreme_files_decode_to_the_integers_that_were_encoded(case: Case) -> None:
    plain = assert_same(case.file)
    for found, layer in zip(plain.layers, case.layers, strict=True):
        # Gaussians in the same cell of the same class are in the encoder's order.
        assert sorted(found) == sorted(in_order(layer))


@pytest.mark.parametrize("count", [2, 14, 15, 16, 40, 800])
@pytest.mark.parametrize("place", ["corner", "end", "everywhere"])
def test_crowds_decode_the_same(count: int, place: str) -> None:
    crowd = levels(count, count, 3, height=37, width=41)
    cells = np.ceil(np.array([41, 37]) * 16 / 2.0 ** crowd.precision[:, None]) - 1
    if place == "corner":
        crowd.position[:] = 0
    elif place == "end":
        crowd.position[:] = cells
    assert_same(Case(37, 41, QuantizerParameters(40, 128, (0, 0, 0)), 4.5, [crowd]).file)


def test_every_step_means_the_same() -> None:
    for index in range(256):
        layer = levels(index, 4, 4)
        steps = QuantizerParameters(index, 64 + index // 2, (1, 2, 3, 4))
        assert_same(Case(12, 16, steps, 4.5, [layer]).file)


# Damage -------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_both_decoders_refuse_the_same_files(seed: int) -> None:
    rng = random.Random(seed)
    metadata = Metadata(icc=b"profile" * 20)
    counts = [rng.randint(1, 12) for _ in range(rng.randint(0, 3))]
    data = sample(counts, rng.randint(1, 4), metadata=metadata)
    for _ in range(40):
        changed = with_a_changed_payload(data, rng)
        try:
            decode(changed)  # reads the map of alpha, too
            native = decode_gaussians(changed)
        except LimitError:
            pass  # the plain decoder has no limits
        except GaussianImageError:
            with pytest.raises(InvalidError):
                gimg.decode(changed)
        else:
            plain = assert_same(changed)
            assert len(native) == len(plain.numbers) + 1


def test_any_cut_and_any_flipped_bit_is_refused_by_the_plain_decoder_too() -> None:
    data = sample((2,))
    for end in range(len(data)):
        with pytest.raises(InvalidError):
            gimg.decode(data[:end])
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidError):
            gimg.decode(bytes(changed))
