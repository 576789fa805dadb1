"""The base of every command: -h, -V, -v, examples in the help, and errors without traceback."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gaussianimage._util.leaving import leave_on_interrupt_again, raise_interrupts
from gaussianimage.cli.errors import describe, details, printable

__all__ = ["subcommand", "verbosity"]

Function = TypeVar("Function", bound=Callable[..., Any])


# A name with a dash at its start and an extension; values of options rarely look like this.
_NAME = re.compile(r"-[^=]*\.[A-Za-z][A-Za-z0-9]{1,11}")
_VERBOSITY = "gaussianimage.verbosity"


def verbosity() -> int:
    """Return how many times -v was given to the running command."""
    value: int = click.get_current_context().meta.get(_VERBOSITY, 0)
    return value


def _keep(ctx: click.Context, _param: click.Parameter, value: int) -> None:
    ctx.meta[_VERBOSITY] = value


class Command(click.Command):
    """A command that reports each error in one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line.

        Raises
        ------
        UsageError
            If the command line is wrong. If a file's name was read as options, the message says how
            to write that name.
        """
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            name = printable(_name_with_dash(given) or "")
            if not name:
                raise
            message = error.format_message().rstrip(".")
            told = f"{message}; the file {name} is given as ./{name}, or behind --."
            raise click.UsageError(told, ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises
        ------
        ClickException
            For every error except click's own errors and a broken pipe; click handles these.
        """
        raise_interrupts()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            leave_on_interrupt_again()
            raise
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if verbosity() >= 2:
                click.echo(details(error), err=True)
            raise click.ClickException(describe(error)) from error


def _name_with_dash(args: list[str]) -> str | None:
    """Return the first argument that starts with a dash but is probably a file's name, or None."""
    for name in args[: args.index("--")] if "--" in args else args:
        if (
            len(name) > 1
            and name.startswith("-")
            and (_NAME.fullmatch(name) or Path(name).exists())
        ):
            return name
    return None


def subcommand(
    short_help: str, examples: str, *, more_when_verbose: str = ""
) -> Callable[[Function], click.Command]:
    """Make a function a command.

    Parameters
    ----------
    short_help : str
        The command's summary in the list of commands.
    examples : str
        Command lines that the end of the help shows.
    more_when_verbose : str, optional
        A sentence of the help on what -v shows.
    """
    lines = "\n".join(f"  {line}" for line in examples.strip().splitlines())

    @click.version_option(
        None, "-V", "--version", package_name="gaussianimage", prog_name="gaussianimage"
    )
    @click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_keep,
        help=f"{more_when_verbose} -vv: show where errors arise.".strip(),
    )
    @click.command()
    def common() -> None:
        pass

    def decorate(function: Function) -> click.Command:
        result = click.command(
            cls=Command,
            short_help=short_help,
            epilog=f"\b\nExamples:\n{lines}",
            context_settings={"help_option_names": ["-h", "--help"]},
        )(function)
        result.params += common.params  # the help lists them last
        return result

    return decorate
