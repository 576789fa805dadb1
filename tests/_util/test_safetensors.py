import json

import numpy as np
import pytest
import safetensors.numpy

from gaussianimage._util.safetensors import load_tensors, metadata_number, save_tensors
from gaussianimage.errors import FormatError, UnsupportedError


def load(path, tensors=(), metadata=()):
    return load_tensors(path, "test.Kind", 3, tensors, metadata)


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "u4", "i8", "f2", "f4", "f8"])
def test_arrays_of_every_dtype_come_back(tmp_path, dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    save_tensors(tmp_path / "a", "test.Kind", 3, {"x": array, "none": array[:0]}, {"key": "é"})
    arrays, metadata = load(tmp_path / "a", ["x", "none"], ["key"])
    assert arrays["x"].dtype == array.dtype
    assert np.array_equal(arrays["x"], array)
    assert arrays["none"].shape == (0, 3)
    assert metadata == {"key": "é", "kind": "test.Kind", "version": "3"}


def test_arrays_in_any_memory_order_come_back(tmp_path):
    array = np.arange(24).reshape(4, 6)
    save_tensors(tmp_path / "a", "test.Kind", 1, {"t": array.T, "s": array[::2, ::-3]}, {})
    arrays, _ = load(tmp_path / "a")
    assert np.array_equal(arrays["t"], array.T)
    assert np.array_equal(arrays["s"], array[::2, ::-3])


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        tensors = {"x": np.ones(3), "y": np.zeros(2)}
        save_tensors(tmp_path / name, "test.Kind", 1, tensors, {"one": "1", "two": "2"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_older_version_is_read_and_a_newer_one_is_unsupported(tmp_path):
    save_tensors(tmp_path / "old", "test.Kind", 2, {}, {})
    assert load(tmp_path / "old")[1]["version"] == "2"
    save_tensors(tmp_path / "new", "test.Kind", 4, {}, {})
    with pytest.raises(UnsupportedError, match=r"new: test.Kind version 4, this reader knows 3"):
        load(tmp_path / "new")


def test_a_file_of_another_kind_is_refused(tmp_path):
    save_tensors(tmp_path / "a", "other.Kind", 1, {}, {})
    with pytest.raises(FormatError, match=r"expected metadata kind 'test.Kind', got 'other.Kind'"):
        load(tmp_path / "a")
    (tmp_path / "b").write_bytes(safetensors.numpy.save({"x": np.ones(2)}))
    with pytest.raises(FormatError, match=r"expected metadata kind 'test.Kind', got None"):
        load(tmp_path / "b")


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n" * 8, bytes(8), bytes(200), b"\xff" * 99]
)
def test_what_is_no_safetensors_file_is_refused(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(FormatError, match="a: not a complete safetensors file"):
        load(tmp_path / "a")


def test_a_dtype_that_numpy_lacks_is_refused(tmp_path):
    header = {
        "__metadata__": {"kind": "test.Kind", "version": "1"},
        "x": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]},
    }
    text = json.dumps(header).encode()
    (tmp_path / "a").write_bytes(len(text).to_bytes(8, "little") + text + b"ab")
    with pytest.raises(FormatError, match="tensor x: no NumPy dtype for BF16"):
        load(tmp_path / "a")


def test_missing_names_are_named(tmp_path):
    save_tensors(tmp_path / "a", "test.Kind", 1, {"x": np.ones(1)}, {"k": "v"})
    with pytest.raises(FormatError, match="a: tensor missing: y, z"):
        load(tmp_path / "a", ["z", "x", "y"])
    with pytest.raises(FormatError, match="a: metadata missing: m"):
        load(tmp_path / "a", ["x"], ["k", "m"])


def test_a_missing_file_or_a_folder_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing")
    with pytest.raises(OSError):
        load(tmp_path)


def test_metadata_numbers_are_checked():
    assert metadata_number("f", {"n": "12"}, "n", int) == 12
    assert metadata_number("f", {"x": "0.5"}, "x", float) == 0.5
    with pytest.raises(FormatError, match=r"f: metadata n: expected int, got '1.5'"):
        metadata_number("f", {"n": "1.5"}, "n", int)
    with pytest.raises(FormatError, match=r"f: metadata n: expected int, got None"):
        metadata_number("f", {}, "n", int)


def safetensors_file(header: dict[str, object], data: bytes) -> bytes:
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def test_sides_that_numpy_cannot_have_are_refused(tmp_path):
    path = tmp_path / "sides.safetensors"
    header = {
        "__metadata__": {"kind": "test", "version": "1"},
        "a": {"dtype": "F32", "shape": [0] + [1] * 100, "data_offsets": [0, 0]},
        "b": {"dtype": "F32", "shape": [0, 2**62], "data_offsets": [0, 0]},
    }
    for name in "ab":
        alone = {key: header[key] for key in ("__metadata__", name)}
        path.write_bytes(safetensors_file(alone, b""))
        with pytest.raises(FormatError):
            load_tensors(path, "test", 1, [name], [])
