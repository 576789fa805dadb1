"""The codec for Zarr's format 3: found by its name, for chunks that are pictures."""

import json
from typing import Any

import numpy as np
import pytest

zarr = pytest.importorskip("zarr", reason="zarr is not installed")

from gaussianimage.array_codecs.zarr_codec import GaussianImageCodec  # noqa: E402

Y, X = np.mgrid[0:12, 0:16]
CHUNK = np.stack([X * 15, Y * 20, 255 - X * 15], axis=2).astype(np.uint8)
PICTURES = np.stack([CHUNK, CHUNK[::-1], CHUNK[:, ::-1]])
CODEC = GaussianImageCodec(quality=80, effort=1)


def array_of(values: np.ndarray, chunks: tuple[int, ...], **options: Any) -> Any:
    settings = {"serializer": CODEC, "compressors": None} | options
    array = zarr.create_array(
        store={}, shape=values.shape, chunks=chunks, dtype=values.dtype, **settings
    )
    array[:] = values
    return array


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2"])
def test_pictures_come_back_nearly_as_they_were(dtype: str) -> None:
    factor = 1 if dtype == "uint8" else 257
    values = (PICTURES.astype(np.uint16) * factor).astype(dtype)
    array = array_of(values, (1, 6, 8, 3))
    # Opened by its metadata alone, which names the codec.
    found = zarr.open_array(array.store)[:]
    assert np.abs(found.astype(float) / factor - PICTURES).mean() < 6
    np.testing.assert_array_equal(array[1, 2:9, 3:11], found[1, 2:9, 3:11])


def test_gray_pictures_and_stacks_of_them_are_stored() -> None:
    gray = PICTURES[..., 0]
    for values, chunks in ((gray[0], (6, 8)), (gray, (1, 12, 16))):
        assert np.abs(array_of(values, chunks)[:].astype(int) - values).mean() < 6


def test_chunks_at_the_edge_are_filled_up() -> None:
    array = array_of(CHUNK, (7, 9, 3))
    assert np.abs(array[:].astype(int) - CHUNK).mean() < 8


def test_the_codec_works_inside_of_shards() -> None:
    array = array_of(PICTURES, (1, 6, 8, 3), shards=(3, 12, 16, 3))
    assert np.abs(zarr.open_array(array.store)[:].astype(int) - PICTURES).mean() < 6


def test_the_metadata_names_the_codec_and_its_arguments() -> None:
    told = CODEC.to_dict()
    assert told == {"name": "gaussianimage", "configuration": {"quality": 80, "effort": 1}}
    assert GaussianImageCodec.from_dict(json.loads(json.dumps(told))) == CODEC
    assert GaussianImageCodec.from_dict({"name": "gaussianimage"}) == GaussianImageCodec()
    with pytest.raises(ValueError, match="gaussianimage"):
        GaussianImageCodec.from_dict({"name": "bytes"})


@pytest.mark.parametrize(
    ("dtype", "chunks", "error"),
    [
        ("float32", (1, 12, 16, 3), TypeError),
        ("int64", (1, 12, 16, 3), TypeError),
        ("uint8", (2, 12, 16, 3), ValueError),
    ],
)
def test_an_array_whose_chunks_are_no_pictures_is_refused(
    dtype: str, chunks: tuple[int, ...], error: type[Exception]
) -> None:
    with pytest.raises(error, match="chunk: expected"):
        array_of(PICTURES.astype(dtype), chunks)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="quality"):
        GaussianImageCodec(quality=101)
    with pytest.raises(ValueError, match="expected one target"):
        GaussianImageCodec(quality=50, bpp=1)


def test_a_damaged_chunk_and_one_of_another_shape_are_errors() -> None:
    array = array_of(CHUNK, CHUNK.shape)
    (key,) = [name for name in array.store._store_dict if name.startswith("c/")]
    whole = array.store._store_dict[key]
    buffer = type(whole)
    array.store._store_dict[key] = buffer.from_bytes(whole.to_bytes()[:-5])
    with pytest.raises(Exception, match="cut off"):
        array[:]
    other = array_of(CHUNK[:5], CHUNK[:5].shape)
    (small,) = [name for name in other.store._store_dict if name.startswith("c/")]
    array.store._store_dict[key] = other.store._store_dict[small]
    with pytest.raises(ValueError, match="chunk: expected uint8 of shape"):
        array[:]
