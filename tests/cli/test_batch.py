"""The command `batch`: its options, its messages and its exit codes."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from PIL import Image

from gaussianimage.cli import batch as module
from gaussianimage.cli import progress


@pytest.fixture
def photos(tmp_path: Path, parrot: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    with Image.open(parrot) as image:
        image.crop((0, 0, 24, 16)).save(folder / "a.png")
        image.crop((8, 8, 32, 24)).save(folder / "sub/b.png")
    return folder


def test_a_folder_goes_there_and_back(
    run: Callable[..., Result], photos: Path, tmp_path: Path
) -> None:
    small, back = tmp_path / "small", tmp_path / "back"
    first = run("batch", photos, small, "-n", 5, "-e", 1, "-j", 2)
    assert first.stdout == ""
    assert first.stderr.startswith("2 pictures done, 0.0 MP, ")
    again = run("batch", photos, small, "-n", 5, "-e", 1)
    assert again.stderr.startswith("0 pictures done, 2 done before, ")
    run("batch", small, back, "--decode", "--format", "jpg", "-q", 80, "--quiet")
    assert (back / "sub/b.jpg").is_file()
    run("batch", small, tmp_path / "little", "--thumbnail", 8, "--strip")
    with Image.open(tmp_path / "little/a.png") as image:
        assert image.size == (8, 5)


def test_failures_are_counted_and_the_manifest_is_named(
    run: Callable[..., Result], photos: Path, tmp_path: Path
) -> None:
    (photos / "broken.png").write_bytes(b"no picture")
    command = "batch", photos, tmp_path / "out", "-n", 5, "-e", 1
    line = run(*command, "--quiet", code=1).stderr
    manifest = tmp_path / "out/manifest.jsonl"
    assert line == (
        f"gaussianimage: 1 of 3 failed; their errors are in {manifest}; "
        "--retry-failed tries them again\n"
    )
    assert run(*command, "--retry-failed", "--quiet", code=1).stderr.endswith("manifest.jsonl\n")
    told = json.loads(run(*command, "--json", code=1).stdout)
    assert (told["total"], told["skipped"], told["failed"]) == (3, 2, 1)
    (photos / "broken.png").unlink()
    run(*command)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--format", "png"], "--format goes with"),
        (["--decode", "--thumbnail", "9"], "two tasks"),
        (["--decode", "--effort", "3"], "--effort is for encoding"),
        (["--thumbnail", "9", "--no-alpha"], "--no-alpha is for encoding"),
        (["--decode", "--format", "jpg", "-q", "1.5"], "whole number"),
        (["--decode", "-q", "80"], "quality: is for JPEG"),
        (["--decode", "--format", "gimg"], "no picture format"),
        (["--address", "auto"], "address: is for the engine ray"),
        (["-q", "50", "--bpp", "1"], "two targets"),
    ],
)
def test_options_that_contradict_each_other(
    fails: Callable[..., str], photos: Path, tmp_path: Path, options: list[str], text: str
) -> None:
    assert text in fails("batch", photos, tmp_path / "out", *options, code=2)
    assert not (tmp_path / "out").exists()


def test_places_that_are_wrong(fails: Callable[..., str], photos: Path, tmp_path: Path) -> None:
    assert "No such file" in fails("batch", tmp_path / "none", tmp_path / "out")
    assert "lies in the inputs' folder" in fails("batch", photos, photos / "out", code=2)
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    assert "Protocol not known" in fails("batch", "nonsense://x", tmp_path / "out", code=2)


def test_ray_that_is_missing_is_named(
    fails: Callable[..., str], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    line = fails("batch", photos, tmp_path / "out", "--engine", "ray")
    assert line == "the engine ray needs Ray: pip install gaussianimage[ray]"


def test_ctrl_c_says_how_much_is_left(
    run: Callable[..., Result], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, progress: Any, **__: Any) -> None:
        progress(module.BatchProgress(9, 2, 3, 1, 0, 0, 0, 1.0, None))
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "batch", interrupted)
    line = run("batch", photos, tmp_path / "out", code=130).stderr
    assert line == (
        "gaussianimage: interrupted; 3 of 9 not done; the same command goes on from here\n"
    )


def test_a_long_run_tells_how_fast_it_is(
    run: Callable[..., Result], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: Any, progress: Any, **__: Any) -> module.BatchSummary:
        progress(module.BatchProgress(10_000, 100, 1000, 2, 2 * 10**9, 10**9, 0, 100.0, 8000.0))
        return module.BatchSummary(1, 1, 0, 0, 0, 10**6, 1000, 10, 1.0, "m")

    monkeypatch.setattr(module, "batch", slow)
    monkeypatch.setattr(progress, "_NEWS_EVERY", 0)
    first, last = run("batch", photos, tmp_path / "out").stderr.splitlines()
    assert first == (
        "pictures: 1102 of 10000, 2 failed, 2 h 13 min left, 10.0 pictures/s, 20.0 MP/s, 10.0 MB/s"
    )
    assert last == "1 picture done, 1.0 MP, 1.0 kB to 10 B, 1.0 s"


def test_each_picture_is_a_line_when_verbose(
    run: Callable[..., Result], photos: Path, tmp_path: Path
) -> None:
    assert len(run("batch", photos, tmp_path / "quiet", "-e", "1").stderr.splitlines()) == 1
    *lines, _ = run("batch", photos, tmp_path / "out", "-e", "1", "-v").stderr.splitlines()
    count = len(lines) - 1
    assert count > 1
    for number, line in enumerate(lines):
        assert line.startswith(f"pictures: {number} of {count}")
