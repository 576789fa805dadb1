import errno
from pathlib import Path
from typing import Any

import pytest

from gaussianimage.batching import stores


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.png", "b/c.png", "b/d/e.png", ".hidden/f.png", "b/.g.png"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    (tmp_path / "tree/b/loop").symlink_to(tmp_path / "tree")
    return tmp_path / "tree"


def names(address: str) -> list[str]:
    return sorted(found.name for found in stores.walk(address))


def test_a_walk_finds_files_in_folders_without_hidden_ones_and_without_a_circle(tree: Path) -> None:
    assert names(str(tree)) == ["a.png", "b/c.png", "b/d/e.png"]
    assert all(found.size == 5 for found in stores.walk(str(tree)))
    assert all(Path(found.address).is_file() for found in stores.walk(str(tree)))


def test_a_pattern_gives_names_below_its_fixed_part(tree: Path) -> None:
    assert names(f"{tree}/*.png") == ["a.png"]
    assert names(f"{tree}/b/**/*.png") == ["c.png", "d/e.png"]


def test_a_file_with_brackets_in_its_name_is_no_pattern(tree: Path) -> None:
    path = tree / "x[1].png"
    path.write_bytes(b"")
    assert not stores.wildcard(str(path))
    assert names(str(path)) == ["x[1].png"]


def test_a_url_is_walked_like_a_folder(tree: Path) -> None:
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    url = f"file://{tree}"
    assert names(url) == names(str(tree))
    found = {found.name: found for found in stores.walk(url)}
    assert stores.read(found["b/c.png"].address) == b"12345"
    assert names(f"{url}/b/**/*.png") == ["c.png", "d/e.png"]
    assert names(f"{url}/a.png") == ["a.png"]


def test_an_object_store_gets_one_put() -> None:
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    stores.put("memory://stores/b/x.gimg", b"123")
    assert stores.size("memory://stores/b/x.gimg") == 3
    assert stores.size("memory://stores/b/y.gimg") is None
    assert names("memory://stores") == ["b/x.gimg"]
    stores.remove("memory://stores/b/x.gimg")
    stores.remove("memory://stores/b/x.gimg")
    assert not fsspec.filesystem("memory").exists("/stores/b/x.gimg")


@pytest.mark.usefixtures("unreliable")
def test_a_store_that_hangs_up_gets_whole_files_in_the_end(tmp_path: Path) -> None:
    url = f"unreliable://{tmp_path}/out/a.gimg"
    stores.put(url, b"0123456789")
    assert (tmp_path / "out/a.gimg").read_bytes() == b"0123456789"
    assert [p.name for p in (tmp_path / "out").iterdir()] == [
        "a.gimg"
    ]  # nothing half, nothing temporary
    assert stores.read(url) == b"0123456789"


@pytest.mark.usefixtures("unreliable")
def test_tries_end(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(stores, "WAITS", ())
    with pytest.raises(ConnectionResetError) as caught:
        stores.put(f"unreliable://{tmp_path}/out/a.gimg", b"0123456789")
    assert caught.value.filename == f"unreliable://{tmp_path}/out/a.gimg"
    assert list((tmp_path / "out").iterdir()) == []


def test_lasting_errors_are_not_tried_again(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(stores.time, "sleep", lambda _: pytest.fail("waited"))
    with pytest.raises(FileNotFoundError):
        stores.read(str(tmp_path / "none.png"))
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    with pytest.raises(FileNotFoundError) as caught:
        stores.read(f"file://{tmp_path}/none.png")
    assert caught.value.filename == f"file://{tmp_path}/none.png"


def test_missing_credentials_are_told_at_once_and_as_an_oserror(monkeypatch: Any) -> None:
    class NoCredentialsError(Exception):
        pass

    def fail() -> None:
        raise NoCredentialsError("Unable to locate credentials")

    monkeypatch.setattr(stores.time, "sleep", lambda _: pytest.fail("waited"))
    with pytest.raises(OSError, match="NoCredentialsError: Unable to locate credentials") as caught:
        stores._tried(fail, "s3://bucket/a.png")
    assert caught.value.filename == "s3://bucket/a.png"


def test_a_full_disk_is_recognized_and_not_tried_again(monkeypatch: Any) -> None:
    def fail() -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(stores.time, "sleep", lambda _: pytest.fail("waited"))
    for address in ("/a", "s3://bucket/a"):
        with pytest.raises(OSError, match="full") as caught:
            stores._tried(fail, address)
        assert stores.is_full(caught.value)
    assert not stores.is_full(OSError(errno.EIO, "x"))


def test_a_url_without_fsspec_names_the_extra(monkeypatch: Any) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ImportError, match=r"pip install gaussianimage\[ray\]"):
        stores.read("s3://bucket/a.png")


def test_an_unknown_scheme_is_a_value_error() -> None:
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    with pytest.raises(ValueError, match="nonsense://x"):
        stores.check_input("nonsense://x")


def test_a_folder_that_cannot_be_written_to_is_found_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        stores.check_output_folder(str(tmp_path / "file"))
    stores.check_output_folder(str(tmp_path / "new/folder"))
    assert list((tmp_path / "new/folder").iterdir()) == []
