"""What every command has: -h, -V, -v, examples in its help, and no traceback."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from gaussianimage.cli.errors import describe, details

__all__ = ["command"]

Function = TypeVar("Function", bound=Callable[..., Any])


class Command(click.Command):
    """A command whose errors become one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises
        ------
        ClickException
            For every error but click's own and a broken pipe, which click answers quietly.
        """
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params.get("verbose", 0) >= 2:
                click.echo(details(error), err=True)
            raise click.ClickException(describe(error)) from error


def command(
    short_help: str, examples: str, *, more_when_verbose: str
) -> Callable[[Function], click.Command]:
    """Make a function a command.

    Parameters
    ----------
    short_help : str
        As in the list of commands.
    examples : str
        Command lines for the end of the help.
    more_when_verbose : str
        What -v shows. The function gets the number of -v's as `verbose`.
    """
    lines = "\n".join(f"  {line}" for line in examples.strip().splitlines())
    decorators = (
        click.option(
            "-v", "--verbose", count=True, help=f"{more_when_verbose} -vv: show where errors arise."
        ),
        click.version_option(
            None, "-V", "--version", package_name="gaussianimage", prog_name="gaussianimage"
        ),
    )

    def decorate(function: Function) -> click.Command:
        decorated: Any = function
        for decorator in decorators:
            decorated = decorator(decorated)
        return click.command(
            cls=Command,
            short_help=short_help,
            epilog=f"\b\nExamples:\n{lines}",
            context_settings={"help_option_names": ["-h", "--help"]},
        )(decorated)

    return decorate
