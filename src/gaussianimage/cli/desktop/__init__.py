"""The command `desktop`: Linux file managers know, preview and open .gimg files."""

import click

from gaussianimage.cli.lazy import LazyGroup

__all__ = ["COMMANDS", "EXAMPLES", "command"]

# As in `gaussianimage.cli`: the help imports none of them.
COMMANDS = {
    "install": "Write the files that file managers read.",
    "uninstall": "Remove these files.",
    "view": "Show a .gimg file in the picture viewer.",
}

EXAMPLES = """
gaussianimage desktop install
gaussianimage desktop install --system --dry-run
gaussianimage desktop uninstall
"""


@click.command(
    cls=LazyGroup,
    home=__name__,
    listed=COMMANDS,
    short_help="Make Linux file managers show .gimg files.",
    epilog="\b\nExamples:\n" + "\n".join(f"  {line}" for line in EXAMPLES.strip().splitlines()),
)
@click.version_option(
    None, "-V", "--version", package_name="gaussianimage", prog_name="gaussianimage"
)
def command() -> None:
    """Make the file managers of Linux desktops know, preview and open .gimg files."""
