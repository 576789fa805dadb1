import numpy as np
import pytest
from samples import HEIGHT, WIDTH, levels, make_file, make_parameters, payload_bits, sample

from gaussianimage.codec.decoder.decode import decode_gaussians
from gaussianimage.codec.format.container import LAYER, read_chunks
from gaussianimage.codec.format.header import Header
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.metadata import Metadata


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
    assert header.parameters == make_parameters(channels).to_bytes()
    assert [chunk.type for chunk in chunks[1:]] == [LAYER] * len(counts)


def test_work_is_counted_without_the_background() -> None:
    assert Header.from_chunk(read_chunks(sample(()))[0]).work == 0
    one = Header.from_chunk(read_chunks(sample((1,)))[0]).work
    assert 64 < one <= 64 + WIDTH // 8 * (16 + HEIGHT)


def test_the_gaussians_in_a_file_are_the_quantizers() -> None:
    layers = [levels(seed, 30) for seed in range(3)]
    parameters = make_parameters(3)
    found = decode_gaussians(make_file(layers))
    arrays = parameters.quantizer(HEIGHT, WIDTH).dequantize(*QuantizedGaussians.concatenate(layers))
    expected = np.column_stack(arrays)
    rows = np.column_stack((found.means, found.cholesky(), found.colors))[1:]
    order, wanted = (np.lexsort(np.round(a, 6).T) for a in (rows, expected))
    assert rows[order] == pytest.approx(expected[wanted], rel=1e-6)
    assert found.colors[0] == pytest.approx(parameters.background_color)


def test_metadata_comes_before_the_layers() -> None:
    data = sample(metadata=Metadata(icc=b"profile", exif=b"II*", xmp=b"<x/>"))
    names = [chunk.name for chunk in read_chunks(data)]
    assert names == ["HEAD", "iCCP", "eXIF", "xXMP", "LAYR", "LAYR", "LAYR"]


def test_serializing_is_deterministic() -> None:
    assert sample() == sample()


@pytest.mark.parametrize("count", [50, 2000])
def test_bits_are_estimated_without_writing(count: int) -> None:
    layers = [levels(0, count)]
    payload = read_chunks(make_file(layers))[1].payload
    estimate = payload_bits(layers, make_parameters(3), HEIGHT, WIDTH)
    assert 8 * len(payload) - 400 < estimate < 8 * len(payload)
    assert payload_bits([], make_parameters(3), HEIGHT, WIDTH) == 0
