import json

import pytest
from samples import HEIGHT, WIDTH, make_parameters, sample

from gaussianimage.codec.decoder.info import info
from gaussianimage.codec.format.container import read_chunks
from gaussianimage.codec.format.header import VERSION, Header, Limits
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.errors import FormatError, LimitError, TruncatedError


def test_a_file_tells_what_it_holds() -> None:
    data = sample((5, 10, 20), 4, bit_depth=16)
    found = info(data)
    assert found.version == VERSION
    assert (found.height, found.width, found.channels) == (HEIGHT, WIDTH, 4)
    assert found.bit_depth == 16
    assert (found.gaussians, found.layers) == (35, 3)
    assert found.q_max == 4.5
    assert found.bytes == len(data)
    assert found.bpp == 8 * len(data) / (HEIGHT * WIDTH)
    assert found.color_step == make_parameters(4).color_step
    assert found.shape_step == make_parameters(4).shape_step
    assert found.background == pytest.approx(tuple(make_parameters(4).background_color))
    assert found.work == Header.from_chunk(read_chunks(data)[0]).work
    assert (found.icc, found.exif, found.xmp) == (None, None, None)
    assert found.complete


def test_chunks_are_listed_with_their_places() -> None:
    data = sample((5, 6, 7), metadata=Metadata(icc=b"profile" * 30, xmp=b"<x/>"))
    found = info(data)
    assert [chunk.type for chunk in found.chunks] == ["HEAD", "iCCP", "xXMP"] + ["LAYR"] * 3
    for chunk in found.chunks:
        assert data[chunk.offset :].startswith(chunk.type.encode())
    sizes = sum(chunk.size for chunk in found.chunks)
    # The signature, a type, a length of one byte and a checksum each, GEND included.
    assert len(data) == 8 + sizes + 9 * (len(found.chunks) + 1)
    assert (found.icc, found.exif, found.xmp) == (210, None, 4)


@pytest.mark.parametrize("channels", [1, 3])
def test_everything_can_be_written_as_json(channels: int) -> None:
    found = info(sample((3,), channels, metadata=Metadata(icc=b"x")))
    again = json.loads(json.dumps(found.as_dict()))
    assert again["height"] == HEIGHT
    assert again["chunks"][1] == {"type": "iCCP", "offset": found.chunks[1].offset, "size": 10}
    assert len(again["background"]) == channels
    assert set(again) == set(found.__dataclass_fields__)


def test_a_cut_file_can_be_looked_at_when_asked_for() -> None:
    data = sample()
    with pytest.raises(TruncatedError):
        info(data[:-20])
    found = info(data[:-20], partial=True)
    assert not found.complete
    assert found.layers == 3
    assert [chunk.type for chunk in found.chunks] == ["HEAD", "LAYR", "LAYR"]
    assert info(data, partial=True).complete


def test_limits_hold_and_can_be_raised() -> None:
    data = sample()
    with pytest.raises(LimitError, match="max_pixels"):
        info(data, limits=Limits(max_pixels=HEIGHT * WIDTH - 1))
    assert info(data, limits=Limits(max_pixels=HEIGHT * WIDTH)).gaussians == 35


@pytest.mark.parametrize("data", [b"", b"GIMG", b"\x89PNG\r\n\x1a\n", bytes(100)])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        info(data)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_bytes_will_do(kind: type) -> None:
    assert info(kind(sample())) == info(sample())
