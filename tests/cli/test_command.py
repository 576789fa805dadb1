"""Errors and -v in every command."""

import click
import pytest
from click.testing import CliRunner, Result

from gaussianimage.cli.command import subcommand, verbosity


def run(error: BaseException, *arguments: str) -> Result:
    @subcommand("Fail.", "fail", more_when_verbose="Say why.")
    def fail() -> None:
        click.echo(f"verbosity {verbosity()}")
        raise error

    return CliRunner().invoke(fail, arguments)


def test_verbosity_counts_the_flags() -> None:
    assert "verbosity 0\n" in run(ValueError("no")).stdout
    assert "verbosity 2\n" in run(ValueError("no"), "-v", "--verbose").stdout


def test_an_error_becomes_its_message() -> None:
    result = run(ValueError("out of range"))
    assert result.exit_code == 1
    assert result.stderr == "Error: out of range\n"


def test_an_error_of_ours_is_one_line_too() -> None:
    result = run(ZeroDivisionError("oops"), "-v")
    assert result.exit_code == 1
    assert result.stderr == "Error: internal error: ZeroDivisionError: oops (-vv shows where)\n"


def test_two_v_show_where_it_arose() -> None:
    result = run(ZeroDivisionError("oops"), "-vv")
    assert "Traceback" in result.stderr
    assert "test_command.py" in result.stderr


def test_a_usage_error_knows_its_command() -> None:
    assert "Usage: fail" in run(click.UsageError("no")).stderr


@pytest.mark.parametrize("error", [click.Abort(), KeyboardInterrupt()])
def test_an_interruption_passes(error: BaseException) -> None:
    assert "Aborted" in run(error).stderr


def test_help_shows_the_examples_line_by_line() -> None:
    text = run(ValueError("no"), "--help").output
    assert "Say why. -vv: show where errors arise." in text
    assert "Examples:\n    fail\n" in text
