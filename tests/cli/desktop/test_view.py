"""The command `desktop view`."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gaussianimage

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a shell")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files, which is empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def opener(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_program: Callable[[Path, str], Path]
) -> Callable[[str], None]:
    """Return a function that makes a shell script the only program, as `xdg-open`."""

    def opener(text: str) -> None:
        make_program(tmp_path / "bin/xdg-open", text)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    return opener


@pytest.mark.parametrize("name", ["a photo.gimg", "-q.gimg", "100%f.gimg"])
def test_the_viewer_gets_a_decoded_copy(
    run: Any,
    gimg: Path,
    opener: Callable[[str], None],
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    opener('printf "%s" "$#$1" > opened')
    monkeypatch.chdir(gimg.parent)
    gimg = gimg.rename(name)
    assert run("desktop", "view", "--", name).output == ""
    (copy,) = temporary.glob("*/*")
    assert Path("opened").read_text() == f"1{copy}"
    assert copy.name == name.replace(".gimg", ".png")
    with Image.open(copy) as image:
        assert np.array_equal(np.asarray(image), gaussianimage.decode(gimg))


def test_a_viewer_that_fails_is_an_error_and_no_copy_stays(
    fails: Any, gimg: Path, opener: Callable[[str], None], temporary: Path
) -> None:
    opener("exit 3")
    told = fails("desktop", "view", gimg)
    assert told == "xdg-open found no viewer of PNG files (exit code 3)"
    assert list(temporary.iterdir()) == []


def test_a_bad_file_is_an_error_and_opens_nothing(
    fails: Any, parrot: Path, tmp_path: Path, opener: Callable[[str], None], temporary: Path
) -> None:
    opener(f'touch "{tmp_path}/opened"')
    told = fails("desktop", "view", parrot)
    assert told.startswith("not a .gimg file")
    assert told.endswith(f", in {parrot}")
    missing = tmp_path / "missing.gimg"
    assert fails("desktop", "view", missing) == f"{missing}: No such file or directory"
    assert not (tmp_path / "opened").exists()
    assert list(temporary.iterdir()) == []


def test_without_an_opener_it_says_so(
    fails: Any, gimg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert fails("desktop", "view", gimg).startswith("xdg-open is not installed")
