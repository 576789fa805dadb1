import numpy as np
import pytest
from samples import HEIGHT, WIDTH, file_of, levels, payload_bits, sample, settings_of

from gaussianimage.codec.decoder.decode import decode_gaussians
from gaussianimage.codec.encoder.rounding import Levels
from gaussianimage.codec.encoder.serialize import LEAST_FOR_LAYERS, layers_of
from gaussianimage.codec.format.container import LAYER, read_chunks
from gaussianimage.codec.format.header import Header
from gaussianimage.codec.format.metadata import Metadata

NONE = levels(0, 0)


def rows(parts: list[Levels]) -> list[tuple[int, ...]]:
    whole = Levels.concatenate(parts)
    return sorted(map(tuple, np.column_stack([whole.precision, *whole[1:]]).tolist()))


def test_few_gaussians_are_one_layer() -> None:
    parts = [levels(seed, LEAST_FOR_LAYERS[0] // 10 - 1) for seed in range(10)]
    (layer,) = layers_of(parts)
    assert rows([layer]) == rows(parts)


@pytest.mark.parametrize("stages", [1, 7, 20])
@pytest.mark.parametrize("layers", [2, 3])
def test_many_gaussians_are_layers_of_falling_importance(stages: int, layers: int) -> None:
    parts = [levels(seed, -(-LEAST_FOR_LAYERS[layers - 2] // stages)) for seed in range(stages)]
    found = layers_of(parts)
    assert len(found) == layers
    for field, expected in zip(Levels.concatenate(found), Levels.concatenate(parts), strict=True):
        assert np.array_equal(field, expected)
    # A twentieth, three tenths, all: whatever the stages.
    total = sum(len(part.precision) for part in parts)
    ends = np.cumsum([len(layer.precision) for layer in found])[:-1] / total
    assert ends == pytest.approx([0.05, 0.3][: layers - 1], abs=1e-3)


def test_empty_stages_make_no_layer() -> None:
    assert layers_of([]) == []
    assert layers_of([NONE, NONE]) == []
    assert [len(x.precision) for x in layers_of([NONE, levels(0, 3), NONE])] == [3]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("counts", [(), (1,), (5, 10, 20)])
def test_the_header_tells_what_the_file_holds(counts: tuple[int, ...], channels: int) -> None:
    data = sample(counts, channels, bit_depth=16)
    chunks = read_chunks(data)
    header = Header.from_chunk(chunks[0])
    assert (header.height, header.width, header.channels) == (HEIGHT, WIDTH, channels)
    assert header.bit_depth == 16
    assert header.gaussians == sum(counts)
    assert header.layers == len(counts)
    assert header.q_max == 4.5
    assert header.settings == settings_of(channels).to_bytes()
    assert [chunk.type for chunk in chunks[1:]] == [LAYER] * len(counts)


def test_work_is_counted_without_the_background() -> None:
    assert Header.from_chunk(read_chunks(sample(()))[0]).work == 0
    one = Header.from_chunk(read_chunks(sample((1,)))[0]).work
    assert 64 < one <= 64 + WIDTH // 8 * (16 + HEIGHT)


def test_the_gaussians_in_a_file_are_the_quantizers() -> None:
    layers = [levels(seed, 30) for seed in range(3)]
    settings = settings_of(3)
    found = decode_gaussians(file_of(layers))
    arrays = settings.quantizer(HEIGHT, WIDTH).dequantize(*Levels.concatenate(layers))
    expected = np.column_stack(arrays)
    rows = np.column_stack((found.means, found.cholesky(), found.colors))[1:]
    order, wanted = (np.lexsort(np.round(a, 6).T) for a in (rows, expected))
    assert rows[order] == pytest.approx(expected[wanted], rel=1e-6)
    assert found.colors[0] == pytest.approx(settings.background_color)


def test_metadata_comes_before_the_layers() -> None:
    data = sample(metadata=Metadata(icc=b"profile", exif=b"II*", xmp=b"<x/>"))
    names = [chunk.name for chunk in read_chunks(data)]
    assert names == ["HEAD", "iCCP", "eXIF", "xXMP", "LAYR", "LAYR", "LAYR"]


def test_assembling_is_deterministic() -> None:
    assert sample() == sample()


@pytest.mark.parametrize("count", [50, 2000])
def test_bits_are_estimated_without_writing(count: int) -> None:
    layers = [levels(0, count)]
    payload = read_chunks(file_of(layers))[1].payload
    estimate = payload_bits(layers, settings_of(3), HEIGHT, WIDTH)
    assert 8 * len(payload) - 400 < estimate < 8 * len(payload)
    assert payload_bits([], settings_of(3), HEIGHT, WIDTH) == 0
