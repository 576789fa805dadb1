"""Decoding many files: in order, a few ahead, and until the first that can't be decoded."""

import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import sample

from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.decoder.decode_many import AHEAD, decode_many
from gaussianimage.codec.format.header import Limits
from gaussianimage.errors import FormatError, LimitError


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    return [sample(counts, channels) for counts in ((), (7,), (300,)) for channels in (1, 3, 4)]


@pytest.mark.parametrize("threads", [None, 1, 2, 5])
@pytest.mark.parametrize("options", [{}, {"size": (7, 5), "dtype": np.float32}], ids=str)
def test_pictures_come_in_order(files: list[bytes], threads: Any, options: Any) -> None:
    found = list(decode_many(files * 5, threads=threads, **options))
    assert len(found) == 5 * len(files)
    for data, pixels in zip(files * 5, found, strict=True):
        assert np.array_equal(pixels, decode(data, **options))


def test_files_are_read_by_name(files: list[bytes], tmp_path: Path) -> None:
    paths: list[Any] = []
    for index, data in enumerate(files):
        paths.append(tmp_path / f"{index}.gimg")
        paths[-1].write_bytes(data)
    streams = [io.BytesIO(data) for data in files]
    for names in (paths, [str(path) for path in paths], streams):
        for data, pixels in zip(files, decode_many(names), strict=True):
            assert np.array_equal(pixels, decode(data))


def test_no_files_are_no_pictures() -> None:
    assert list(decode_many([])) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_only_a_few_files_are_decoded_ahead(threads: int) -> None:
    taken: list[int] = []

    def endless() -> Iterator[bytes]:
        for number in itertools.count():
            taken.append(number)
            yield sample((3,))

    pictures = decode_many(endless(), threads=threads)
    for given in range(1, 10):
        next(pictures)
        assert len(taken) < given + AHEAD * threads
    pictures.close()  # type: ignore[attr-defined]


def test_an_error_comes_when_it_is_its_turn(files: list[bytes], tmp_path: Path) -> None:
    broken = tmp_path / "broken.gimg"
    broken.write_bytes(files[0][:-3])
    pictures = decode_many([files[0], files[1], broken, files[2]], threads=2)
    assert np.array_equal(next(pictures), decode(files[0]))
    assert np.array_equal(next(pictures), decode(files[1]))
    with pytest.raises(FormatError) as caught:
        next(pictures)
    assert caught.value.__notes__ == [f"in {broken}"]
    with pytest.raises(StopIteration):
        next(pictures)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        next(decode_many([tmp_path / "missing.gimg"]))


def test_limits_hold_for_every_file(files: list[bytes]) -> None:
    with pytest.raises(LimitError):
        list(decode_many(files, limits=Limits(max_side=3)))


@pytest.mark.parametrize(
    "options",
    [{"threads": 0}, {"size": (0, 1)}, {"dtype": np.int8}, {"layers": 1.5}, {"limits": None}],
    ids=str,
)
def test_arguments_are_checked_at_once(options: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        decode_many([], **options)


@pytest.mark.parametrize("one", ["photo.gimg", Path("photo.gimg"), b"\x8bGIMG"])
def test_one_file_is_not_taken_for_many(one: Any) -> None:
    with pytest.raises(TypeError, match="sources: expected several files, got one"):
        decode_many(one)
