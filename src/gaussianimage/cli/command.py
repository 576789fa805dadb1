"""What every command has: -h, -V, -v, examples in its help, and no traceback."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gaussianimage._util.leaving import leave_on_interrupt_again, raise_interrupts
from gaussianimage.cli.errors import describe, details, printable

__all__ = ["subcommand", "verbosity"]

Function = TypeVar("Function", bound=Callable[..., Any])


# A file's extension, which an option's value hardly has.
_NAME = re.compile(r"-[^=]*\.[A-Za-z][A-Za-z0-9]{1,11}")
_VERBOSITY = "gaussianimage.verbosity"


def verbosity() -> int:
    """Return how many -v's the running command was given."""
    value: int = click.get_current_context().meta.get(_VERBOSITY, 0)
    return value


def _keep(ctx: click.Context, _param: click.Parameter, value: int) -> None:
    ctx.meta[_VERBOSITY] = value


class Command(click.Command):
    """A command whose errors become one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line.

        Raises
        ------
        UsageError
            It is wrong. Where a file's name was taken for options, the message says how to give it.
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
            For every error but click's own and a broken pipe, which click answers quietly.
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
    """Return the first argument that looks like options and is more likely the name of a file."""
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
        As in the list of commands.
    examples : str
        Command lines for the end of the help.
    more_when_verbose : str, optional
        What -v shows; see `verbosity`.
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
        result.params += common.params  # after the command's own, as they are in the help
        return result

    return decorate
