"""What every command has: -h, -V, -v, examples in its help, and no traceback."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from gaussianimage.cli.errors import describe, details

__all__ = ["subcommand", "verbosity"]

Function = TypeVar("Function", bound=Callable[..., Any])


_VERBOSITY = "gaussianimage.verbosity"


def verbosity() -> int:
    """Return how many -v's the running command was given."""
    value: int = click.get_current_context().meta.get(_VERBOSITY, 0)
    return value


def _keep(ctx: click.Context, _param: click.Parameter, value: int) -> None:
    ctx.meta[_VERBOSITY] = value


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
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if verbosity() >= 2:
                click.echo(details(error), err=True)
            raise click.ClickException(describe(error)) from error


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
