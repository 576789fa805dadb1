"""A group of commands that imports a command only when it runs."""

import difflib
import importlib
import os
from typing import Any

import click

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """A group of commands, each of which is the object `command` of a module.

    Parameters
    ----------
    home : str
        The package that holds the modules.
    listed : dict
        Summary of each command by name, in the order of the help. The module of a command whose
        name is a keyword, such as ``import``, is named with an underscore at the end.
    """

    def __init__(self, *args: Any, home: str, listed: dict[str, str], **extra: Any) -> None:
        extra.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*args, **extra)
        self.invoke_without_command = True
        self._home, self._listed = home, listed

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the arguments name; without one, print the help and exit with 2."""
        result = super().invoke(ctx)
        if ctx.invoked_subcommand is None:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of the help."""
        return list(self._listed)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first argument names.

        Raises
        ------
        UsageError
            If there is no such command. The message suggests commands with similar names.
        """
        name = args[0]
        known = name in self._listed or name.startswith("-")
        if known or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        meant = difflib.get_close_matches(name, self._listed, cutoff=0.5)
        if not meant and (command := self._for_file(name)):
            meant = [f"{command} {name}"]
        hint = f" Did you mean {' or '.join(meant)}?" if meant else ""
        raise click.UsageError(f"No such command {name!r}.{hint}", ctx)

    def _for_file(self, name: str) -> str | None:
        """Return the command that a user probably left out before the name of a file."""
        if not (os.path.splitext(name)[1] or os.path.exists(name)):  # noqa: PTH110, PTH122
            return None
        command = "decode" if name.lower().endswith(".gimg") else "encode"
        return command if command in self._listed else None

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self._listed:
            return None
        name = f"{cmd_name}_" if cmd_name == "import" else cmd_name
        module = importlib.import_module(f"{self._home}.{name}")
        command: click.Command = module.command
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._listed.items()))
