"""The commands `desktop install` and `desktop uninstall`, with the desktop's own tools."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from gaussianimage.cli.desktop.entries import FILES
from gaussianimage.cli.desktop.place import SYSTEM_FOLDER
from gaussianimage.codec.format.container import SIGNATURE

MIME_INFO, THUMBNAILER, DESKTOP_ENTRY = FILES
MIME_TYPE = "image/x-gaussianimage"
NAMESPACE = {"": "http://www.freedesktop.org/standards/shared-mime-info"}
ODD_NAMES = [
    "a b.gimg",
    "100% %i %o.gimg",
    'it\'s "odd" $HOME `x` \\n.gimg',
    "-q.gimg",
    "é\n.gimg",
    "no extension",
]


def read_entry(path: Path) -> dict[str, str]:
    """Read the only group of a key file, as GLib's GKeyFile does."""
    escapes = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
    _, *lines = path.read_text("utf-8").splitlines()
    pairs = [line.split("=", 1) for line in lines]
    return {k: re.sub(r"\\(.)", lambda found: escapes[found[1]], v) for k, v in pairs}


def expand(line: str, codes: dict[str, str]) -> list[str]:
    """Return the words of an Exec line, split by a shell's rules and then expanded, as in GNOME."""
    # Python's shlex keeps a backslash before $ and ` in quotes; shells and GLib do not.
    command = ["sh", "-c", f"printf '%s\\0' {line}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    codes = codes | {"%": "%"}
    return [re.sub("%(.)", lambda found: codes[found[1]], word) for word in text.split("\0")[:-1]]


def needs(*tools: str) -> pytest.MarkDecorator:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


@pytest.fixture
def installed(run: Any, data_folder: Path, started_program: Path) -> Path:
    """Return a data folder with the files, which start a program of an odd name."""
    assert started_program.exists()
    result = run("desktop", "install")
    assert result.stdout.splitlines() == [str(data_folder / name) for name in FILES]
    return data_folder


def listed_files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# -- The files -----------------------------------------------------------------------------------


def test_the_file_type_has_the_name_and_the_signature_of_the_format(installed: Path) -> None:
    root = ET.parse(installed / MIME_INFO).getroot()
    (kind,) = root
    assert kind.get("type") == MIME_TYPE
    (glob,) = kind.findall("glob", NAMESPACE)
    assert glob.get("pattern") == "*.gimg"
    (match,) = kind.findall("magic/match", NAMESPACE)
    assert (match.get("type"), match.get("offset")) == ("string", "0")
    assert bytes.fromhex((match.get("value") or "").replace("\\x", "")) == SIGNATURE
    assert kind.findtext("comment", namespaces=NAMESPACE)


@pytest.mark.parametrize("name", [THUMBNAILER, DESKTOP_ENTRY])
def test_an_entry_is_for_the_file_type_and_for_a_program_that_is_there(
    installed: Path, started_program: Path, name: str
) -> None:
    entry = read_entry(installed / name)
    assert entry["MimeType"] == f"{MIME_TYPE};"
    assert entry["TryExec"] == str(started_program)
    codes = {"i": "IN", "o": "OUT", "s": "9", "f": "IN"}
    assert expand(entry["Exec"], codes)[0] == str(started_program)


@needs("desktop-file-validate")
def test_the_desktop_entry_is_valid(installed: Path) -> None:
    command = ["desktop-file-validate", installed / DESKTOP_ENTRY]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_program_without_a_script_is_started_by_python(
    run: Any, data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "__main__.py")])
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path / name))
    run("desktop", "install")
    words = expand(read_entry(data_folder / DESKTOP_ENTRY)["Exec"], {"f": "x"})
    assert words == [sys.executable, "-m", "gaussianimage", "desktop", "view", "--", "x"]


# -- What the desktop makes of them --------------------------------------------------------------


@needs("xdg-mime", "update-mime-database", "gio")
@pytest.mark.parametrize("name", ["photo.gimg", "photo"])
def test_the_desktop_knows_the_type_of_a_file(installed: Path, gimg: Path, name: str) -> None:
    assert (installed / "mime/mime.cache").exists()
    file = gimg.rename(gimg.with_name(name))
    assert ask_xdg_mime("filetype", str(file)) == MIME_TYPE


@needs("xdg-mime", "update-mime-database", "gio")
def test_a_picture_of_another_kind_keeps_its_type(installed: Path, parrot: Path) -> None:
    assert installed.exists()
    assert ask_xdg_mime("filetype", str(parrot)) == "image/png"


@needs("xdg-mime", "update-desktop-database")
def test_the_desktop_opens_files_with_the_program(installed: Path) -> None:
    assert (installed / "applications/mimeinfo.cache").exists()
    assert ask_xdg_mime("default", MIME_TYPE) == "gaussianimage.desktop"


