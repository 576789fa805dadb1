import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gaussianimage.batching.inputs import find_inputs

PNG = frozenset({".png"})


def names(source: str, root: str | None = None) -> list[str]:
    return sorted(found.name for found in find_inputs(source, PNG, root))


def test_a_folder_gives_files_of_the_extensions_and_a_file_itself(
    pictures: Callable[..., Path],
) -> None:
    folder = pictures("a.png", "b/c.PNG", "b/d.jpg")
    assert names(str(folder)) == ["a.png", "b/c.PNG"]
    assert names(str(folder / "b/d.jpg")) == ["d.jpg"]
    assert names(f"{folder}/**/*.jpg") == ["b/d.jpg"]


def test_a_list_keeps_the_names_below_the_common_folder(
    pictures: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pictures("a/x.png", "a/b/y.png")
    listed = tmp_path / "names.txt"
    listed.write_text(f"{folder}/a/x.png\r\n\nphotos/a/b/y.png\n{folder}/a/none.png")
    monkeypatch.chdir(tmp_path)
    assert names(f"@{listed}") == ["b/y.png", "none.png", "x.png"]
    assert names("@names.txt", str(folder)) == ["a/b/y.png", "a/none.png", "a/x.png"]
    with pytest.raises(ValueError, match=r"x\.png: is not in"):
        names("@names.txt", str(folder / "a/b"))


def test_a_list_of_one_name_or_of_urls(tmp_path: Path) -> None:
    listed = tmp_path / "names.txt"
    listed.write_text("s3://bucket/a/x.png\n")
    assert names(f"@{listed}") == ["x.png"]
    listed.write_text("s3://bucket/a/x.png\ns3://bucket/b/y.png\n")
    assert names(f"@{listed}") == ["a/x.png", "b/y.png"]
    listed.write_text("s3://one/x.png\ns3://two/y.png\n")
    assert names(f"@{listed}") == ["one/x.png", "two/y.png"]
    listed.write_text("")
    assert names(f"@{listed}") == []


def test_a_name_that_is_no_text_is_found(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    (tmp_path / name).write_bytes(b"")
    assert names(str(tmp_path)) == [name]
    (tmp_path / "names.txt").write_bytes(os.fsencode(tmp_path) + b"/caf\xe9.png\n")
    assert names(f"@{tmp_path}/names.txt") == [name]
