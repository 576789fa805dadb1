"""Which output belongs to which input."""

import os
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from gaussianimage.cli.paths import Item, check_output, identity, plan


def pairs(*files: str, output: str | None = None) -> list[tuple[str, str]]:
    items = plan(files, output, suffix=".gimg", refuse=lambda _: None)
    return [(item.source, item.target) for item in items]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()


def test_two_files_are_an_input_and_its_output() -> None:
    assert pairs("a.png", "b.gimg") == [("a.png", "b.gimg")]


def test_an_output_can_be_named_by_an_option() -> None:
    assert pairs("a.png", output="b.gimg") == [("a.png", "b.gimg")]


def test_inputs_go_into_a_folder_under_their_own_names() -> None:
    expected = [("x/a.png", "folder/a.gimg"), ("b.tar.gz", "folder/b.tar.gimg")]
    assert pairs("x/a.png", "b.tar.gz", output="folder") == expected
    assert pairs("x/a.png", "b.tar.gz", "folder") == expected


def test_a_single_input_can_go_into_a_folder() -> None:
    assert pairs("a.png", "folder") == [("a.png", "folder/a.gimg")]
    assert pairs("a.png", output="new/") == [("a.png", "new/a.gimg")]


def test_several_inputs_make_a_new_name_a_folder() -> None:
    assert pairs("a.png", "b.png", output="new")[1] == ("b.png", "new/b.gimg")


def test_a_name_means_the_same_for_one_input_and_for_several() -> None:
    for output in ("new", "folder", "new.d/", "new/er"):
        folder = output.rstrip("/")
        one, several = pairs("a.png", output=output), pairs("a.png", "b.png", output=output)
        assert one == several[:1] == [("a.png", f"{folder}/a.gimg")]
        assert pairs("a.png", output) == one
        assert pairs("a.png", "b.png", output) == several
    assert pairs("a.png", output="file") == [("a.png", "file")]


def test_inputs_that_differ_in_their_extensions_keep_them() -> None:
    items = plan(["x/a.png", "a.jpg", "b.png"], "new", suffix=".gimg", refuse=lambda _: None)
    targets = [(item.target, item.whole_name) for item in items]
    expected = [("new/a.png.gimg", True), ("new/a.jpg.gimg", True), ("new/b.gimg", False)]
    assert targets == expected


def tree(*paths: str) -> None:
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(*files: str, output: str = "new") -> list[tuple[str, str]]:
    items = plan(
        files,
        output,
        suffix=".gimg",
        refuse=lambda _: None,
        recursive=True,
        extensions=lambda: {".png", ".jpg"},
    )
    assert all(item.in_folder for item in items)
    return [(item.source, item.target) for item in items]


def test_a_folder_stands_for_the_files_in_it_and_in_its_folders() -> None:
    tree("p/b.PNG", "p/c.txt", "p/.d.png", "p/q/r/a.jpg", "p/q/r/a.png", "p/.s/e.png", "f.xyz")
    expected = [
        ("p/b.PNG", "new/b.gimg"),
        ("p/q/r/a.jpg", "new/q/r/a.jpg.gimg"),
        ("p/q/r/a.png", "new/q/r/a.png.gimg"),
    ]
    assert found("p") == found("p/") == expected
    assert found("p", "f.xyz") == [*expected, ("f.xyz", "new/f.gimg")]
    assert found("p", output="p")[0] == ("p/b.PNG", "p/b.gimg")


def test_a_folder_needs_a_folder_and_files_to_take() -> None:
    tree("p/a.png")
    with pytest.raises(click.UsageError, match=r"x\.gimg: several inputs need a folder"):
        found("p", output="x.gimg")
    with pytest.raises(click.UsageError, match="folder: no files to take from this folder"):
        found("p", "folder")
    assert pairs("p", output="new") == [("p", "new/p.gimg")]  # which fails when it is read


def test_stdin_gets_a_name_in_a_folder() -> None:
    assert pairs("-", output="folder") == [("-", "folder/stdin.gimg")]


def test_only_outputs_in_a_folder_may_make_it() -> None:
    in_folder = plan(["a.png"], "new/", suffix=".gimg", refuse=lambda _: None)
    alone = plan(["a.png"], "new/b.gimg", suffix=".gimg", refuse=lambda _: None)
    assert (in_folder[0].in_folder, alone[0].in_folder) == (True, False)


@pytest.mark.parametrize(
    ("files", "output", "message"),
    [
        ([], "folder", "no input"),
        (["a.png"], None, "no output"),
        (["a.png", "b.png", "c.gimg"], None, "c.gimg: several inputs need a folder; name one with"),
        (["a.png", "b.png"], "c.gimg", "need a folder; name one with -o, such as c.gimg/"),
        (["a.png", "b.png"], "file", "file: several inputs need a folder"),
        (["a.png", "b.png"], "-", "-: several inputs need a folder"),
        (["y/a.png", "x/a.png"], "folder", "would both become folder/a.png.gimg"),
        (["a.png", "a.jpg", "a.png.tif"], "folder", "would both become folder/a.png.gimg"),
        (["a.gimg"], "a.gimg", "would replace an input"),
        (["a.gimg"], "folder/../a.gimg", "would replace an input"),
        (["folder/a.gimg", "b.png"], "folder", "would replace an input"),
        (["-", "-"], "folder", "would both become"),
        (["a.png", ""], None, "name is empty"),
        (["a.png"], "", "name is empty"),
        (["", "a.gimg"], None, "name is empty"),
    ],
)
def test_what_cannot_be_paired_is_a_usage_error(
    files: list[str], output: str | None, message: str
) -> None:
    with pytest.raises(click.UsageError, match=message):
        pairs(*files, output=output)


def test_a_name_that_can_be_no_output_is_refused() -> None:
    with pytest.raises(click.UsageError, match=r"b\.png: not this"):
        plan(["a.png", "b.png"], None, suffix=".gimg", refuse=lambda _: "not this")


def test_a_terminal_gets_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pairs("a.png", "-") == [("a.png", "-")]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(click.UsageError, match="stdout is a terminal"):
        pairs("a.png", "-")


def test_names_for_messages_are_printable() -> None:
    item = Item("a\n.png", "b\x1b.gimg")
    assert (item.name, item.target_name) == ("a\\n.png", "b\\x1b.gimg")
    assert (Item("-", "-").name, Item("-", "-").target_name) == ("stdin", "stdout")


def test_a_file_is_the_same_by_any_of_its_names() -> None:
    Path("link").symlink_to("file")
    assert identity("link") == identity("./folder/../file") != identity("folder")


@pytest.mark.parametrize("target", ["-", "new.gimg", "file", "folder/new.gimg"])
def test_what_can_be_written_is_accepted(target: str) -> None:
    check_output(target, overwrite=True)


def test_nothing_is_replaced_if_so_asked() -> None:
    check_output("new.gimg", overwrite=False)
    with pytest.raises(FileExistsError, match="no-overwrite"):
        check_output("file", overwrite=False)


@pytest.mark.parametrize("target", ["folder", "missing/new.gimg", "file/new.gimg"])
def test_what_cannot_be_written_is_told_at_once(target: str) -> None:
    with pytest.raises(OSError, match=target):
        check_output(target, overwrite=True)


@pytest.mark.parametrize("target", ["file", "folder/new.gimg"])
def test_write_protection_is_told_at_once(target: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(PermissionError, match="write-protected"):
        check_output(target, overwrite=True)
