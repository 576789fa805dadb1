"""The tool that compiles for other platforms: what it hands to CMake and to the linker."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import cross_compile as tool  # noqa: E402


def test_a_command_of_several_words_becomes_one_program(tmp_path: Path) -> None:
    program = tool.write_tool(tmp_path / "say", ["echo", "two words", "$HOME"])
    told = subprocess.run([program, "and more"], check=True, capture_output=True, text=True)
    assert told.stdout == "two words $HOME and more\n"


@pytest.mark.parametrize(("name", "pointer"), [("windows-x86_64", 8), ("wasm32", 4)])
def test_the_headers_have_the_sizes_of_the_target(tmp_path: Path, name: str, pointer: int) -> None:
    headers = tool.copy_headers(tmp_path, tool.TARGETS[name])
    assert (headers / "Python.h").exists()
    config = (headers / "pyconfig.h").read_text()
    assert "#define SIZEOF_LONG 4\n" in config
    assert f"#define SIZEOF_VOID_P {pointer}\n" in config


@pytest.mark.skipif(shutil.which("nm") is None, reason="nm is not installed")
def test_the_library_for_windows_has_the_names_of_python(tmp_path: Path) -> None:
    archiver = tool.write_tool(tmp_path / "archiver", ["true"])
    tool.make_import_library(tmp_path, [str(archiver)])
    names = (tmp_path / "python.def").read_text().splitlines()
    assert names[:2] == ["LIBRARY python3.dll", "EXPORTS"]
    assert {"PyErr_SetString", "PyTuple_GetItem", "_Py_NoneStruct"} <= set(names)


def test_an_unknown_target_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["cross_compile.py", "amiga"])
    with pytest.raises(SystemExit):
        tool.main()
    assert "unknown target amiga; there are windows-x86_64, macos-arm64" in capsys.readouterr().err
