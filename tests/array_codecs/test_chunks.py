"""What chunks are pictures, and how they come back."""

import numpy as np
import pytest

import gaussianimage
from gaussianimage.array_codecs.chunks import (
    ChunkOptions,
    check_dtype,
    decode_chunk,
    encode_chunk,
    picture_shape,
)
from gaussianimage.errors import FormatError, TruncatedError

FAST = ChunkOptions(quality=80, effort=1)
Y, X = np.mgrid[0:12, 0:16]
RGBA = np.stack([X * 15, Y * 20, 255 - X * 15, 255 - Y * 10], axis=2).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_chunk_comes_back_nearly_as_it_was(channels: int, dtype: type) -> None:
    white = np.iinfo(dtype).max
    chunk = RGBA[..., -channels:].astype(dtype) * (white // 255)
    data = encode_chunk(chunk, FAST)
    found = decode_chunk(data)
    assert found.dtype == dtype
    assert found.shape == (chunk.shape[:2] if channels == 1 else chunk.shape)
    error = np.abs(found.reshape(chunk.shape).astype(float) - chunk) / white
    assert error.mean() < 0.03


def test_a_chunk_is_a_file_of_its_own() -> None:
    data = encode_chunk(RGBA[..., :3], FAST)
    assert data == gaussianimage.encode(RGBA[..., :3], quality=80, effort=1)


@pytest.mark.parametrize(
    ("shape", "picture"),
    [
        ((5, 7), (5, 7)),
        ((5, 7, 1), (5, 7, 1)),
        ((5, 7, 4), (5, 7, 4)),
        ((1, 5, 7), (5, 7)),
        ((1, 1, 5, 7, 3), (5, 7, 3)),
        ((1, 1, 5, 7), (5, 7)),
        ((1, 7, 3), (1, 7, 3)),
    ],
)
def test_axes_of_length_1_may_come_first(shape: tuple[int, ...], picture: tuple[int, ...]) -> None:
    assert picture_shape(shape) == picture


@pytest.mark.parametrize(
    "shape",
    [(), (5,), (5, 7, 5), (2, 5, 7), (2, 5, 7, 3), (0, 7), (5, 0, 3), (5, 7, 0), (2**17, 2)],
)
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected the shape of a picture"):
        picture_shape(shape)


@pytest.mark.parametrize("dtype", ["int8", "int64", "float32", "bool", ">u2", "U1", "O"])
def test_another_type_is_refused(dtype: str) -> None:
    with pytest.raises(TypeError, match="expected dtype uint8 or uint16"):
        check_dtype(np.dtype(dtype))
    with pytest.raises(TypeError, match="expected dtype uint8 or uint16"):
        encode_chunk(np.zeros((4, 4), dtype), FAST)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"quality": 101}, ValueError),
        ({"quality": 50, "psnr": 30}, ValueError),
        ({"bpp": "1"}, TypeError),
        ({"effort": 0}, ValueError),
    ],
)
def test_bad_options_are_refused(options: dict[str, float], error: type[Exception]) -> None:
    with pytest.raises(error):
        ChunkOptions(**options)  # type: ignore[arg-type]


def test_bytes_that_are_no_chunk_are_refused() -> None:
    data = encode_chunk(RGBA, FAST)
    with pytest.raises(TruncatedError):
        decode_chunk(data[:-1])
    with pytest.raises(FormatError):
        decode_chunk(b"nonsense")
