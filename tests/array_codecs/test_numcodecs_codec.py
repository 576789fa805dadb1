"""The codec for numcodecs: found by its name, and good for arrays of Zarr's format 2."""

import json
import pickle

import numpy as np
import pytest

from gaussianimage.errors import FormatError

numcodecs = pytest.importorskip("numcodecs", reason="numcodecs is not installed")

Y, X = np.mgrid[0:12, 0:16]
CHUNK = np.stack([X * 15, Y * 20, 255 - X * 15], axis=2).astype(np.uint8)
CONFIG = {"id": "gaussianimage", "quality": 80, "effort": 1}


def test_the_codec_is_found_by_its_name() -> None:
    codec = numcodecs.get_codec(CONFIG)
    assert codec.get_config() == CONFIG
    assert json.loads(json.dumps(codec.get_config())) == CONFIG
    assert repr(codec) == "GaussianImage(quality=80, effort=1)"
    assert pickle.loads(pickle.dumps(codec)) == codec
    assert codec != numcodecs.get_codec(CONFIG | {"quality": 70})


def test_a_chunk_comes_back_nearly_as_it_was() -> None:
    codec = numcodecs.get_codec(CONFIG)
    data = codec.encode(CHUNK)
    found = codec.decode(data)
    assert np.abs(found.astype(int) - CHUNK).mean() < 6
    for buffer in (bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
        np.testing.assert_array_equal(codec.decode(buffer), found)
    out = np.zeros_like(CHUNK)
    codec.decode(data, out=out)
    np.testing.assert_array_equal(out, found)


def test_a_chunk_that_is_no_picture_is_refused() -> None:
    codec = numcodecs.get_codec(CONFIG)
    with pytest.raises(TypeError, match="expected dtype uint8 or uint16"):
        codec.encode(CHUNK.astype(np.float64))
    with pytest.raises(ValueError, match="expected the shape of a picture"):
        codec.encode(CHUNK.ravel())
    with pytest.raises(ValueError, match="Fortran"):
        codec.encode(np.asfortranarray(CHUNK))


def test_bad_arguments_and_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one target"):
        numcodecs.get_codec(CONFIG | {"bpp": 1})
    with pytest.raises(TypeError, match="nonsense"):
        numcodecs.get_codec(CONFIG | {"nonsense": 1})
    codec = numcodecs.get_codec(CONFIG)
    with pytest.raises(FormatError):
        codec.decode(b"nonsense")
    with pytest.raises(ValueError, match=r"broadcast|size"):
        codec.decode(codec.encode(CHUNK), out=np.zeros(5, np.uint8))


def test_zarr_stores_pictures_in_its_format_2() -> None:
    zarr = pytest.importorskip("zarr", reason="zarr is not installed")
    pictures = np.stack([CHUNK, CHUNK[::-1]])
    for dtype in ("uint8", "uint16"):
        array = zarr.create_array(
            store={},
            shape=pictures.shape,
            chunks=(1, *CHUNK.shape),
            dtype=dtype,
            compressors=numcodecs.get_codec(CONFIG),
            zarr_format=2,
        )
        factor = 257 if dtype == "uint16" else 1
        array[:] = pictures.astype(dtype) * factor
        found = zarr.open_array(array.store)[:]
        assert found.dtype == dtype
        assert np.abs(found.astype(int) / factor - pictures).mean() < 6