def ask_xdg_mime(*arguments: str) -> str:
    done = subprocess.run(
        ["xdg-mime", "query", *arguments],
        env=os.environ | {"XDG_CURRENT_DESKTOP": "GNOME"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_thumbnailer_draws_a_file_of_any_name(
    installed: Path, gimg: Path, tmp_path: Path, name: str
) -> None:
    source = gimg.rename(tmp_path / name)
    target = tmp_path / f"small {name}"
    target.touch()  # as file managers do
    line = read_entry(installed / THUMBNAILER)["Exec"]
    # Relative names, so that the dash is the first character.
    words = expand(line, {"i": source.name, "o": target.name, "s": "48"})
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    with Image.open(target) as image:
        assert (image.format, image.size) == ("PNG", (48, 32))


def test_the_thumbnailer_fails_for_a_file_that_is_no_picture(
    installed: Path, tmp_path: Path
) -> None:
    source, target = tmp_path / "bad.gimg", tmp_path / "small.png"
    source.write_bytes(SIGNATURE + bytes(100))
    line = read_entry(installed / THUMBNAILER)["Exec"]
    words = expand(line, {"i": str(source), "o": str(target), "s": "48"})
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(f"gaussianimage: .+, in {re.escape(str(source))}\n", done.stderr)
    assert not target.exists()


# -- Where they go -------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, "", "relative/folder"])
def test_without_a_data_folder_the_default_one_is_taken(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    if given is not None:
        monkeypatch.setenv("XDG_DATA_HOME", given)
    lines = run("desktop", "install", "--user", "--dry-run").stdout.splitlines()
    assert lines == [str(Path.home() / ".local/share" / name) for name in FILES]


def test_a_dry_run_writes_and_removes_nothing(run: Any, data_folder: Path) -> None:
    names = [str(data_folder / name) for name in FILES]
    assert run("desktop", "install", "--dry-run").stdout.splitlines() == names
    assert not data_folder.exists()
    run("desktop", "install")
    before = listed_files(data_folder)
    assert run("desktop", "uninstall", "--dry-run").stdout.splitlines() == names
    assert listed_files(data_folder) == before


def test_a_prefix_and_the_system_have_folders_of_their_own(
    run: Any, data_folder: Path, tmp_path: Path
) -> None:
    prefix = tmp_path / "usr"
    run("desktop", "install", "--prefix", prefix)
    assert set(FILES) <= listed_files(prefix / "share")
    assert not data_folder.exists()
    lines = run("desktop", "install", "--system", "--dry-run").stdout.splitlines()
    assert lines == [str(SYSTEM_FOLDER / name) for name in FILES]


def test_two_places_at_once_are_a_usage_error(fails: Any) -> None:
    for command in ("install", "uninstall"):
        told = fails("desktop", command, "--user", "--system", code=2)
        assert "--user, --system and --prefix exclude each other" in told


def test_an_empty_prefix_is_a_usage_error(fails: Any) -> None:
    assert "name is empty" in fails("desktop", "install", "--prefix", "", code=2)


def test_a_second_install_replaces_the_files(run: Any, installed: Path) -> None:
    before = {name: (installed / name).read_bytes() for name in FILES}
    (installed / THUMBNAILER).write_bytes(b"old")
    run("desktop", "install")
    assert {name: (installed / name).read_bytes() for name in FILES} == before


def test_uninstall_removes_these_files_and_no_others(run: Any, installed: Path) -> None:
    others = {"thumbnailers/other.thumbnailer", "mime/packages/other.xml"}
    for name in others:
        shutil.copy(installed / name.replace("other", "gaussianimage"), installed / name)
    result = run("desktop", "uninstall")
    assert result.stdout.splitlines() == [str(installed / name) for name in FILES]
    left = listed_files(installed)
    assert others <= left
    assert not left & set(FILES)
    again = run("desktop", "uninstall")
    assert again.stdout == ""
    assert again.stderr == f"gaussianimage: nothing is installed in {installed}\n"


def test_a_folder_that_cannot_be_made_is_an_error(fails: Any, data_folder: Path) -> None:
    data_folder.write_text("a file")
    assert str(data_folder) in fails("desktop", "install")


# -- The tools -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("started_program")
def test_a_tool_that_is_not_installed_is_named_and_is_no_error(
    run: Any, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    first, second, _ = run("desktop", "install").stderr.splitlines()
    assert first == "gaussianimage: update-mime-database is not installed, so it was not run"
    assert second == "gaussianimage: update-desktop-database is not installed, so it was not run"
    assert listed_files(data_folder) == set(FILES)


@pytest.mark.usefixtures("started_program")
def test_a_tool_that_fails_is_an_error_with_its_reason(
    run: Any,
    data_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_program: Callable[[Path, str], Path],
) -> None:
    make_program(tmp_path / "bin/update-mime-database", "echo some words; echo no >&2; exit 3")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    result = run("desktop", "install", code=1)
    assert result.stderr == "gaussianimage: update-mime-database failed: no\n"
    assert listed_files(data_folder) == set(FILES)


def test_a_program_that_a_sandbox_does_not_see_is_told(
    run: Any, data_folder: Path, started_program: Path
) -> None:
    assert str(data_folder) in run("desktop", "install").stdout
    told = run("desktop", "install").stderr.splitlines()[-1]
    assert told.startswith(f"gaussianimage: {started_program} is not in /usr, so GNOME's ")
