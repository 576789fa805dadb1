"""A group of commands that loads one only when it is called for."""

import importlib
from typing import Any

import click

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """Commands, each the `command` of a module.

    Parameters
    ----------
    home : str
        The package that the modules are in.
    listed : dict
        What the help says of each, by name and in its order. A name that is no identifier, such as
        ``import``, has a module with an underscore behind it.
    """

    def __init__(self, *args: Any, home: str, listed: dict[str, str], **extra: Any) -> None:
        super().__init__(*args, **extra)
        self._home, self._listed = home, listed

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of the help."""
        return list(self._listed)

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
