"""Errors as one line."""

import errno
import warnings
from pathlib import Path
from typing import Any

import click
import pytest

from gaussianimage import FormatError, GaussianImageWarning, PictureError
from gaussianimage.cli.errors import describe, details, printable, show


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PictureError("empty"), "in.png: empty"),
        (PictureError("in.png: empty"), "in.png: empty"),
        (FormatError("bad chunk", 17), "in.png: bad chunk (at byte 17)"),
        (ValueError("out of range"), "in.png: out of range"),
        (ValueError(), "in.png: ValueError"),
        (OSError(errno.ENOSPC, "No space left on device", "out.gimg"), "out.gimg: No space left"),
        (OSError(errno.ENOSPC, "No space left on device"), "stdout: No space left on device"),
        (OSError(errno.ENOENT, "No such file", b"out\xff.gimg"), "out\\udcff.gimg: No such file"),
        (OSError("odd"), "in.png: odd"),
        (MemoryError(), "in.png: not enough memory"),
        (KeyError("x"), "in.png: internal error: KeyError: 'x' (-vv shows where)"),
        (click.UsageError("no way"), "in.png: no way"),
    ],
)
def test_an_error_says_what_happened_to_which_file(error: Exception, line: str) -> None:
    assert describe(error, "in.png").startswith(line)


def test_stdin_is_called_by_its_name() -> None:
    assert describe(PictureError("empty"), "-") == "stdin: empty"
    assert describe(PictureError("stdin: empty"), "-") == "stdin: empty"


def test_no_name_is_needed() -> None:
    assert describe(ValueError("no")) == "no"


def test_a_line_is_a_line_and_does_nothing_to_the_terminal() -> None:
    assert describe(ValueError("two\nlines"), "a\x1b[31m.png") == "a\\x1b[31m.png: two\\nlines"
    assert printable("å ∂.png") == "å ∂.png"


def test_details_are_a_traceback() -> None:
    try:
        raise ValueError("no")
    except ValueError as error:
        text = details(error)
    assert text.startswith("Traceback")
    assert text.endswith("ValueError: no")


def test_showing_an_error_tells_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(click.ClickException("a failure")) == 1
    assert show(click.UsageError("a mistake.")) == 2
    assert show(click.Abort()) == 130
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "gaussianimage: a failure",
        "gaussianimage: a mistake (see gaussianimage --help)",
        "gaussianimage: interrupted",
    ]


def test_a_warning_of_the_package_is_a_line_and_others_are_not(
    run: Any, parrot: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    def warn(*_: Any, **__: Any) -> str:
        warnings.warn("of somebody else", UserWarning, stacklevel=1)
        warnings.warn("mind \x1b this", GaussianImageWarning, stacklevel=1)
        return "done"

    monkeypatch.setattr("gaussianimage.cli.fit.result_line", warn)
    result = run("fit", parrot, tmp_path / "x.safetensors", "-n", 5, "--iterations", 1)
    assert result.stderr.splitlines() == ["gaussianimage: mind \\x1b this", "done"]
