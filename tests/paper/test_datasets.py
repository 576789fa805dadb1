"""Folders of pictures: the pictures in them, and the errors about empty ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gaussianimage.errors import LimitError, PictureError
from gaussianimage.paper.datasets import Sample, find_dataset


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a folder of small pictures by their names."""

    def folder(*names: str, mode: str = "RGB") -> Path:
        for number, name in enumerate(names):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new(mode, (4, 3), number + 1).save(path)
        return tmp_path

    return folder


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["kodim02.png", "kodim01.png"], "kodak"),
        (["0801x2.png", "0900x2.png"], "div2k"),
        (["kodim01.png", "0801x2.png"], "other"),
        (["kodim1.png"], "other"),
        (["a.jpg", "b.TIFF", "c.webp"], "other"),
    ],
)
def test_pictures_are_found_by_name_and_the_set_by_the_names(
    folder: Any, names: list[str], expected: str
) -> None:
    dataset = find_dataset([folder(*names)])
    assert dataset.name == expected
    assert [sample.name for sample in dataset.samples] == sorted(Path(n).stem for n in names)
    assert not dataset.complete


def test_a_whole_set_is_complete(folder: Any) -> None:
    root = folder(*(f"kodim{number:02}.png" for number in range(1, 25)))
    assert find_dataset([root]).complete
    assert not find_dataset([root], only=["kodim03"]).complete


@pytest.mark.parametrize("inner", ["", "X2/", "DIV2K_valid_LR_bicubic/X2/"])
def test_div2k_is_found_from_every_folder_around_it(folder: Any, inner: str) -> None:
    root = folder(f"{inner}0801x2.png")
    assert find_dataset([root]).name == "div2k"


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("kodim03.png", (768, 512), "kodak"),
        ("kodim04.png", (512, 768), "kodak"),
        ("kodim03.png", (384, 256), "other"),
        ("0801x2.png", (1020, 678), "div2k"),
        ("0801x2.png", (678, 1020), "div2k"),
        ("0801x2.png", (510, 339), "other"),
        ("a.png", (768, 512), "other"),
    ],
)
def test_pictures_of_other_sizes_only_share_the_names(
    tmp_path: Path, name: str, size: tuple[int, int], expected: str
) -> None:
    Image.new("RGB", size).save(tmp_path / name)
    dataset = find_dataset([tmp_path])
    assert dataset.name_for(dataset.samples[0]) == expected


def test_what_is_no_picture_is_passed_over(folder: Any) -> None:
    root = folder("a.png", ".hidden.png")
    (root / "notes.txt").write_text("no picture")
    (root / "folder.png").mkdir()
    assert [sample.name for sample in find_dataset([root]).samples] == ["a"]


def test_pictures_can_be_named_themselves_and_chosen(folder: Any) -> None:
    root = folder("a.png", "b.png", "sub/c.png")
    dataset = find_dataset([root, root / "sub/c.png", root / "a.png"], only=["c", "a"])
    assert [sample.name for sample in dataset.samples] == ["a", "c"]


def test_a_missing_path_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        find_dataset([tmp_path / "missing"])
    assert caught.value.filename == str(tmp_path / "missing")


def test_a_folder_without_pictures_is_an_error_that_says_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="the folder is empty"):
        find_dataset([tmp_path])
    (tmp_path / "b.txt").touch()
    with pytest.raises(PictureError, match=r"no pictures in it, but other files: b\.txt"):
        find_dataset([tmp_path])
    for name in "xyzw":
        (tmp_path / name).mkdir()
    with pytest.raises(PictureError, match="no pictures in it, but folders: w, x, y, …; name one"):
        find_dataset([tmp_path])


def test_two_pictures_of_one_name_are_an_error(folder: Any) -> None:
    root = folder("a.png", "a.jpg")
    with pytest.raises(PictureError, match=r"a\.png: results go by name, and .*a\.jpg"):
        find_dataset([root])


def test_a_chosen_picture_that_is_not_there_is_an_error(folder: Any) -> None:
    with pytest.raises(PictureError, match="x: no picture has this name; there are a, b"):
        find_dataset([folder("a.png", "b.png")], only=["a", "x"])
    with pytest.raises(PictureError, match="no folder is given"):
        find_dataset([])


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
def test_pixels_are_rgb_whatever_the_file_has(tmp_path: Path, mode: str) -> None:
    colors = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    image = Image.fromarray(colors).convert(mode)  # opaque, where there is alpha
    image.save(tmp_path / "a.png")
    pixels = Sample(tmp_path / "a.png").pixels
    expected = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
    assert pixels.dtype == np.float32
    assert not pixels.flags.writeable
    np.testing.assert_allclose(pixels, expected, atol=1e-7)


def test_a_transparent_picture_is_refused(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 3), (9, 9, 9, 254)).save(tmp_path / "a.png")
    with pytest.raises(PictureError, match=r"a\.png: it is transparent"):
        _ = Sample(tmp_path / "a.png").pixels


def test_a_broken_picture_is_an_error_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    (sample,) = find_dataset([tmp_path]).samples
    with pytest.raises(PictureError, match=r"a\.png"):
        _ = sample.pixels


def test_a_limit_holds_for_every_picture(folder: Any) -> None:
    (sample,) = find_dataset([folder("a.png")], max_pixels=11).samples
    with pytest.raises(LimitError):
        _ = sample.pixels


def test_the_digest_follows_pixels_and_not_names(folder: Any) -> None:
    root = folder("a.png", "b.png")
    a, b = find_dataset([root]).samples
    (root / "c.png").write_bytes((root / "a.png").read_bytes())
    assert a.digest == Sample(root / "c.png").digest != b.digest
