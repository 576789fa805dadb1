"""Errors and warnings of the program: each is one line on stderr, and an error has an exit code."""

import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

import click

from gaussianimage._util.describe import describe_error, printable
from gaussianimage._util.leaving import INTERRUPTED
from gaussianimage.errors import GaussianImageWarning

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "TERMINATED",
    "describe",
    "details",
    "our_warnings",
    "our_warnings_alone",
    "printable",
    "show",
    "warning",
]

FAILED = 1
TERMINATED = 143  # 128 + SIGTERM, the convention of shells

_PROGRAM = "gaussianimage"


def describe(error: BaseException, source: str = "") -> str:
    """Return the description of an error in one line, as `describe_error` does."""
    text = error.format_message() if isinstance(error, click.ClickException) else None
    return describe_error(error, source, text=text)


def details(error: BaseException) -> str:
    """Return the traceback, which is printed with -vv."""
    return "".join(traceback.format_exception(error)).rstrip()


def warning(message: str) -> str:
    """Return the line that shows a warning."""
    return printable(f"{_PROGRAM}: warning: {message}")


def show(error: click.ClickException | click.Abort) -> int:
    """Print the line of an error that ends the program, and return the exit code."""
    if isinstance(error, click.Abort):
        click.echo(f"{_PROGRAM}: interrupted", err=True)
        return INTERRUPTED
    line = describe(error)
    if isinstance(error, click.UsageError):
        program = error.ctx.command_path if error.ctx else _PROGRAM
        line = f"{line.rstrip('.')} (see {program} --help)"
    click.echo(f"{_PROGRAM}: {line}", err=True)
    return error.exit_code


@contextmanager
def our_warnings(say: Callable[[str], None]) -> Iterator[None]:
    """Give every warning of this package to `say`, as a line, while the block runs."""
    others = warnings.showwarning

    def tell(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, GaussianImageWarning):
            say(f"{_PROGRAM}: {printable(str(message))}")
        else:
            others(message, category, filename, lineno, file, line)

    warnings.showwarning = tell
    try:
        yield
    finally:
        warnings.showwarning = others


@contextmanager
def our_warnings_alone(say: Callable[[str], None]) -> Iterator[None]:
    """Do as `our_warnings`, and hide other warnings unless Python is told to show them."""
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")  # Pillow's warnings about metadata do not help a user.
        warnings.simplefilter("always", GaussianImageWarning)
        with our_warnings(say):
            yield
